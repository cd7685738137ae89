"""Days and weeks of published counts: today beside its forecast, and hours beside hours.

A forecast is the mean of the same weekday and time in past weeks, no more; where no past week
knows there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from apps.retail_analytics.screen_ledger import (
    Doors,
    Slot,
    pieces_of,
    read_intervals,
    slots_of,
)
from common.screen.document import Document

WEEKS = 8
"""Past weeks that a forecast is the mean of."""


def midnight(now: float, days_before: int = 0) -> float:
    """When the local day of `now` began, or one before it (UTC, s)."""
    day = datetime.fromtimestamp(now) - timedelta(days=days_before)
    return day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def spans_of(start: float, end: float, width: float) -> list[tuple[float, float]]:
    """The stretches of `width` s between two times."""
    many = max(0, round((end - start) / width))
    return [(start + n * width, start + (n + 1) * width) for n in range(many)]


def hours_of(start: float) -> list[tuple[float, float]]:
    """The 24 hours of a local day by their names; of one that there is twice, both."""
    day = datetime.fromtimestamp(start)
    hours = [day.replace(hour=hour).timestamp() for hour in range(24)]
    return list(pairwise([*hours, midnight(start, -1)]))


def weeks_before(starts: Sequence[float], weeks: int) -> list[float]:
    """The same local weekdays and times, so many weeks before; a change of clocks in between
    moves none of them.
    """
    step = timedelta(weeks=weeks)
    return [(datetime.fromtimestamp(s) - step).timestamp() for s in starts]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Who was to be expected: the mean of the same weekday and time in past weeks."""

    values: tuple[float | None, ...] = ()
    """By slot; None where no past week knows."""
    weeks: int = 0
    """Weeks that it is made of; 0: there is no history yet."""


def forecast_of(weeks: Sequence[Sequence[Slot]]) -> Forecast:
    """The forecast from the same slots of past weeks."""
    known = [[slot.estimate for slot in week] for week in weeks]
    used = [week for week in known if any(value is not None for value in week)]
    values = [[v for v in column if v is not None] for column in zip(*used, strict=True)]
    return Forecast(tuple(sum(v) / len(v) if v else None for v in values), len(used))


@dataclass(frozen=True, slots=True)
class Day:
    """A day's slots and its forecast."""

    slots: tuple[Slot, ...] = ()
    forecast: Forecast = Forecast()
    records: tuple[Document, ...] = ()
    """The published intervals themselves."""

    @property
    def entered(self) -> float:
        """Everybody that was told."""
        return sum(slot.value for slot in self.slots)

    @property
    def hidden(self) -> int:
        """Suppressed cells."""
        return round(sum(slot.hidden for slot in self.slots))

    @property
    def compared(self) -> tuple[float, float] | None:
        """Who came and who was expected, over the slots of which both are known."""
        pairs = [
            (came, expected)
            for slot, expected in zip(self.slots, self.forecast.values, strict=False)
            if (came := slot.estimate) is not None and expected is not None
        ]
        return (sum(a for a, _ in pairs), sum(b for _, b in pairs)) if pairs else None


def read_today(path: Path, doors: Doors, now: float, width: float) -> Day:
    """Today at the doors, without a forecast; raises StationUnreadable."""
    start, end = midnight(now), midnight(now, -1)
    records = read_intervals(path, [(start, end)])
    slots = slots_of(pieces_of(records, doors), spans_of(start, end, width))
    return Day(tuple(slots), records=records)


def read_forecast(path: Path, doors: Doors, now: float, width: float) -> Forecast:
    """What past weeks let expect of today's slots; raises StationUnreadable."""
    starts = [start for start, _ in spans_of(midnight(now), midnight(now, -1), width)]
    weeks = [
        [(start, start + width) for start in weeks_before(starts, week)]
        for week in range(1, WEEKS + 1)
    ]
    spans = [(week[0][0], week[-1][1]) for week in weeks]
    pieces = pieces_of(read_intervals(path, spans, cameras_of(doors)), doors)
    return forecast_of([slots_of(pieces, week) for week in weeks])


def cameras_of(doors: Doors) -> frozenset[str]:
    """The cameras that have doors."""
    return frozenset(camera for camera, _ in doors)


@dataclass(frozen=True, slots=True)
class Row:
    """One day's hours, and their sum."""

    start: float
    hours: tuple[Slot, ...]
    total: Slot


def read_days(
    path: Path, doors: Doors, now: float, days: int, direction: str = "in"
) -> list[Row]:
    """The hours of the last days, today first; raises StationUnreadable."""
    span = midnight(now, days - 1), midnight(now, -1)
    records = read_intervals(path, [span], cameras_of(doors))
    pieces = pieces_of(records, doors, direction)
    rows = []
    for day in range(days):
        start, end = midnight(now, day), midnight(now, day - 1)
        *hours, total = *slots_of(pieces, hours_of(start)), *slots_of(pieces, [(start, end)])
        rows.append(Row(start, tuple(hours), total))
    return rows
