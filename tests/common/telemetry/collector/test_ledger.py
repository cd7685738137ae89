"""The arithmetic of what came, what did not, and what was told."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.telemetry.collector import ledger
from common.telemetry.collector.ledger import Stream, Told
from common.telemetry.collector.rows import Began, Seen
from common.telemetry.ranges import count, missing, ranges_of

PATIENCE_S = 30.0
NUMBERS = st.integers(1, 60)
WINDOWS = st.tuples(NUMBERS, st.integers(0, 20), st.integers(0, 8)).map(
    lambda one: (one[0], one[0] + one[1], min(one[2], one[1] + 1))
)


def stream(*ranges, **more):
    return Stream("s", "e", ranges=tuple(ranges), **more)


def taken(*numbers, into=None):
    return ledger.with_received(into or stream(), numbers)


@given(st.lists(st.sets(NUMBERS, min_size=1), max_size=8))
def test_what_came_is_known_and_the_rest_is_missing(batches):
    ours, came = stream(), set()
    for batch in batches:
        fresh = {number for number in batch if not ours.knows(number)}
        assert fresh == batch - came
        ours, came = ledger.with_received(ours, fresh), came | batch
    assert ours.received == len(came)
    if came:
        expected = set(range(min(came), max(came) + 1)) - came
        assert {n for a, b in ours.missing for n in range(a, b + 1)} == expected
        assert ours.unexplained == len(expected)


@given(st.sets(NUMBERS, min_size=1), st.lists(WINDOWS, max_size=5))
def test_tellings_explain_at_most_what_is_missing_in_their_windows(came, windows):
    ours = taken(*came)
    before = ours.unexplained
    for first, last, dropped in windows:
        ours = ledger.with_told(ours, (first, last), dropped)
    total = sum(dropped for _, _, dropped in windows)
    assert ours.told_dropped == total
    assert 0 <= ours.unexplained <= ours.missing_count
    assert ours.unexplained >= ours.missing_count - total
    if not windows:
        assert ours.unexplained == before
    for first, last in ours.wanted():
        assert all(ours.knows(number) is False for number in range(first, last + 1))


@given(st.sets(st.integers(1, 400), min_size=30), st.integers(0, 2**32))
def test_folding_loses_no_count(came, seed):
    original = ledger.MOST_RANGES
    ledger.MOST_RANGES = 6
    try:
        order = sorted(came)
        random.Random(seed).shuffle(order)  # noqa: S311 - to be repeated
        ours, kept = stream(), set()
        for start in range(0, len(order), 7):
            fresh = [n for n in order[start : start + 7] if n not in kept]
            ours, kept = ledger.with_received(ours, fresh), kept | set(fresh)
            assert len(ours.ranges) <= 6
            assert ours.received == len(kept)
            assert ours.missing_count == max(kept) - min(kept) + 1 - len(kept)
            assert all(ours.knows(n) is not False for n in kept)
            outside = [n for n in range(1, 401) if n not in kept and not ours.is_folded(n)]
            assert not any(ours.knows(n) for n in outside)
    finally:
        ledger.MOST_RANGES = original


def test_losses_in_the_folded_part_are_explained_by_their_telling(monkeypatch):
    monkeypatch.setattr(ledger, "MOST_RANGES", 4)
    ours = taken(*range(1, 21, 2))
    assert (ours.missing_count, ours.unexplained) == (9, 9)
    ours = ledger.with_told(ours, (2, 18), 9)
    assert (ours.missing_count, ours.unexplained, ours.wanted()) == (9, 0, [])


def test_an_epochs_beginning_makes_its_front_count():
    ours = taken(5, 6)
    assert (ours.first, ours.missing) == (5, [])
    ours = ledger.with_start(ours, Began("s", "e", 2, 2))
    assert (ours.first, ours.missing) == (2, [(2, 4)])


def test_a_lost_end_is_seen_when_the_next_epoch_goes_on_after_it():
    began = Began("s", "f", 9, 9, "e")
    ours = ledger.with_end(ledger.with_received(Stream("s", "e"), [1, 2, 3]), began)
    assert ours.missing == [(4, 8)]
    assert ours.unexplained == 5
    assert ours.wanted() == [(4, 8)]
    late = ledger.with_received(ours, [4, 5, 6, 7, 8])
    assert late.unexplained == 0
    assert ledger.parse(ledger.dump(ours)) == ours


def test_of_an_epoch_that_nothing_came_of_nothing_is_missing_until_something_comes():
    ours = ledger.with_end(Stream("s", "e"), Began("s", "f", 9, 9, "e"))
    assert ours.unexplained == 0
    assert ours.last is None
    assert ledger.with_received(ours, [6, 7]).missing == [(8, 8)]


def test_a_loss_at_the_end_is_seen_when_it_is_told():
    ours = ledger.with_told(taken(1, 2), (3, 9), 4)
    assert (ours.last, ours.missing_count, ours.unexplained) == (9, 7, 3)


def test_overlapping_windows_are_one():
    ours = ledger.with_told(ledger.with_told(stream((1, 20)), (5, 9), 2), (8, 12), 3)
    assert ours.told == (Told(5, 12, 5),)


def test_windows_and_gone_ranges_are_bounded(monkeypatch):
    monkeypatch.setattr(ledger, "MOST_WINDOWS", 3)
    monkeypatch.setattr(ledger, "MOST_RANGES", 3)
    ours = stream((1, 1), (1000, 1000))
    for first in range(10, 110, 10):
        ours = ledger.with_told(ours, (first, first + 1), 1)
        ours = ledger.with_gone(ours, [(first, first + 1)])
    assert (len(ours.told), ours.told_dropped) == (3, 10)
    assert len(ours.gone) == 3


def test_what_is_gone_lies_within_what_is_known_of():
    ours = ledger.with_gone(taken(5, 9), [(1, 6), (8, 2**62)])
    assert ours.gone == ((5, 6), (8, 9))
    assert ledger.with_gone(stream(), [(1, 2)]).gone == ()


def scheduled(before, after, now):
    return ledger.scheduled(before, after, now, PATIENCE_S)


def test_a_gap_is_asked_for_when_it_has_stayed():
    empty = stream()
    ours = scheduled(empty, taken(1, 5), 100.0)
    assert (ours.ask_at, ours.waiting_since) == (130.0, 100.0)
    later = scheduled(ours, taken(6, into=ours), 120.0)
    assert later.ask_at == 130.0, "the gap is as it was"
    filling = scheduled(later, taken(2, into=later), 125.0)
    assert filling.ask_at == 155.0, "it is being filled"
    full = scheduled(filling, taken(3, 4, into=filling), 126.0)
    assert (full.ask_at, full.waiting_since, full.asks) == (None, None, 0)


def test_a_gap_that_never_rests_is_asked_for_some_time():
    ours, now = scheduled(stream(), taken(1, 3), 0.0), 0.0
    for number in range(5, 1000, 2):
        if ours.ask_at <= now:
            break
        now += 10.0
        ours = scheduled(ours, taken(number, into=ours), now)
    assert now == pytest.approx(ledger.IMPATIENCE * PATIENCE_S)


def test_asking_backs_off_and_begins_anew_when_something_came():
    ours = scheduled(stream(), taken(1, 5), 0.0)
    waits, now = [], 30.0
    for _ in range(9):
        ours = ledger.asked(ours, now, PATIENCE_S)
        waits.append(ours.ask_at - now)
        now = ours.ask_at
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    again = scheduled(ours, taken(3, into=ours), now)
    assert (again.asks, again.ask_at) == (0, now + PATIENCE_S)


@given(st.sets(NUMBERS, max_size=20), st.lists(WINDOWS, max_size=3), st.booleans())
def test_a_stream_survives_its_writing(came, windows, seen):
    ours = ledger.with_received(stream(), came)
    for first, last, dropped in windows:
        ours = ledger.with_told(ours, (first, last), dropped)
    ours = ledger.with_gone(ours, [(3, 4)])
    ours = ledger.scheduled(stream(), ours, 5.0, PATIENCE_S)
    if seen:
        ours = ledger.replace(ours, seen=Seen("2026-01-01T00:00:00.000Z", 1.5, None))
    assert ledger.parse(ledger.dump(ours)) == ours


@given(st.lists(NUMBERS, max_size=30))
def test_ranges_in_numbers_are_ranges_of_them(numbers):
    assert ledger.ranges_in(numbers) == ranges_of(numbers)


def test_counts_agree_with_the_ranges():
    ours = stream((1, 3), (6, 6), (9, 12))
    assert ours.received == 8 == count(ours.ranges)
    assert ours.missing == missing(ours.ranges, 1, 12)
