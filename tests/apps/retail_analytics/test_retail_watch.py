"""Alarms, calls, who is inside, queues as they are now: each rule by itself."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics.act import Act
from apps.retail_analytics.config import Hours, OccupancyRules, QueueRules
from apps.retail_analytics.crowd import Crowd
from apps.retail_analytics.domain import Crossing, Decision, StaffCall, Wait
from apps.retail_analytics.published import Published
from apps.retail_analytics.queue_watch import QueueWatch
from apps.retail_analytics.telling import rounded
from apps.retail_analytics.watch import (
    EACH,
    STATES,
    CameraCondition,
    Condition,
    active_alarms,
    definitions,
    state_of,
)
from common.pipeline import Fault

NOON = 1_767_268_800.0
RULES = OccupancyRules(limit=12, reset_at="04:00")
DOORS = frozenset({("cam", "door")})


def utc(wall):
    return datetime.fromtimestamp(wall, UTC)


def through(entered=0, left=0, line="door", camera="cam"):
    ways = ["in"] * entered + ["out"] * left
    found = tuple(Crossing(line, way, number, 1.0) for number, way in enumerate(ways))
    return Decision(camera, 1.0, 0.1, usable=True, crossings=found)


# ------------------------------------------------------------------------------- alarms


def test_every_alarm_of_the_file_is_set_and_no_other():
    cameras = ("door", "floor")
    condition = Condition({name: CameraCondition() for name in cameras})
    assert set(active_alarms(condition, QueueRules())) == set(definitions(cameras))


def test_an_alarm_of_a_camera_bears_its_name():
    found = definitions(["door"])
    assert found["camera_away.door"].text == "door: The camera gives no picture"
    assert not set(EACH) & set(found)


@pytest.mark.parametrize(("word", "alarm"), STATES.items())
def test_why_a_view_is_unusable_says_which_alarm(word, alarm):
    condition = Condition({"door": CameraCondition(f"{word}: so and so")})
    found = active_alarms(condition, QueueRules())
    active = {name for name, detail in found.items() if detail}
    assert active == {f"{alarm}.door"}
    assert state_of(f"{word}: so and so") == word


def test_details_tell_limits_and_never_counts():
    condition = Condition({"door": CameraCondition(called=("till-1",))}, over_limit=40)
    found = active_alarms(condition, QueueRules(call_length=4, call_s=20.0))
    assert found["queue_long.door"] == "till-1: 4 or more for 20 s"
    assert found["occupancy_limit"] == "more than 40 inside"


@pytest.mark.parametrize(
    ("opens", "closes", "at", "is_open"),
    [
        ("08:00", "20:00", "12:00", True),
        ("08:00", "20:00", "20:00", False),
        ("20:00", "02:00", "23:00", True),
        ("20:00", "02:00", "12:00", False),
        ("00:00", "00:00", "03:00", True),
    ],
)
def test_opening_hours_may_go_over_midnight(opens, closes, at, is_open):
    hour, minute = map(int, at.split(":"))
    assert Hours(opens, closes).open_at(datetime(2026, 1, 1, hour, minute)) is is_open


def test_hours_that_are_none_are_refused():
    with pytest.raises(ValueError, match="HH:MM"):
        Hours("8", "20:00")


# ---------------------------------------------------------------------------------- act


def test_a_call_stands_until_it_is_taken_back():
    act = Act(lambda: 5.0)
    call = Decision("a", 1.0, 0.1, usable=True, calls=(StaffCall("q", wanted=True),))
    act(call)
    act.safe_state(Fault("perceive", "network", "gone"))
    act(Decision("a", 2.0, 0.1, usable=False, reason="dark: 2"))
    assert act.called("a") == ("q",)
    act(Decision("a", 3.0, 0.1, usable=True, calls=(StaffCall("q", wanted=False),)))
    assert act.called("a") == ()


def test_queues_drawn_anew_call_again():
    act = Act(lambda: 5.0)
    act(Decision("a", 1.0, 0.1, usable=True, calls=(StaffCall("q", wanted=True),)))
    act.forget("a")
    assert act.called("a") == ()


# -------------------------------------------------------------------------------- crowd


def crowd(remembered=None, wall=NOON, k=10):
    return Crowd(RULES, k, DOORS, wall, remembered, utc)


def test_only_doors_count():
    made = crowd()
    made.add(through(3, line="aisle"))
    made.add(through(3, camera="other"))
    made.correct(20, NOON, "anna")
    made.add(through(5, 2))
    assert made._state.inside == 23


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=40))
def test_what_is_told_is_rounded_or_nothing_and_changes_on_minutes_only(steps):
    made, told = crowd(), set()
    made.correct(12, NOON, "anna")
    for second, (entered, left) in enumerate(steps):
        made.add(through(entered, left))
        made.on_day(NOON + second)
        told.add((second // 60, made.told.inside))
        assert made.told.inside is None or made.told.inside >= 10
    minutes = [minute for minute, _ in told]
    assert len(minutes) == len(set(minutes))


def test_a_door_drawn_anew_keeps_who_is_inside():
    made = crowd()
    made.add(through(15))
    made.renamed(frozenset({("cam", "gate")}))
    made.add(through(1))
    made.add(through(1, line="gate"))
    assert made._state.inside == 16


def test_a_restart_on_the_next_business_day_finds_an_empty_shop():
    before = crowd()
    before.add(through(22))
    kept = before.document()
    assert kept["inside"] == 20
    same_day = crowd(kept, NOON + 3600.0)
    assert same_day.told.inside == 20
    next_day = crowd(kept, NOON + 86_400.0)
    assert next_day.told.few
    assert next_day.reset_by == "clock"
    assert next_day.reset_at == NOON + 16 * 3600.0  # 04:00


@pytest.mark.parametrize("people", range(10))
def test_few_inside_are_few_in_the_file_too(people):
    before = crowd()
    before.add(through(people))
    kept = before.document()
    assert kept["inside"] == 0
    after = crowd(kept, NOON + 60.0)
    after.add(through(0, 1))
    after.add(through(12))
    assert after._state.inside == 12


def test_the_limit_is_judged_by_the_exact_number():
    made = crowd()
    made.add(through(12))
    assert not made.over
    made.add(through(1))
    assert made.over


@given(st.integers(0, 10_000))
def test_rounding_is_to_fives(number):
    assert rounded(number) % 5 == 0
    assert abs(rounded(number) - number) <= 2.5


# ------------------------------------------------------------------------------- queues


def test_a_queues_length_is_a_mean_renewed_every_ten_seconds():
    watch = QueueWatch(QueueRules(call_length=4, clear_length=2))
    seen = []
    for tick in range(600):
        watch.add(6 if tick >= 300 else 0, 0.1, tick * 0.1)
        seen.append(watch.seen(tick * 0.1))
    assert len({one.at for one in seen}) == 6
    assert [one.length for one in seen[::100]] == [0, 0, 0, 0, 2, 2]


def test_the_wait_is_estimated_from_who_was_served():
    watch = QueueWatch(QueueRules())
    for number in range(5):
        watch.served(Wait("q", number, 0.0, 30.0 * number, served=True))
        watch.served(Wait("q", 90 + number, 0.0, 30.0 * number + 1, served=False))
    for tick in range(100):
        watch.add(4, 1.0, 200.0 + tick)
    assert watch.seen(300.0).wait_s == 120
    assert watch.seen(300.0).band == "long"


def test_a_queue_that_nobody_looked_at_has_no_length():
    assert QueueWatch(QueueRules()).seen(5.0).length is None


# ---------------------------------------------------------------------------- published


def row(start, told_in, told_out, line="door"):
    cells = {"line": line, "in": told_in, "out": told_out}
    return {"camera": "cam", "interval_start": start, "lines": [cells]}


def test_the_days_sum_is_of_what_was_told():
    today = Published(NOON)
    today.add(row(NOON - 900, 50, 50))
    today.add(row(NOON, 12, None))
    today.add(row(NOON + 900, 20, 11))
    today.add(row(NOON + 900, 99, 99, line="aisle"))
    assert today.sums(DOORS) == {
        "since": NOON, "in": 32, "out": 11, "cells": 4, "suppressed": 1
    }  # fmt: skip
    today.new_day(NOON + 900)
    assert today.sums(DOORS)["in"] == 20


def test_what_a_clock_that_was_ahead_published_is_of_no_day_before_it():
    today = Published(NOON, [row(NOON + 86_400 * 30, 50, 50)])
    today.add(row(NOON, 12, 12))
    assert today.sums(DOORS)["in"] == 12
    today.new_day(NOON + 86_400 * 30)
    today.new_day(NOON)
    today.add(row(NOON + 900, 20, 20))
    assert (today.since, today.sums(DOORS)["in"]) == (NOON, 20)
