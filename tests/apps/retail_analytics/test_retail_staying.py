"""Stays, queues, the number inside: held to the second with drawn people."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics import occupancy
from apps.retail_analytics.config import OccupancyRules, QueueRules
from apps.retail_analytics.decide import CameraState, Rules, Scene
from apps.retail_analytics.domain import View
from apps.retail_analytics.geometry import Zone
from apps.retail_analytics.occupancy import Occupancy
from apps.retail_analytics.queueing import QueueState, follow_queue, little_wait_s
from apps.retail_analytics.staying import Stay, ZoneState
from common.quality import Quality

from . import retail_people as people

person, played = people.person, people.played
INSIDE, OUTSIDE = (2.0, 2.0), (2.0, 5.0)


def visits(views, **more):
    return [visit for decision in played(views, **more) for visit in decision.visits]


def at(spot, seconds, number=1):
    return [[person(number, *spot)] for _ in range(round(seconds * people.FPS))]


def test_a_stay_is_told_when_it_has_ended():
    (visit,) = visits(at(INSIDE, 10) + at(OUTSIDE, 4))
    assert visit.dwell_s == pytest.approx(10.0, abs=0.2)


def test_a_gap_is_bridged_and_a_longer_one_is_two_stays():
    unseen = [[] for _ in range(int(1.5 * people.FPS))]
    assert len(visits(at(INSIDE, 5) + unseen + at(INSIDE, 5) + at(OUTSIDE, 4))) == 1
    away = at(OUTSIDE, 3)
    assert len(visits(at(INSIDE, 5) + away + at(INSIDE, 5) + at(OUTSIDE, 4))) == 2


def test_brushing_past_is_no_visit():
    assert visits(at(INSIDE, 1.5) + at(OUTSIDE, 4)) == []


def test_a_dark_camera_ends_nobodys_stay():
    dark = [None] * int(1.0 * people.FPS)
    (visit,) = visits(at(INSIDE, 5) + dark + at(INSIDE, 5) + at(OUTSIDE, 4))
    assert visit.dwell_s == pytest.approx(11.0, abs=0.2)


@given(st.lists(st.booleans(), min_size=1, max_size=120))
def test_no_stay_is_longer_than_the_time_there_was(inside):
    views = [[person(1, *(INSIDE if one else OUTSIDE))] for one in inside]
    found = visits(views, fps=2.0)
    assert sum(visit.dwell_s for visit in found) <= len(views) / 2.0


# ---------------------------------------------------------------------------- queues

QUEUE = Zone("queue", ((0.0, 0.0), (1.0, 0.0), (1.0, 8.0), (0.0, 8.0)))
TILL = Zone("till", ((1.0, 0.0), (2.0, 0.0), (2.0, 1.0), (1.0, 1.0)))
SCENE = Scene("cam", (), (QUEUE, TILL), {"queue": "till"})
RULES = QueueRules(call_length=3, call_s=5.0, clear_length=1, clear_s=5.0, join_s=1.0)


def queued(views, fps=5.0):
    decide, state, decisions = Rules(SCENE, queue=RULES), CameraState(), []
    for index, tracks in enumerate(views):
        state, decision = decide(state, View("cam", (index + 1) / fps, tuple(tracks)))
        decisions.append(decision)
    return decisions


def stand(number, spot, seconds, fps=5.0):
    return [person(number, *spot) for _ in range(round(seconds * fps))]


def test_waiting_until_the_till_is_served():
    way = stand(1, (0.5, 3.0), 20) + stand(1, (1.5, 0.5), 10) + stand(1, (5.0, 5.0), 5)
    (wait,) = [wait for decision in queued([[t] for t in way]) for wait in decision.waits]
    assert wait.served
    assert wait.wait_s == pytest.approx(20.0, abs=0.7)


def test_leaving_without_the_till_is_giving_up():
    way = stand(1, (0.5, 3.0), 20) + stand(1, (5.0, 5.0), 12)
    (wait,) = [wait for decision in queued([[t] for t in way]) for wait in decision.waits]
    assert not wait.served


def test_stepping_out_and_back_is_still_the_same_wait():
    way = stand(1, (0.5, 3.0), 10) + stand(1, (1.5, 3.0), 3) + stand(1, (0.5, 3.0), 10)
    way += stand(1, (1.5, 0.5), 5)
    waits = [wait for decision in queued([[t] for t in way]) for wait in decision.waits]
    assert [wait.served for wait in waits] == [True]
    assert waits[0].wait_s == pytest.approx(23.0, abs=0.7)


def test_passing_through_the_queue_is_not_joining():
    way = stand(1, (0.5, 3.0), 0.6) + stand(1, (5.0, 5.0), 12)
    decisions = queued([[t] for t in way])
    assert sum(decision.joined["queue"] for decision in decisions) == 0


def test_staff_is_called_once_and_let_go_once():
    three = [[person(i, 0.5, 2.0 + i) for i in (1, 2, 3)]] * 60
    one = [[person(1, 0.5, 3.0)]] * 120
    calls = [call for decision in queued(three + one) for call in decision.calls]
    assert [call.wanted for call in calls] == [True, False]


def test_a_queue_that_is_long_for_a_moment_calls_nobody():
    three = [[person(i, 0.5, 2.0 + i) for i in (1, 2, 3)]] * 20
    one = [[person(1, 0.5, 3.0)]] * 60
    assert [c for decision in queued(three + one + three) for c in decision.calls] == []


def test_a_long_dark_ends_no_wait_and_no_call():
    decide, state = Rules(SCENE, queue=RULES), CameraState()
    three = tuple(person(i, 0.5, 2.0 + i) for i in (1, 2, 3))
    for view in range(60):
        state, _ = decide(state, View("cam", view / 5, three))
    for view in range(60, 80):
        state, _ = decide(state, View("cam", view / 5, (), Quality.BAD, "dark: 2"))
    assert state.queues == {"queue": QueueState(called=True)}
    told = []
    for view in range(80, 100):
        state, decision = decide(state, View("cam", view / 5))
        told += [*decision.waits, *decision.calls]
    assert told == []
    assert state.queues["queue"].called


def test_littles_law_gives_the_wait_without_following_anybody():
    assert little_wait_s(2.0, 30, 900.0) == pytest.approx(60.0)
    assert little_wait_s(2.0, 0, 900.0) is None


@given(st.lists(st.sets(st.integers(1, 5)), max_size=60))
def test_everybody_who_joined_waits_or_has_ended(there):
    state, joined, ended = QueueState(), 0, 0
    for second, tracks in enumerate(there):
        zone = ZoneState({i: Stay(0.0, float(second) + 5.0, True) for i in tracks})
        state, step = follow_queue("q", state, zone, ZoneState(), float(second), RULES)
        joined, ended = joined + step.joined, ended + len(step.waits)
    assert joined == ended + len(state.waiting) + len(state.leaving)


# ------------------------------------------------------------------------- occupancy

DAY = OccupancyRules(reset_at="04:00")


def at_time(day, hour):
    return datetime(2026, 1, day, hour, 0)  # local time by definition


def test_the_number_inside_is_in_minus_out():
    assert occupancy.count(Occupancy(), 10, 4).inside == 6


def test_it_is_never_below_zero_and_remembers_why():
    state = occupancy.count(occupancy.count(Occupancy(), 2, 5), 4, 0)
    assert (state.inside, state.corrected) == (4, 3)


def test_it_is_emptied_once_a_day_and_not_again_when_the_clock_steps_back():
    state = occupancy.on_day(Occupancy(), at_time(1, 12), DAY)
    state = occupancy.on_day(occupancy.count(state, 100, 97), at_time(2, 3), DAY)
    assert state.inside == 3  # the night before the reset belongs to the day before
    state = occupancy.on_day(state, at_time(2, 5), DAY)
    assert state.inside == 0
    state = occupancy.on_day(occupancy.count(state, 9, 0), at_time(2, 3), DAY)
    assert state.entered == 9


def test_after_a_clock_that_was_days_ahead_it_is_emptied_every_day_again():
    state = occupancy.on_day(Occupancy(), at_time(20, 12), DAY)
    state = occupancy.on_day(occupancy.count(state, 9, 0), at_time(1, 12), DAY)
    assert state.inside == 9
    assert occupancy.on_day(state, at_time(2, 5), DAY).inside == 0


def test_what_is_missed_every_day_is_learned_within_bounds():
    state = occupancy.on_day(Occupancy(), at_time(1, 12), DAY)
    for day in range(2, 12):
        state = occupancy.on_day(occupancy.count(state, 200, 190), at_time(day, 12), DAY)
    assert state.drift == pytest.approx(0.05, abs=0.001)
    assert occupancy.count(state, 200, 190).inside == 0
    wild = occupancy.on_day(occupancy.count(state, 200, 0), at_time(13, 12), DAY)
    assert wild.drift == DAY.most_drift


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=50))
def test_nobody_is_ever_less_than_nobody(steps):
    state = Occupancy()
    for entered, left in steps:
        state = occupancy.count(state, entered, left)
        assert state.inside >= 0
        assert state.entered + state.corrected >= state.left
