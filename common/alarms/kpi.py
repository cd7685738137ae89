"""How well the alarm system serves its operators: every row of DOMAIN E2 (ISA-18.2).

Computed from the history alone, so the figures of a station, of a plant's database and of
a replay are the same. Judge by 30 days or more and per operator position. An alarm counts
each time that it begins to ask for attention. The share of the ten most frequent alarms
says something only of a system with many more than ten.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import partial

from common.alarms import history
from common.alarms.flood import WINDOW_S
from common.alarms.history import DAY_S, Entry

HOUR_S = 3600.0
NEEDED_DAYS = 30.0
URGENT, MEDIUM, LOW = (1, 2), (3,), (4,)
"""Our priorities in the three classes of the standard's mix."""


class Verdict(StrEnum):
    """How a figure stands to its target."""

    MET = "met"
    MANAGEABLE = "manageable"
    """Above what is very likely acceptable, not above the most that can be managed."""
    MISSED = "missed"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class Kpi:
    """One row of the table."""

    name: str
    value: float | None
    """Of a share: 0 … 1. None where there is nothing to compute it from."""
    target: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Kpis:
    """All rows of the table for one operator position."""

    role: str
    days: float
    alarms: int
    shelvings: int
    most_frequent: tuple[tuple[str, int], ...]
    """The ten most frequent alarms, and how often they came: where to begin."""
    per_day: Kpi
    per_hour: Kpi
    per_10_min: Kpi
    busy_hours: Kpi
    busy_periods: Kpi
    peak: Kpi
    flooded: Kpi
    top_ten: Kpi
    chattering: Kpi
    fleeting: Kpi
    stale: Kpi
    mix_low: Kpi
    mix_medium: Kpi
    mix_high: Kpi

    @property
    def enough(self) -> bool:
        """Whether there are the 30 days that the standard asks for."""
        return self.days >= NEEDED_DAYS

    def rows(self) -> list[Kpi]:
        """The table from top to bottom."""
        return [v for f in fields(self) if isinstance(v := getattr(self, f.name), Kpi)]


def by_role(entries: Iterable[Entry], start: float, end: float) -> dict[str, Kpis]:
    """The table of each operator position."""
    roles: dict[str, list[Entry]] = defaultdict(list)
    for one in entries:
        roles[one.role].append(one)
    return {role: kpis(roles[role], start, end, role) for role in sorted(roles)}


def kpis(entries: Iterable[Entry], start: float, end: float, role: str = "") -> Kpis:
    """The table for start <= time < end (UTC s).

    Entries of before `start` tell what stood already; give some where there are. Raises
    ValueError where the end is not after the start.
    """
    if not end > start:
        raise ValueError(f"end {end} must be after start {start}")
    past = sorted((e for e in entries if e.time < end), key=lambda e: e.time)
    within = [e for e in past if e.time >= start]
    came = [e for e in within if e.annunciated]
    count, seconds = len(came), end - start
    counts = Counter(e.alarm_id for e in came)
    top = tuple(counts.most_common(10))
    alarms = history.by_alarm(past)
    busy = partial(history.busy, came, start, end)
    return Kpis(
        role, seconds / DAY_S, count, sum(e.action == "shelve" for e in within), top,
        per_day=_rate("alarms/day", count * DAY_S / seconds, 144, 288),
        per_hour=_rate("alarms/hour", count * HOUR_S / seconds, 6, 12),
        per_10_min=_rate("alarms/10 min", count * WINDOW_S / seconds, 1, 2),
        busy_hours=_share("hours with > 30 alarms", busy(period_s=HOUR_S, most=30)),
        busy_periods=_share("10 min with > 10 alarms", busy(period_s=WINDOW_S, most=10)),
        peak=_at_most("max in any 10 min", history.peak(came), 10),
        flooded=_share("time in flood", history.flooded(past, start, end)),
        top_ten=_top_ten(sum(n for _, n in top) / count if count else None),
        chattering=_at_most("chattering alarms", history.chattering(came), 0),
        fleeting=_at_most("fleeting alarms", history.fleeting(alarms, start), 0),
        stale=_at_most("stale alarms on any day", history.stale(alarms, start, end), 4, "< 5"),
        mix_low=_mix("low priority", came, LOW, least=0.80),
        mix_medium=_mix("medium priority", came, MEDIUM, most=0.15),
        mix_high=_mix("high priority", came, URGENT, most=0.05),
    )  # fmt: skip


# -------------------------------------------------------------------------------- verdicts


def _rate(name: str, value: float, acceptable: float, manageable: float) -> Kpi:
    verdict = Verdict.MET if value <= acceptable else Verdict.MANAGEABLE
    verdict = verdict if value <= manageable else Verdict.MISSED
    return Kpi(name, value, f"≤ {acceptable:g}, manageable ≤ {manageable:g}", verdict)


def _at_most(name: str, value: int, most: int, target: str = "") -> Kpi:
    verdict = Verdict.MET if value <= most else Verdict.MISSED
    return Kpi(name, value, target or f"≤ {most}" if most else "0", verdict)


def _share(name: str, value: float) -> Kpi:
    return Kpi(name, value, "< 1 %", Verdict.MET if value < 0.01 else Verdict.MISSED)


def _top_ten(value: float | None) -> Kpi:
    name, target = "share of the ten most frequent", "< 1 %, manageable < 5 %"
    if value is None:
        return Kpi(name, None, target, Verdict.NO_DATA)
    verdict = Verdict.MET if value < 0.01 else Verdict.MANAGEABLE
    return Kpi(name, value, target, verdict if value < 0.05 else Verdict.MISSED)


def _mix(
    name: str,
    came: Sequence[Entry],
    priorities: tuple[int, ...],
    least: float = 0.0,
    most: float = 1.0,
) -> Kpi:
    bound = f"{least * 100:g} % or more" if least else f"{most * 100:g} % or less"
    if not came:
        return Kpi(name, None, f"about {bound}", Verdict.NO_DATA)
    share = sum(e.priority in priorities for e in came) / len(came)
    verdict = Verdict.MET if least <= share <= most else Verdict.MISSED
    return Kpi(name, share, f"about {bound}", verdict)
