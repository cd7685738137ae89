"""What happened at a station from one hour to another: read once, for paper and for files.

Read from the station's file through one short reading per stretch of time, so that a busy
shift neither fills the memory nor holds up the station's log.
"""

import math
import sqlite3
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from common import exports
from common.alarms import history, kpi
from common.alarms.kpi import Kpis
from common.audit import AuditRow
from common.errors import LinesideError
from common.records import Record
from common.screen.app_screen import AppScreen, Point, Tally, Trend
from common.storage.file import StoreError
from common.storage.queries import audit_tail, between, count_kinds, open_readonly

STRETCH_S = 600.0
MOST_ACTS = 2000
MOST_FREQUENT = 10
SHIFTS = (6, 14, 22)
"""Hours of the day, local time, at which shifts begin."""


class ReportFailed(LinesideError):
    """The station's file cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when: UTC, seconds since 1970."""

    start: float
    end: float

    def has(self, wall: float) -> bool:
        """Whether a time is in it."""
        return self.start <= wall < self.end


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, before it is drawn."""

    station: str
    span: Span
    counts: dict[str, int]
    """Records by kind."""
    tally: Tally
    """What the app counted in its records."""
    courses: dict[str, list[Point]]
    """The points of each of the app's trends, by its id."""
    alarms: tuple[Record, ...]
    kpis: tuple[Kpis, ...]
    """Of each operator position."""
    acts: tuple[AuditRow, ...]
    """What people did."""


def shift_of(now: datetime, back: int = 0) -> Span:
    """The shift that `now` (with its zone) falls into, or one that is `back` before it."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (midnight + timedelta(days=n) for n in range(-2 - back, 2))
    # Through the wall clock of the place: a shift over a change to summer time is shorter.
    begins = [day.replace(tzinfo=None) + timedelta(hours=h) for day in days for h in SHIFTS]
    times = [begin.astimezone().timestamp() for begin in begins]
    at = max(n for n, time in enumerate(times) if time <= now.timestamp())
    return Span(times[at - back], min(times[at - back + 1], now.timestamp()))


def read_report(path: Path, span: Span, screen: AppScreen) -> Report:
    """The report of the station whose file is at `path`; raises ReportFailed."""
    with _reading(path) as connection:
        tally, courses = screen.tally(), [Course(trend) for trend in screen.trends]
        for record in stretches(connection, screen.kind, span):
            tally.add(record)
            for course in courses:
                course.add(record)
        alarms = alarms_before(connection, span)
        entries = [history.entry(record) for record in alarms]
        acts = audit_tail(connection, MOST_ACTS)
        return Report(
            path.parent.name, span, count_kinds(connection, span.start, span.end),
            tally, {course.trend.id: course.points for course in courses},
            tuple(record for record in alarms if span.has(record.wall_time)),
            tuple(kpi.by_role(entries, span.start, span.end).values()),
            tuple(row for row in acts if span.has(row.wall_time)),
        )  # fmt: skip


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(open_readonly(path)) as connection:
            yield connection
    except (StoreError, sqlite3.Error, ValueError, KeyError) as error:
        raise ReportFailed(f"{path.parent.name}: cannot be read ({error})") from error


def rows_of(path: Path, kind: str, span: Span) -> Iterator[dict[str, Any]]:
    """Records of a kind as flat rows; raises ReportFailed."""
    with _reading(path) as connection:
        for record in stretches(connection, kind, span):
            yield exports.record_row(path.parent.name, record)


def alarms_before(connection: sqlite3.Connection, span: Span) -> tuple[Record, ...]:
    """The alarm changes of a time and of the day before it: what stood already counts."""
    return tuple(stretches(connection, "alarm", Span(span.start - history.DAY_S, span.end)))


def stretches(connection: sqlite3.Connection, kind: str, span: Span) -> Iterator[Record]:
    """Records of a kind, oldest first, read piece by piece."""
    start = span.start
    while kind and start < span.end:
        end = min(start + STRETCH_S, span.end)
        yield from between(connection, kind, start, end)
        start = end


class Course:
    """The points of a trend; of `window` records their mean."""

    def __init__(self, trend: Trend) -> None:
        self.trend, self.points = trend, list[Point]()
        self._last: deque[float] = deque(maxlen=trend.window)

    def add(self, record: Record) -> None:
        """Go on with one more record."""
        value = self.trend.value(record)
        if value is None or not math.isfinite(value):
            return
        self._last.append(value)
        if len(self._last) == self.trend.window:
            self.points.append((record.wall_time, sum(self._last) / self.trend.window))


def most_frequent(alarms: Sequence[Record]) -> list[tuple[Record, int]]:
    """The alarms that came most often, each by its last change, and how often."""
    last = {record.subject: record for record in alarms}
    came = Counter(e.alarm_id for e in map(history.entry, alarms) if e.annunciated)
    return [(last[alarm_id], many) for alarm_id, many in came.most_common(MOST_FREQUENT)]
