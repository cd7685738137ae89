"""Who has been heard of, what was refused of them and why, and what people must know of it."""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from apps.patient_monitoring.bed_alarms import CLOCK, IDENTITY
from apps.patient_monitoring.incoming.observed import Refused
from apps.patient_monitoring.source_clock import SourceClock
from common.ports import Clock

REFUSALS_SHOWN = 50
IDS_KEPT = 64
MOST_SOURCES = 10_000
ALARM_OF = {"swapped": IDENTITY, "clock": CLOCK}
"""Refusals that a nurse must know of at the bed."""
SOURCE = "source"


@dataclass(slots=True)
class Source:
    """One device or system."""

    way: str
    clock: SourceClock
    heard: float = 0.0
    """Monotonic s."""
    messages: int = 0
    refused: int = 0
    clock_s: float = 0.0
    """Our clock less its."""
    ids: deque[tuple[str, float]] = field(default_factory=lambda: deque(maxlen=IDS_KEPT))


class Sources:
    """The intake's lock guards it."""

    def __init__(self, clock: Clock, clock_memory_s: float) -> None:
        self._clock, self._memory_s = clock, clock_memory_s
        self.known: dict[str, Source] = {}
        self.refused: Counter[str] = Counter()
        self._refusals: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()
        self._problems: dict[tuple[str, str], tuple[str, float]] = {}

    def heard(self, way: str, name: str) -> Source:
        """The source of that name, heard now; of too many the oldest is forgotten."""
        source = self.known.get(name)
        if source is None:
            if len(self.known) >= MOST_SOURCES:
                self.known.pop(next(iter(self.known)))
            source = self.known[name] = Source(way, SourceClock(self._memory_s))
        source.heard = self._clock.monotonic()
        return source

    def refuse(self, way: str, name: str, error: Refused, bed: str) -> None:
        """Count it by its reason, and keep it for the screen."""
        error.counted = True
        if name:
            self.heard(way, name).refused += 1
        self.refused[error.reason] += 1
        text = f"{name or way}: {error}"[:300]
        key = (name, error.reason, bed)
        before = self._refusals.pop(key, None)
        self._refusals[key] = {
            "at": self._clock.wall(), "reason": error.reason, "text": text, "source": name,
            "way": way, "bed": bed, "count": before["count"] + 1 if before else 1,
        }  # fmt: skip
        if len(self._refusals) > REFUSALS_SHOWN:
            self._refusals.popitem(last=False)
        kind = ALARM_OF.get(error.reason, SOURCE)
        self._problems[kind, bed if kind != SOURCE else ""] = text, self._clock.monotonic()

    @property
    def refusals(self) -> list[dict[str, Any]]:
        """What was refused, the newest first; the same again is one entry with its count."""
        return list(reversed(self._refusals.values()))

    def settled(self, kind: str, bed: str) -> None:
        """What was wrong with a bed's source no longer is."""
        self._problems.pop((kind, bed), None)

    def problems(self, since: float) -> dict[tuple[str, str], str]:
        """(Kind of alarm, bed) → text of what was refused after `since` (monotonic s)."""
        self._problems = {k: one for k, one in self._problems.items() if one[1] > since}
        return {key: text for key, (text, _) in self._problems.items()}

    def forget_clocks(self) -> None:
        """Our own clock was set: what was known of theirs is wrong."""
        for source in self.known.values():
            source.clock = SourceClock(self._memory_s)
