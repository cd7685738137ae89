"""Floods, chattering and stale alarms; which alarm of a group was the first."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alarms import flood
from common.alarms.engine import AlarmState, State
from common.alarms.first_out import First, first_of

TIMES = st.lists(st.integers(0, 4000), max_size=80).map(sorted)


def after(times):
    found = flood.Flood()
    for time in times:
        found = flood.annunciated(found, float(time))
    return found


def test_ten_alarms_in_ten_minutes_are_a_flood():
    assert after(range(9)).since is None
    found = after(range(10))
    assert (found.since, found.count) == (9.0, 10)


def test_ten_alarms_in_more_than_ten_minutes_are_none():
    assert after([0, *range(592, 601)]).since is None, "the first is 600 s old"
    assert after([0, *range(591, 600)]).since == 599.0


def test_a_flood_ends_with_fewer_than_five_in_ten_minutes():
    found = after(range(10))  # at 605 s the fifth from the end, that of 5 s, is out
    assert flood.settled(found, 604.9) is found
    calm = flood.settled(found, 605.0)
    assert (calm.since, calm.count) == (None, 10)


def test_a_flood_goes_on_while_alarms_come():
    found = after([*range(10), 300, 400, 500, 600, 604])
    assert (found.since, found.count) == (9.0, 15)


def test_a_flood_may_come_again():
    assert flood.spans([*range(10), *range(5000, 5012)]) == [(9, 605), (5009, 5607)]


def spans_by_definition(times):
    """Flood or not in every second, straight from the words of the rule."""
    inside, found = False, []
    for second in range(6000):
        count = sum(second - 600 < time <= second for time in times)
        inside = count >= 5 if inside else count >= 10
        found.append(inside)
    return found


@settings(deadline=None)
@given(TIMES)
def test_the_spans_are_those_of_the_definition(times):
    spans, by_definition = flood.spans(times), spans_by_definition(times)
    inside = [any(begin <= second < end for begin, end in spans) for second in range(6000)]
    assert inside == by_definition


@settings(deadline=None)
@given(TIMES, st.integers(1, 700))
def test_the_most_in_any_window(times, window):
    expected = max((sum(t - window < u <= t for u in times) for t in times), default=0)
    assert flood.most_in(times, window) == expected


@pytest.mark.parametrize(
    ("times", "chatters"),
    [([0, 30, 59], True), ([0, 30, 60], False), ([0, 50, 61, 100], True), ([0, 1], False)],
)
def test_three_times_a_minute_is_chattering(times, chatters):
    assert flood.chatters(times) is chatters


@pytest.mark.parametrize(
    ("life", "stale"),
    [(State.UNACK, True), (State.ACKED, True), (State.RTNUN, False), (State.NORM, False)],
)
def test_what_stands_in_the_list_for_more_than_a_day_is_stale(life, stale):
    state = AlarmState(life, active_at=0.0 if stale else None)
    assert not flood.is_stale(state, 86_400.0)
    assert flood.is_stale(state, 86_400.1) is stale


def test_the_first_of_a_group_is_the_first_until_its_window_ends():
    first = first_of(None, "air", 100.0, 10.0)
    assert first == First("air", 100.0)
    assert first_of(first, "gate", 110.0, 10.0) is first
    assert first_of(first, "gate", 110.1, 10.0) == First("gate", 110.1)
