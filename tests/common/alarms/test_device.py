"""The device's own alarm: told in every app, in the same words."""

from pathlib import Path

import pytest

from common.alarms.definition import load_definitions
from common.alarms.device import HOST_THROTTLED, throttled

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


def test_every_app_has_it_and_says_the_same_of_it_but_what_it_costs():
    found = [load_definitions(path)[HOST_THROTTLED] for path in APPS]
    assert len(found) == 4
    assert len({(one.text, one.cause, one.response, one.priority) for one in found}) == 1
    assert len({one.consequence for one in found}) == len(found)
