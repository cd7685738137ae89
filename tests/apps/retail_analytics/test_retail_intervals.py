"""Intervals: aligned, once, partial when they are, and silent about few people."""

import itertools
import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics import ledger
from apps.retail_analytics.config import Privacy
from apps.retail_analytics.domain import Crossing, Decision, Visit, Wait
from apps.retail_analytics.heat import HeatMap
from apps.retail_analytics.intervals import CameraIntervals
from apps.retail_analytics.ledger import IntervalRefused
from apps.retail_analytics.marks import Marks
from apps.retail_analytics.suppression import (
    Held,
    known_sum,
    released,
)
from common.config import from_table
from common.errors import ConfigError

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
K3 = Privacy(interval_min=15, k=3, merge_up_to_min=60)


class Day:
    """Decisions of one camera, one per second, with the clock held."""

    def __init__(self, rules=K3, wall=NOON, closed_until=float("-inf")):
        self.intervals = CameraIntervals("cam", ("door",), ("shelf",), rules, closed_until)
        self.wall, self.monotonic, self.closed, self._track = wall, 0.0, [], 0

    def seconds(self, count, entering=0, *, usable=True, visits=()):
        for second in range(count):
            self.wall += 1.0
            self.monotonic += 1.0
            crossings = []
            if second < entering:
                self._track += 1
                crossings = [Crossing("door", "in", self._track, self.monotonic)]
            decision = Decision(
                "cam", self.monotonic, 1.0, usable, "" if usable else "dark: mean grey 2",
                tuple(crossings), tuple(visits) if second == 0 else (),
                present={"shelf": frozenset()},
            )  # fmt: skip
            self.closed += self.intervals.add(decision, self.wall)
        return self

    def told(self, direction="in"):
        return [interval["lines"][0][direction] for interval in self.closed]


def test_intervals_are_aligned_and_appear_once():
    day = Day().seconds(900 * 3 + 10, entering=900 * 3)
    assert [interval["interval_start"] - NOON for interval in day.closed] == [0, 900, 1800]
    assert all(
        interval["interval_end"] - interval["interval_start"] == 900 for interval in day.closed
    )
    assert sum(day.told()) == 899 + 900 + 900
    assert not any(interval["partial"] for interval in day.closed)


def test_nobody_is_zero_and_not_suppressed():
    day = Day().seconds(901)
    assert day.told() == [0]
    assert not day.closed[0]["lines"][0]["suppressed"]


def test_few_people_wait_for_the_next_interval():
    day = Day().seconds(900, entering=2).seconds(900, entering=2).seconds(10)
    assert day.told() == [None, 4]
    assert day.closed[1]["lines"][0]["in_since"] == NOON
    assert day.closed[0]["lines"][0]["suppressed"]


def test_few_people_within_the_hour_are_never_told():
    day = Day(Privacy(interval_min=15, k=10)).seconds(3600, entering=2)
    day.seconds(900, entering=20).seconds(10)
    assert day.told() == [None, None, None, None, 20]
    assert day.closed[4]["lines"][0]["in_since"] == NOON + 3600


def test_a_dark_camera_makes_the_interval_unusable_and_never_a_zero():
    day = Day().seconds(500, entering=50).seconds(400, usable=False).seconds(10)
    (interval,) = day.closed
    assert not interval["usable"]
    assert interval["lines"][0]["in"] is None
    assert interval["quality"]["reasons"] == {"dark": 399.0}
    assert interval["quality"]["blocked_pct"] == pytest.approx(44.4, abs=0.2)


def test_a_restart_inside_an_interval_is_partial_and_marked():
    day = Day(wall=NOON + 300).seconds(620, entering=40)
    (interval,) = day.closed
    assert interval["interval_start"] == NOON
    assert interval["partial"]
    assert "started" in interval["marks"]
    assert interval["usable"]
    assert interval["lines"][0]["in"] == 40


def test_a_restart_in_an_interval_that_is_out_goes_into_the_next():
    day = (
        Day(wall=NOON + 300, closed_until=NOON + 900)
        .seconds(620, entering=40)
        .seconds(900, entering=10)
    )
    (interval,) = day.closed
    assert interval["interval_start"] == NOON + 900
    assert "carried" in interval["marks"]
    assert interval["lines"][0]["in"] == 50


def test_a_clock_that_steps_back_over_a_border_counts_nothing_twice():
    day = Day().seconds(900, entering=100).seconds(60, entering=20)
    day.wall -= 600
    day.seconds(600, entering=30).seconds(860)
    starts = [interval["interval_start"] for interval in day.closed]
    assert starts == sorted(set(starts))
    assert sum(count for count in day.told() if count) == 150
    assert {"carried", "clock_stepped"} <= set(day.closed[1]["marks"])


def test_a_clock_that_steps_forward_leaves_intervals_out_and_says_so():
    day = Day().seconds(300, entering=30)
    day.wall += 3000
    day.seconds(900, entering=10)
    assert day.closed[0]["interval_start"] == NOON
    assert {"partial", "clock_stepped"} <= set(day.closed[0]["marks"])
    assert day.closed[0]["quality"]["uptime_pct"] < 40
    assert day.told()[0] == 30


@pytest.mark.parametrize("ahead_s", [3600.0, 365 * 86_400.0])
def test_after_a_clock_that_was_ahead_intervals_go_on_in_their_own_time(ahead_s):
    day = Day(wall=NOON + ahead_s).seconds(930, entering=40)
    day.wall -= ahead_s
    day.seconds(1800, entering=1800)
    ahead, first, second = day.closed
    assert ahead["interval_start"] == NOON + ahead_s
    assert [one["interval_start"] for one in (first, second)] == [NOON + 900, NOON + 1800]
    assert {"carried", "partial", "clock_stepped"} <= set(first["marks"])
    assert first["quality"]["uptime_pct"] == pytest.approx(96.7, abs=0.2)
    assert first["usable"]
    assert not second["partial"]


def test_what_a_clock_that_swings_brings_into_one_interval_is_not_told():
    day = Day(wall=NOON + 900)
    for _ in range(3):
        day.wall = NOON + 1000
        day.seconds(500, entering=40)
        day.wall = NOON + 300
        day.seconds(500, entering=40)
    day.wall = NOON + 1500
    (swung,) = day.seconds(1).intervals.finish()
    assert not swung["usable"]
    assert {"carried", "clock_stepped"} <= set(swung["marks"])
    assert swung["lines"][0]["in"] is None
    assert swung["quality"]["observed_s"] == 0.0
    assert swung["quality"]["reasons"] == {"clock": 3001.0}


def test_what_was_not_seen_before_an_interval_began_is_not_of_it():
    day = Day().seconds(300, entering=20)
    day.wall, day.monotonic = NOON + 2760.0, 2760.0
    gap = Decision("cam", day.monotonic, 2460.0, usable=False, reason="gap: no view")
    day.closed += day.intervals.add(gap, day.wall)
    day.seconds(840, entering=30)
    later = day.closed[1]
    assert later["usable"]
    assert later["quality"]["reasons"] == {"gap": 60.0}
    assert later["quality"]["blocked_pct"] == pytest.approx(6.7, abs=0.1)
    assert later["lines"][0]["in"] == 30


@pytest.mark.parametrize("gap_s", [2700.0, 7200.0])
def test_small_counts_wait_over_no_border_of_the_longest_window(gap_s):
    day = Day(wall=NOON + 1800).seconds(899, entering=2)
    day.wall, day.monotonic = day.wall + gap_s, day.monotonic + gap_s
    day.seconds(1800, entering=30)
    assert day.told()[0] is None
    (line,) = day.closed[1]["lines"]
    assert line["in"] == 30
    assert line["in_since"] == day.closed[1]["interval_start"]


def test_what_the_rest_of_an_intervals_time_brings_is_told_and_is_no_uptime():
    day = Day(wall=NOON + 60, closed_until=NOON + 900).seconds(839, entering=40).seconds(300)
    (interval,) = day.intervals.finish()
    assert interval["usable"]
    assert interval["lines"][0]["in"] == 40
    assert interval["quality"]["uptime_pct"] == pytest.approx(100 / 3, abs=0.3)


def test_an_interval_in_which_the_clock_was_set_is_partial():
    day = Day().seconds(300)
    day.wall += 30
    day.seconds(600)
    assert day.closed[0]["partial"]
    assert "clock_stepped" in day.closed[0]["marks"]


@pytest.mark.parametrize(
    ("width_min", "seen_s", "usable"),
    [(15, 2, False), (15, 80, False), (15, 95, True), (60, 300, False), (1, 16, True)],
)
def test_nobody_in_a_moment_is_no_zero(width_min, seen_s, usable):
    rules = Privacy(interval_min=width_min, k=3, merge_up_to_min=60)
    day = Day(rules, wall=NOON + 60 * width_min - seen_s).seconds(seen_s + 1)
    (interval,) = day.closed
    assert interval["partial"]
    assert interval["usable"] is usable
    assert day.told() == [0 if usable else None]


def test_an_interval_of_which_nothing_was_observed_is_never_usable():
    with pytest.raises(ConfigError, match="usable_share"):
        from_table(Privacy, {"usable_share": 0.0}, Path("app.toml"), "privacy")
    (interval,) = Day().seconds(1, usable=False).intervals.finish()
    assert not interval["usable"]


def test_stopping_closes_what_is_open_as_partial():
    day = Day().seconds(300, entering=30)
    (interval,) = day.intervals.finish()
    assert interval["partial"]
    assert day.intervals.finish() == []


def test_dwell_of_few_people_is_not_told():
    few = [Visit("shelf", track, 0.0, 10.0) for track in range(2)]
    many = [Visit("shelf", track, 0.0, 10.0 + track) for track in range(5)]
    day = Day().seconds(900, visits=few).seconds(900, visits=many).seconds(10)
    assert day.closed[0]["zones"][0]["dwell"] is None
    assert day.closed[1]["zones"][0]["dwell"] == {"n": 5, "mean": 12, "p50": 12, "p90": 14}


def test_one_person_many_times_is_still_one():
    again = [Visit("shelf", 1, 0.0, 10.0)] * 40
    day = Day().seconds(900, visits=again).seconds(10)
    assert day.closed[0]["zones"][0]["dwell"] is None
    held, release = released(Held(), (1, 40), (NOON, NOON + 900), 3, 3600.0)
    assert release.count is None
    assert held.events == 40


def test_a_queue_is_told_of_enough_people_and_checked_by_littles_law():
    rules = Privacy(interval_min=15, k=3)
    intervals, closed = CameraIntervals("cam", (), ("queue",), rules), []
    for second in range(1, 903):
        track = second // 30
        waits = (
            (Wait("queue", track, second - 60.0, float(second), True),)
            if second % 30 == 0
            else ()
        )
        decision = Decision(
            "cam", float(second), 1.0, True, waits=waits, joined={"queue": len(waits)},
            present={"queue": frozenset({1, 2})},
        )  # fmt: skip
        closed += intervals.add(decision, NOON + second)
    queue = closed[0]["zones"][0]["queue"]
    assert queue["wait"]["mean"] == 60
    assert queue["little_wait_s"] == pytest.approx(62, abs=3)  # 2 in line, one every 30 s
    assert queue["agrees"]


def stood(heat, tracks, spot, seconds=4.0, *, usable=True):
    for track in tracks:
        heat.add(Decision("cam", 1.0, seconds, usable, spots=((track, spot),)))


def test_the_heat_map_is_silent_about_few():
    heat = HeatMap(0.5)
    stood(heat, range(5), (0.2, 0.2))
    stood(heat, [1], (3.2, 0.2))
    stood(heat, [9], (0.2, 0.2), usable=False)
    stood(heat, range(5), (0.2, 1.3), seconds=2.0)
    assert heat.publish(k=5) == {(0, 0): 20, (0, 2): 10}


def test_one_person_whose_track_breaks_is_not_many_on_the_heat_map():
    """A cashier: ten tracks, one after the other, all in one place."""
    heat = HeatMap(0.5)
    for track in range(12):
        stood(heat, [track], (0.2 + 0.05 * (track % 3), 0.2), seconds=75.0)
    assert heat.publish(k=10) == {}


# ------------------------------------------------------------------- the attacks


def release_hour(counts, k):
    """What is published of four quarters of an hour with these counts."""
    held, told = Held(), []
    for quarter, count in enumerate(counts):
        window = (quarter * 900.0, (quarter + 1) * 900.0)
        held, release = released(held, (count, count), window, k, 3600.0)
        told.append((release.count, release.since))
    return tuple(told)


def test_differencing_published_windows_never_gives_a_small_count():
    """Whoever knows the rule, and sees all that is published, cannot tell any small count.

    Every possible hour is released; hours that look alike from outside are put together.
    For each quarter with 1 … k−1 people there must be another hour that looks the same and
    has another count there.
    """
    k, most = 4, 11  # counts up to `most` are tried, so sums below it are all there
    alike = defaultdict(list)
    for counts in itertools.product(range(most + 1), repeat=4):
        alike[release_hour(counts, k)].append(counts)
    for told, hours in alike.items():
        if any(count is not None and count > most for count, _ in told):
            continue
        for quarter in range(4):
            values = {hour[quarter] for hour in hours}
            small = {value for value in values if 0 < value < k}
            assert not small or len(values) > 1


def test_published_windows_never_overlap_and_none_is_small():
    k = 4
    for counts in itertools.product(range(k + 2), repeat=4):
        published = [
            (since, (quarter + 1) * 900.0, count)
            for quarter, (count, since) in enumerate(release_hour(counts, k))
            if count is not None
        ]
        assert all(count == 0 or count >= k for _, _, count in published)
        for (_, end, _), (since, _, _) in itertools.pairwise(published):
            assert since >= end


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(3, 12))
def test_nothing_is_told_twice(counts, k):
    held, told = Held(), []
    for index, count in enumerate(counts):
        held, release = released(
            held, (count, count), (index * 900.0, index * 900.0 + 900), k, 3600
        )
        told.append(release.count)
    total, hidden = known_sum(told)
    assert total <= sum(counts)
    assert sum(counts) - total < (k - 1) * (hidden + 1) or hidden


# ------------------------------------------------------------- the store's own door


@pytest.fixture
def kept():
    connection = sqlite3.connect(":memory:")
    ledger.create(connection)
    yield connection
    connection.close()


def interval(start=NOON, count=12, since=None, k=10, **more):
    line = {
        "line": "door",
        "in": count,
        "out": 0,
        "in_since": since or start,
        "out_since": start,
    }
    return {
        "camera": "cam", "interval_start": start, "interval_end": start + 900, "k": k,
        "lines": [line], "zones": [], "usable": True, **more,
    }  # fmt: skip


def test_a_published_interval_is_read_back(kept):
    ledger.put(kept, interval())
    assert ledger.read(kept, "cam", int(NOON), int(NOON) + 900) == [interval()]
    assert ledger.closed_until(kept, "cam", NOON) == NOON + 900


def test_what_a_clock_that_was_ahead_published_closes_nothing_before_it(kept):
    ledger.put(kept, interval())
    ledger.put(kept, interval(NOON + 365 * 86_400))
    assert ledger.closed_until(kept, "cam", NOON + 300) == NOON + 900


@pytest.mark.parametrize("count", [1, 9, -1])
def test_a_small_count_is_refused_by_the_table_itself(kept, count):
    with pytest.raises(IntervalRefused):
        ledger.put(kept, interval(count=count))
    row = ("cam", "door/in", NOON, NOON, NOON + 900, count, 10)
    with pytest.raises(sqlite3.IntegrityError):
        kept.execute("INSERT INTO retail_cells VALUES (?, ?, ?, ?, ?, ?, ?)", row)


@pytest.mark.parametrize(
    "record",
    [
        interval(start=NOON + 60),
        interval(k=1),
        interval(zones=[{"zone": "shelf", "dwell": {"n": 2}}]),
        interval(usable=False, zones=[{"zone": "shelf", "dwell": {"n": 20}}]),
    ],
)
def test_what_must_not_be_published_is_refused(kept, record):
    with pytest.raises(IntervalRefused):
        ledger.put(kept, record)


def test_an_interval_is_published_once_and_never_changed(kept):
    ledger.put(kept, interval())
    with pytest.raises(IntervalRefused, match="overlaps"):
        ledger.put(kept, interval(count=13))
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        kept.execute("UPDATE retail_cells SET count = 13")


def test_overlapping_windows_cannot_be_published(kept):
    ledger.put(kept, interval())
    hour = {**interval(), "interval_end": NOON + 3600}
    with pytest.raises(IntervalRefused, match="overlaps"):
        ledger.put(kept, hour)
    with pytest.raises(IntervalRefused, match="overlaps"):
        ledger.put(kept, interval(start=NOON + 900, since=NOON))  # merged over a told one


def test_a_window_that_would_cut_an_interval_cannot_be_asked_for(kept):
    ledger.put(kept, interval())
    for start, end in ((60, 900), (0, 600), (300, 400)):
        with pytest.raises(IntervalRefused, match="whole, aligned"):
            ledger.read(kept, "cam", int(NOON) + start, int(NOON) + end)


def test_old_intervals_are_erased(kept):
    ledger.put(kept, interval())
    ledger.put(kept, interval(start=NOON + 900))
    assert ledger.erase(kept, NOON + 900) == 1
    assert len(ledger.read(kept, "cam", int(NOON), int(NOON) + 1800)) == 1


def test_a_whole_day_of_intervals_passes_the_door(kept):
    day = Day(Privacy(interval_min=15, k=5))
    for quarter in range(24):
        day.seconds(900, entering=(quarter * 7) % 13)
    for closed in day.closed:
        ledger.put(kept, closed)
    assert len(ledger.read(kept, "cam", int(NOON), int(NOON) + 86400)) == len(day.closed)


def walking(track, cells, monotonic):
    return Decision(
        "cam", monotonic, 1.0, usable=True, spots=tuple((track, (x, 0.25)) for x in cells)
    )


def test_of_who_is_gone_the_heat_map_keeps_sums_alone():
    kept, whole = HeatMap(0.5), HeatMap(0.5)
    for track in range(6):
        for x in (0.25, 0.75, 1.25, 1.75):
            kept.add(walking(track, (x,), track + x))
            whole.add(walking(track, (x,), track + x))
        kept.forget(frozenset({track}))
    assert kept.people == whole.people
    assert kept.publish(3) == whole.publish(3) != {}
    assert not kept.first
    assert not kept.walked
    assert not any(kept.seconds.values())


def test_marks_tell_people_apart_and_forget_who_they_were():
    marks = Marks()
    first = marks.marked(walking(77, (1.0,), 0.0)).spots[0][0]
    assert marks.marked(walking(77, (1.0,), 30.0)).spots[0][0] == first
    assert marks.marked(walking(78, (1.0,), 31.0)).spots[0][0] != first
    assert marks.over(80.0) == frozenset()
    assert marks.over(91.0) == {first}
    assert marks.marked(walking(77, (1.0,), 92.0)).spots[0][0] != first
