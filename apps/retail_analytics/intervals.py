"""From decisions to aligned intervals: what is published, and what is never known outside.

An interval is 1, 5, 15 or 60 minutes of wall time, aligned to UTC, and appears once. What
cannot go into its own interval any more (the clock stepped back over a border, or the
station was restarted after the interval was closed) goes into the next one that is open,
which says so: nothing is counted twice. A clock that steps back further had been ahead:
counting goes on in its time, and what is in the ledger already is refused there. An interval
that has not begun is never published: ended before its time, it is given up, and the seconds
that it had are counted. Time is measured monotonically; the wall clock only names the
interval. Raw counts live here, in memory, until the border; what comes out went through
suppression.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from apps.retail_analytics.config import Privacy
from apps.retail_analytics.domain import IN, OUT, Decision
from apps.retail_analytics.queueing import little_wait_s
from apps.retail_analytics.suppression import Held, Release, released, spoiled
from apps.retail_analytics.telling import about, percent, rounded, spread

SCHEMA = "lineside.retail.interval/1"
STEP_S = 1.5  # how far the wall clock may move against the monotonic one unremarked
MOST_WIDTHS = 2.0  # more time than this in one interval has no place on the clock: it was wrong
CLOCK = "clock"
LEAST_S, LEAST_SHARE = 60.0, 0.1  # to be observed of a partial interval, and of its width
LEAST_WIDTHS = 0.25  # but never more of it than this


@dataclass
class _Open:
    """The interval that is being counted."""

    start: float
    crossings: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    events: dict[tuple[str, str], int] = field(default_factory=dict)
    dwell: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    waits: dict[str, list[tuple[int, float, bool]]] = field(default_factory=dict)
    joined: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    """Per zone: s, person-seconds, and most people at a time."""
    observed_s: float = 0.0
    blind_s: float = 0.0
    dropped_s: float = 0.0
    """Seen of it before its time, by an earlier set-up, and given up with that."""
    carried_s: float = 0.0
    """Of what is in it, observed or not: of another time, for which no interval was open."""
    lost_views: int = 0
    marks: set[str] = field(default_factory=set)
    reasons: dict[str, float] = field(default_factory=dict)


class CameraIntervals:
    """One camera's intervals; `add` gives those that closed."""

    def __init__(
        self,
        camera: str,
        lines: tuple[str, ...],
        zones: tuple[str, ...],
        rules: Privacy,
        closed_until: float = -math.inf,
        dropped_s: float = 0.0,
    ) -> None:
        """`closed_until`: end of the last interval that the store has (UTC, s).

        `dropped_s`: what an earlier set-up gave up of the next one.
        """
        self._camera, self._lines, self._zones, self._rules = camera, lines, zones, rules
        self._width = rules.interval_min * 60.0
        self.closed_until, self.dropped_s = closed_until, dropped_s
        """For whoever goes on after `finish`."""
        self._open: _Open | None = None
        self._last: tuple[float, float] | None = None
        self._held: dict[tuple[str, str], Held] = {}

    def add(self, decision: Decision, wall: float) -> list[dict[str, Any]]:
        """Take one decision that was made at wall time `wall` (UTC, s)."""
        start = math.floor(wall / self._width) * self._width
        stepped = self._stepped(decision.monotonic, wall)
        self._last = (decision.monotonic, wall)
        closed = []
        if self._open is None:
            self._open = self._first(start, wall)
        elif start > self._open.start:
            full = not stepped and start == self._open.start + self._width
            if not full:
                self._open.marks |= {"partial", *({"clock_stepped"} if stepped else ())}
            closed.append(self._close())
            self._open = self._begin(start, wall, "clock_stepped" if stepped else "")
        elif self._open.start - start >= MOST_WIDTHS * self._width:
            self._open.carried_s = self._open.observed_s + self._open.blind_s
            self._open.start = self.closed_until = start
            self._open.marks.add("carried")
        if stepped:
            self._open.marks |= {"partial", "clock_stepped"}
        if start < self._open.start:
            self._open.marks.add("carried")
            self._open.carried_s += decision.seconds
        elif not decision.usable:  # what was not seen before it began is not of it
            decision = replace(decision, seconds=min(decision.seconds, wall - start))
        self._take(self._open, decision)
        return closed

    def finish(self) -> list[dict[str, Any]]:
        """Close what is open, as partial, or give it up if it has not begun yet."""
        now = self._open
        if now is None:
            return []
        if self._last is not None and now.start > self._last[1]:
            self._open, self.closed_until = None, now.start
            self.dropped_s = now.dropped_s + now.observed_s + now.blind_s
            return []
        now.marks.add("partial")
        return [self._close()]

    @property
    def progress(self) -> tuple[float, float, float] | None:
        """Start (UTC, s) of the open interval, s of it observed and not; None: none is."""
        now = self._open
        return None if now is None else (now.start, now.observed_s, now.blind_s)

    def _first(self, start: float, wall: float) -> _Open:
        opened = self._begin(max(start, self.closed_until), wall, "started")
        opened.dropped_s, self.dropped_s = self.dropped_s, 0.0
        if opened.dropped_s:
            opened.marks |= {"partial", "setup_changed"}
        return opened

    def _begin(self, start: float, wall: float, why: str) -> _Open:
        opened = _Open(start)
        if why and wall - start > STEP_S:
            opened.marks |= {"partial", why}
        return opened

    def _stepped(self, monotonic: float, wall: float) -> bool:
        if self._last is None:
            return False
        return abs((wall - self._last[1]) - (monotonic - self._last[0])) > STEP_S

    def _take(self, now: _Open, decision: Decision) -> None:
        if not decision.usable:
            now.blind_s += decision.seconds
            now.lost_views += 1
            reason = decision.reason.split(":")[0]
            now.reasons[reason] = now.reasons.get(reason, 0.0) + decision.seconds
            return
        now.observed_s += decision.seconds
        for crossing in decision.crossings:
            cell = (crossing.line, crossing.direction)
            now.crossings.setdefault(cell, set()).add(crossing.track)
            now.events[cell] = now.events.get(cell, 0) + 1
        for visit in decision.visits:
            now.dwell.setdefault(visit.zone, []).append((visit.track, visit.dwell_s))
        for wait in decision.waits:
            entry = (wait.track, wait.wait_s, wait.served)
            now.waits.setdefault(wait.zone, []).append(entry)
        for zone, count in (decision.joined or {}).items():
            now.joined[zone] = now.joined.get(zone, 0) + count
        for zone, present in (decision.present or {}).items():
            seconds, sums, most = now.lengths.get(zone, (0.0, 0.0, 0))
            people, step = len(present), decision.seconds
            now.lengths[zone] = (seconds + step, sums + step * people, max(most, people))

    def _close(self) -> dict[str, Any]:
        now = self._open
        assert now is not None  # noqa: S101 - only called with one open
        self._open, end = None, now.start + self._width
        _distrust(now, self._width)
        total, usable = now.observed_s + now.blind_s, self._usable(now)
        own_s, self.closed_until = max(0.0, total - now.carried_s), end
        return {
            "schema": SCHEMA,
            "camera": self._camera,
            "interval_start": now.start,
            "interval_end": end,
            "k": self._rules.k,
            "lines": [self._line(now, line, end, usable) for line in self._lines],
            "zones": [self._zone(now, zone, usable) for zone in self._zones],
            "usable": usable,
            "partial": "partial" in now.marks,
            "marks": sorted(now.marks),
            "quality": {
                "observed_s": round(now.observed_s, 1),
                "uptime_pct": round(100 * min(1.0, own_s / self._width), 1),
                "blocked_pct": round(100 * now.blind_s / total, 1) if total else 100.0,
                "dropped_s": round(now.dropped_s, 1),
                "views_unusable": now.lost_views,
                "reasons": {why: round(s, 1) for why, s in sorted(now.reasons.items())},
            },
        }

    def _usable(self, now: _Open) -> bool:
        """Whether enough was observed: of all of it, or, where partial, of what there was.

        Of too small a part nothing is told: its nobody would be the nobody of a moment.
        """
        share = self._rules.usable_share
        if "partial" not in now.marks:
            return now.observed_s >= share * self._width
        least = min(max(LEAST_S, LEAST_SHARE * self._width), LEAST_WIDTHS * self._width)
        return now.observed_s >= max(least, share * (now.observed_s + now.blind_s))

    def _line(self, now: _Open, line: str, end: float, usable: bool) -> dict[str, Any]:
        row: dict[str, Any] = {"line": line}
        for direction in (IN, OUT):
            release = self._released(now, (line, direction), end, usable)
            row[direction] = release.count
            row[f"{direction}_since"] = release.since
        row["suppressed"] = None in (row[IN], row[OUT])
        return row

    def _released(self, now: _Open, cell: tuple[str, str], end: float, usable: bool) -> Release:
        """What may be told of one line and direction."""
        longest = self._rules.merge_up_to_min * 60.0
        held = self._held.get(cell, Held())
        if not usable:
            self._held[cell] = spoiled(held, end, longest)
            return Release(None, now.start)
        counted = len(now.crossings.get(cell, ())), now.events.get(cell, 0)
        self._held[cell], release = released(
            held, counted, (now.start, end), self._rules.k, longest
        )
        return release

    def _zone(self, now: _Open, zone: str, usable: bool) -> dict[str, Any]:
        row: dict[str, Any] = {"zone": zone, "suppressed": True}
        visits = now.dwell.get(zone, []) if usable else []
        waits = now.waits.get(zone, []) if usable else []
        row["dwell"] = spread([s for _, s in visits], {i for i, _ in visits}, self._rules.k)
        row["occupancy"] = self._lengths(now, zone, {i for i, _ in visits}) if usable else None
        if zone in now.joined or waits:
            row["queue"] = self._queue(now, zone, waits, usable)
        row["suppressed"] = row["dwell"] is None
        return row

    def _lengths(self, now: _Open, zone: str, people: set[int]) -> dict[str, int] | None:
        """Mean and most people at a time, rounded; nothing where few were there."""
        seconds, sums, most = now.lengths.get(zone, (0.0, 0.0, 0))
        if len(people) < self._rules.k or not seconds:
            return None
        return {"mean": rounded(sums / seconds), "max": rounded(most)}

    def _queue(
        self, now: _Open, zone: str, waits: list[tuple[int, float, bool]], usable: bool
    ) -> dict[str, Any] | None:
        people = {track for track, _, done in waits if done}
        served = [s for _, s, done in waits if done]
        gone = len(waits) - len(served)
        if not usable or len(people) < self._rules.k:
            return None
        seconds, sums, _ = now.lengths.get(zone, (0.0, 0.0, 0))
        mean = sums / seconds if seconds else 0.0
        little = little_wait_s(mean, now.joined.get(zone, 0), now.observed_s)
        measured = sum(s for _, s, _ in waits) / len(waits)
        return {
            "served": about(len(people), self._rules.k),
            "abandoned_pct": percent(gone, len(waits), self._rules.k),
            "wait": spread(served, people, self._rules.k),
            "little_wait_s": None if little is None else round(little),
            "agrees": little is not None
            and abs(little - measured) <= 0.5 * max(measured, 10.0),
        }


def _distrust(now: _Open, width: float) -> None:
    """What is in it fills more time than a right clock could bring: nothing of it is told."""
    if now.observed_s + now.blind_s <= MOST_WIDTHS * width:
        return
    now.marks.add("partial")
    now.reasons[CLOCK] = now.reasons.get(CLOCK, 0.0) + now.observed_s
    now.observed_s, now.blind_s = 0.0, now.blind_s + now.observed_s
