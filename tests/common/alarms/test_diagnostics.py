"""What a station tells of itself: in every app, in the same words."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from common.alarms.definition import load_definitions
from common.alarms.diagnostics import (
    ALL,
    DISK_LOW,
    HOST_THROTTLED,
    STORE_FAILING,
    UPLINK_OFFLINE,
    Diagnostics,
    offline,
    throttled,
    well,
)

APPS = sorted((Path(__file__).parents[3] / "apps").glob("*/alarms.toml"))


@pytest.mark.parametrize(
    ("host", "detail"),
    [
        ({}, ""),
        ({"throttled": None, "temperature_c": 99.0}, ""),
        ({"throttled": False, "throttle_reasons": []}, ""),
        ({"throttled": True}, "it says no more"),
        (
            {"throttled": True, "throttle_reasons": ["under-voltage"], "temperature_c": 71.6},
            "under-voltage; 72 °C",
        ),
    ],
)
def test_the_detail_is_what_the_device_says(host, detail):
    assert throttled(host) == detail


def test_every_app_has_them_and_says_the_same_of_them_but_what_they_cost():
    tables = [load_definitions(path) for path in APPS]
    assert len(tables) == 4
    for alarm in (HOST_THROTTLED, DISK_LOW):
        found = [table[alarm] for table in tables]
        assert len({(one.text, one.cause, one.priority) for one in found}) == 1
        assert len({one.consequence for one in found}) == len(found)
    assert all(set(ALL) <= set(table) for table in tables)


def store(healthy=True, last_error="", replaced=None, suspected=""):
    return SimpleNamespace(
        healthy=healthy, last_error=last_error, replaced=replaced, suspected=suspected
    )


def test_all_well_is_no_alarm():
    assert Diagnostics(store()).details({}, {}) == well()
    assert Diagnostics(store()).details({"disk_free_mb": 9000.0}, {}) == well()


def test_a_full_disk_is_told_before_it_is_full_and_until_there_is_room_again():
    diagnostics, seen = Diagnostics(store()), (501.0, 499.0, 503.0, 599.0, None, 601.0, 520.0)
    told = [diagnostics.details({"disk_free_mb": free}, {})[DISK_LOW] for free in seen]
    low = "{} MB are free, 500 are needed"
    silent = "how much is free is no longer told"
    assert told == ["", low.format(500), low.format(500), low.format(600), silent, "", ""]


def test_a_store_that_fails_or_was_replaced_is_told():
    failing = Diagnostics(store(healthy=False, last_error="disk full"))
    assert failing.details({}, {})[STORE_FAILING] == "disk full"
    replaced = Diagnostics(store(replaced=Path("/var/station.damaged-1")))
    told = replaced.details({}, {})[STORE_FAILING]
    assert told == "the file was damaged and is kept as station.damaged-1"


def test_a_way_out_that_is_away_is_told_where_something_waits_for_it():
    away = {"state": "offline", "reason": "refused", "queued": 0}
    assert offline({"mqtt": away}) == "mqtt: refused"
    assert offline({"webhook": away}) == ""
    assert offline({"webhook": {**away, "queued": 3}}) == "webhook: refused"
    assert offline({"hl7": away, "mqtt": {"state": "online"}}) == ""
    refusing = {"state": "online", "reason": "the broker refuses events for good"}
    assert offline({"mqtt": refusing}) == "mqtt: the broker refuses events for good"
    assert Diagnostics(store()).details({}, {"mqtt": away})[UPLINK_OFFLINE] == "mqtt: refused"
