"""What is known of one numbered stream of events: received, told as dropped, missing.

Pure: the archive reads a stream, lets it take in what has come, and writes it back, in the
transaction that keeps the events themselves. So the ledger never says more than the table.
"""

import json
from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields, replace

from common.canonical import canonical_json
from common.telemetry.collector.rows import Began, Key, Seen
from common.telemetry.ranges import Range, count, merged, missing, ranges_of

MOST_SEQUENCE = 2**63 - 1
MOST_RANGES = 2000
"""Beyond, the older half is folded into a number: a ledger must not grow for ever."""
MOST_WINDOWS = 500
LONGEST_WAIT_S = 3600.0
IMPATIENCE = 10
"""After so many patiences a gap is asked for even while it changes."""


@dataclass(frozen=True, slots=True)
class Told:
    """So many events of a window were dropped, the station says."""

    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Stream:
    """One epoch of one source."""

    source: str
    epoch: str
    ranges: tuple[Range, ...] = ()
    """Received; what lies in `folded` counts as received here."""
    begins: int | None = None
    """The epoch's first sequence, once its first event has told; None before."""
    ends: int | None = None
    """Its last, once the epoch that replaced it has told where it goes on; None before."""
    folded: Range | None = None
    """In it only numbers are known, not which; None while all is known one by one."""
    folded_missing: int = 0
    told: tuple[Told, ...] = ()
    """Windows with losses; those that overlap are one."""
    gone: tuple[Range, ...] = ()
    """The station has been asked and no longer has them."""
    waiting_since: float | None = None
    """UTC, s: when the oldest of what we would ask for went missing; None without any."""
    asks: int = 0
    ask_at: float | None = None
    """UTC, s: when to ask for what is missing; None where there is nothing to ask for."""
    replaces: str = ""
    """The epoch before it, where its first event named one."""
    lost_unknown: bool = False
    """Whether the station may have lost events then that have no number here."""
    opened: str = ""
    """When the first event of it came."""
    seen: Seen | None = None

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.source, self.epoch

    @property
    def first(self) -> int | None:
        """The lowest sequence known of; None while there is none."""
        known = [first for first, _ in self.ranges[:1]] + [one.first for one in self.told[:1]]
        return min([*known, *([self.begins] if self.begins else [])], default=None)

    @property
    def last(self) -> int | None:
        """The highest sequence known of."""
        known = [last for _, last in self.ranges[-1:]] + [one.last for one in self.told[-1:]]
        return max([*known, *([self.ends] if known and self.ends else [])], default=None)

    @property
    def received(self) -> int:
        """How many events have been kept."""
        return count(self.ranges) - self.folded_missing

    @property
    def told_dropped(self) -> int:
        """How many the station told as dropped."""
        return sum(one.count for one in self.told)

    @property
    def missing(self) -> list[Range]:
        """What has not come, as far as it is known one by one."""
        if self.first is None or self.last is None:
            return []
        return missing(self.ranges, self.first, self.last)

    @property
    def missing_count(self) -> int:
        """How many have not come."""
        return count(self.missing) + self.folded_missing

    @property
    def unexplained(self) -> int:
        """How many are missing that no telling accounts for."""
        excused = sum(min(one.count, lost) for one, lost in self._windows())
        return self.missing_count - excused

    def knows(self, sequence: int) -> bool | None:
        """Whether the event is kept; None where only the table can tell."""
        if self.is_folded(sequence):
            return None
        index = self.at(sequence)
        return index >= 0 and sequence <= self.ranges[index][1]

    def is_folded(self, sequence: int) -> bool:
        """Whether it lies where only numbers are known."""
        return self.folded is not None and self.folded[0] <= sequence <= self.folded[1]

    def at(self, sequence: int) -> int:
        """Where the last range is that begins at or before `sequence`; -1 without any."""
        return bisect_right(self.ranges, (sequence, MOST_SEQUENCE)) - 1

    def wanted(self) -> list[Range]:
        """What to ask the station for: missing, not gone, not told as dropped."""
        excused = [(one.first, one.last) for one, lost in self._windows() if lost <= one.count]
        known = merged([*self.ranges, *self.gone, *excused])
        if self.first is None or self.last is None:
            return []
        return missing(known, self.first, self.last)

    def _windows(self) -> list[tuple[Told, int]]:
        """Each window with losses, with how many events of it are missing."""
        windows = list(self.told)
        if self.folded is not None:
            windows.append(Told(*self.folded, 0))
        found = []
        for one in _joined(windows):
            nearby = self.ranges[max(0, self.at(one.first)) :]
            lost = count(missing(nearby, one.first, one.last))
            if self.folded is not None and one.first <= self.folded[1] <= one.last:
                lost += self.folded_missing
            found.append((one, lost))
        return found


def _joined(windows: Iterable[Told]) -> list[Told]:
    joined: list[Told] = []
    for one in sorted(windows, key=lambda one: (one.first, one.last)):
        if joined and one.first <= joined[-1].last:
            before = joined.pop()
            last = max(before.last, one.last)
            joined.append(Told(before.first, last, before.count + one.count))
        else:
            joined.append(one)
    return joined


def ranges_in(numbers: Collection[int]) -> list[Range]:
    """As `ranges_of`, at once where they are one range without gaps, as they mostly are."""
    distinct = set(numbers)
    if not distinct:
        return []
    low, high = min(distinct), max(distinct)
    return [(low, high)] if high - low + 1 == len(distinct) else ranges_of(distinct)


def with_received(stream: Stream, sequences: Collection[int]) -> Stream:
    """These are kept now; none of them was before."""
    found = sum(stream.is_folded(sequence) for sequence in sequences)
    ranges = tuple(merged([*stream.ranges, *ranges_in(sequences)]))
    return _folded(replace(stream, ranges=ranges, folded_missing=stream.folded_missing - found))


def _folded(stream: Stream) -> Stream:
    if len(stream.ranges) <= MOST_RANGES:
        return stream
    cut = len(stream.ranges) - MOST_RANGES // 2
    if stream.folded is not None:  # what was folded stays so, also where older ones came
        cut = max(cut, stream.at(stream.folded[1]) + 1)
    old, kept = stream.ranges[:cut], stream.ranges[cut:]
    first, last = old[0][0], old[-1][1]
    lost = (last - first + 1) - count(old)
    return replace(
        stream,
        ranges=((first, last), *kept),
        folded=(first, last),
        folded_missing=stream.folded_missing + lost,
    )


def with_start(stream: Stream, began: Began) -> Stream:
    """The epoch's first event has told where it begins, and what was before."""
    return replace(
        stream,
        begins=began.first,
        replaces=began.replaces,
        lost_unknown=began.lost_unknown,
    )


def with_end(stream: Stream, began: Began) -> Stream:
    """An epoch that replaces this one goes on after the last number this one gave out."""
    return replace(stream, ends=began.first - 1)


def with_told(stream: Stream, window: Range, number: int) -> Stream:
    """The station told that it dropped `number` events of a window."""
    told = _joined([*stream.told, Told(*window, number)])
    while len(told) > MOST_WINDOWS:  # the two oldest as one: less is known, nothing forgotten
        one, two, *others = told
        told = [Told(one.first, two.last, one.count + two.count), *others]
    return replace(stream, told=tuple(told))


def with_gone(stream: Stream, ranges: Iterable[Range]) -> Stream:
    """The station no longer has these."""
    if stream.first is None or stream.last is None:
        return stream
    low, high = stream.first, stream.last
    inside = [(max(a, low), min(b, high)) for a, b in ranges if a <= high and b >= low]
    gone = merged([*stream.gone, *inside])
    while len(gone) > MOST_RANGES:
        gone = merged([(gone[0][0], gone[1][1]), *gone[2:]])
    return replace(stream, gone=tuple(gone))


def scheduled(before: Stream, after: Stream, now: float, patience_s: float) -> Stream:
    """When to ask for what is missing, after a change.

    A gap that changes is left alone: live events overtake the backlog, and it may be
    filling. Yet one that keeps changing is asked for some time, too.
    """
    wanted = after.wanted()
    if not wanted:
        return replace(after, waiting_since=None, asks=0, ask_at=None)
    if after.ask_at is not None and wanted == before.wanted():
        return after
    since = now if after.waiting_since is None or after.asks else after.waiting_since
    at = min(now + patience_s, max(now, since + IMPATIENCE * patience_s))
    return replace(after, waiting_since=since, asks=0, ask_at=at)


def asked(stream: Stream, now: float, patience_s: float) -> Stream:
    """The station has been asked: wait longer each time before the next."""
    wait = min(LONGEST_WAIT_S, patience_s * 2.0 ** min(stream.asks + 1, 20))
    return replace(stream, asks=stream.asks + 1, waiting_since=now, ask_at=now + wait)


def dump(stream: Stream) -> str:
    """The stream as JSON, for the archive."""
    values = {field.name: getattr(stream, field.name) for field in fields(stream)}
    values["told"] = [asdict(one) for one in stream.told]
    values["seen"] = asdict(stream.seen) if stream.seen else None
    return canonical_json(values)


def parse(text: str) -> Stream:
    """The stream in what `dump` gave."""
    values = json.loads(text)
    seen = values.pop("seen")
    for name in ("ranges", "gone"):
        values[name] = tuple((first, last) for first, last in values[name])
    values["told"] = tuple(Told(**one) for one in values["told"])
    values["folded"] = tuple(values["folded"]) if values["folded"] else None
    return Stream(**values, seen=Seen(**seen) if seen else None)
