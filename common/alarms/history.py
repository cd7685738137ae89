"""The history of alarms, and the figures that can be read off it; pure functions.

Changes are given in rising order of time (UTC s). An alarm counts each time that it begins
to ask for attention.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from common.alarms import flood
from common.alarms.engine import ABNORMAL, State
from common.records import Record

DAY_S = 86_400.0
FLEETING_S = 10.0
"""Come and gone again sooner than anybody could have acted."""
GONE = (State.NORM, State.RTNUN, State.LATCHED_UNACK)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of an alarm in the history."""

    time: float
    """Wall time, UTC s."""
    alarm_id: str
    was: str
    state: str
    priority: int
    role: str = "operator"
    action: str = "process"
    active_since: float | None = None

    @property
    def annunciated(self) -> bool:
        """Whether the alarm began to ask for attention."""
        return self.state == State.UNACK and self.was != State.UNACK


def entry(record: Record) -> Entry:
    """The entry of a record of kind "alarm"."""
    body = record.body
    return Entry(
        record.wall_time, record.subject, body["was"], body["state"], body["priority"],
        body["role"], body.get("action", "process"), body["active_since"],
    )  # fmt: skip


def busy(came: Sequence[Entry], start: float, end: float, period_s: float, most: int) -> float:
    """The share of periods, counted from the start, with more than `most` alarms."""
    periods = Counter(int((e.time - start) // period_s) for e in came)
    return sum(n > most for n in periods.values()) / math.ceil((end - start) / period_s)


def peak(came: Sequence[Entry]) -> int:
    """The most alarms in any ten minutes."""
    return flood.most_in([e.time for e in came], flood.WINDOW_S)


def flooded(past: Sequence[Entry], start: float, end: float) -> float:
    """The share of the time that was a flood."""
    spans = flood.spans([e.time for e in past if e.annunciated])
    return sum(max(min(b, end) - max(a, start), 0.0) for a, b in spans) / (end - start)


def by_alarm(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """The changes of each alarm."""
    alarms: dict[str, list[Entry]] = defaultdict(list)
    for one in entries:
        alarms[one.alarm_id].append(one)
    return alarms


def chattering(came: Iterable[Entry]) -> int:
    """Alarms that chattered, at least once."""
    alarms = by_alarm(came).values()
    return sum(flood.chatters([e.time for e in entries]) for entries in alarms)


def fleeting(alarms: dict[str, list[Entry]], start: float) -> int:
    """Alarms that came and went by themselves within FLEETING_S, at least once."""
    return sum(
        any(
            one.annunciated
            and one.time >= start
            and after.state in GONE
            and after.time - one.time <= FLEETING_S
            for one, after in pairwise(entries)
        )
        for entries in alarms.values()
    )


def stale(alarms: dict[str, list[Entry]], start: float, end: float) -> int:
    """The most alarms on any day that had stood in the list for more than 24 h."""
    days: Counter[int] = Counter()
    for entries in alarms.values():
        stood = [(begin + flood.STALE_S, over) for begin, over in _stood(entries, start, end)]
        days.update({day for begin, over in stood for day in _days(begin, over, start)})
    return max(days.values(), default=0)


def _stood(entries: Sequence[Entry], start: float, end: float) -> list[tuple[float, float]]:
    """From when to when an alarm stood in the list as abnormal."""
    first, found = entries[0], []
    begin = None
    if first.was in ABNORMAL:
        begin = start if first.active_since is None else first.active_since
    for one in entries:
        if one.state in ABNORMAL:
            begin = one.time if begin is None else begin
        elif begin is not None:
            found.append((begin, one.time))
            begin = None
    return found if begin is None else [*found, (begin, end)]


def _days(begin: float, over: float, start: float) -> range:
    """The days from the start that begin … over touches."""
    if over <= max(begin, start):
        return range(0)
    return range(int(max(begin - start, 0) // DAY_S), math.ceil((over - start) / DAY_S))
