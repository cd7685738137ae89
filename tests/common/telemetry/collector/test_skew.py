"""The least of many differences is the clock's offset."""

import pytest

from common.telemetry.collector import skew
from common.telemetry.collector.skew import ClockOffsets


def test_the_least_difference_of_the_window_counts():
    offsets = ClockOffsets(window_s=100.0)
    assert offsets.offset_s("s", "b") is None
    for now, difference in ((0, -5.0), (10, -8.0), (20, -1.0)):
        offsets.observe("s", "b", difference, now)
    assert offsets.offset_s("s", "b") == -8.0
    offsets.observe("s", "b", -9.0, 30)
    assert offsets.offset_s("s", "b") == -9.0


def test_what_waited_at_the_broker_does_not_tell_that_a_clock_is_behind():
    offsets = ClockOffsets()
    for recorded in range(0, 3600, 5):  # an hour's events, in one go when the collector is back
        offsets.observe("s", "b", 3600.0 - recorded, 3600.0 + recorded / 1000)
        assert offsets.offset_s("s", "b") is None
    offsets.observe("s", "b", 0.2, 3610.0)
    assert offsets.offset_s("s", "b") == 0.2


def test_a_clock_that_is_behind_is_known_once_two_events_are_as_far_apart_for_both():
    offsets = ClockOffsets()
    offsets.observe("s", "b", 60.0, 0.0)
    offsets.observe("s", "b", 60.1, 5.0)
    assert offsets.offset_s("s", "b") is None
    offsets.observe("s", "b", 60.2, 11.0)
    assert offsets.offset_s("s", "b") == 60.0


@pytest.mark.parametrize("offset_s", [-60.0, 56 * 365 * 86_400.0])
def test_a_clock_that_is_ahead_or_was_never_set_is_known_at_once(offset_s):
    offsets = ClockOffsets()
    offsets.observe("s", "b", offset_s, 0.0)
    assert offsets.offset_s("s", "b") == offset_s


def test_a_clock_set_back_is_noticed_after_the_window():
    offsets = ClockOffsets(window_s=100.0)
    offsets.observe("s", "b", 0.1, 0)
    found = []
    for now in range(10, 160, 10):
        offsets.observe("s", "b", 60.0, now)
        found.append(offsets.offset_s("s", "b"))
    assert found[0] == 0.1
    assert found[-1] == 60.0


def test_a_new_start_is_estimated_anew_and_sources_apart():
    offsets = ClockOffsets()
    offsets.observe("s", "b-1", 3600.0, 0)
    offsets.observe("t", "b-1", -5.0, 0)
    offsets.observe("s", "b-2", 0.2, 1)
    assert offsets.offset_s("s", "b-2") == 0.2
    assert offsets.offset_s("s", "b-1") is None
    assert offsets.offset_s("t", "b-1") == -5.0


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(skew, "MOST_SOURCES", 3)
    offsets = ClockOffsets()
    for number in range(10):
        offsets.observe(f"s{number}", "b", 1.0, 0)
    known = [n for n in range(10) if offsets.offset_s(f"s{n}", "b") is not None]
    assert 0 < len(known) <= 3
    assert 9 in known
