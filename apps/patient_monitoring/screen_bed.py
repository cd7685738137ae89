"""A bed as the station's document says it, and its place among the others. Pure.

The order is that of urgency: priority of the alarm, not yet acknowledged before
acknowledged, then the score, which is a lower bound where an input is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from common.screen.alarms import GONE, WAITING
from common.screen.document import MISSING, Document, count
from common.screen.freshness import Freshness, span_text
from common.screen.language import mark, tr

PRIORITIES = {"HIGH": 1, "MEDIUM": 2, "LOW": 3}
"""IEC 60601-1-8 → the marks of all screens."""
TECHNICAL = ("bed_technical/", "bed_advice/", "bed_clock/")
"""Alarms that are no patient's: mark 4, cyan."""
NO_PRIORITY = 9
FRESH = Freshness(0.0)
PARAMETERS = {
    "RESPIRATION": ("RR", mark("Respiration")),
    "SPO2": ("SpO₂", mark("Oxygen saturation")),
    "OXYGEN": ("O₂", mark("Air or oxygen")),
    "SYSTOLIC": ("BP", mark("Systolic pressure")),
    "PULSE": ("HR", mark("Pulse")),
    "CONSCIOUSNESS": ("ACVPU", mark("Consciousness")),
    "TEMPERATURE": ("T", mark("Temperature")),
}
"""Short and full name of what NEWS2 scores."""
TRENDS = {1: "▲", -1: "▼"}
"""Which way a score goes. Steady has no mark: a dash would read as a number that is missing."""


@dataclass(frozen=True, slots=True)
class Bed:
    """One bed, occupied or not."""

    word: Document
    now: float
    """UTC s of this reading, for ages and timers."""
    freshness: Freshness = FRESH
    """Of the station's word."""

    @property
    def name(self) -> str:
        """As the ward calls it."""
        return self.word.text("bed")

    @property
    def patient(self) -> str:
        """The pseudonym; empty where nobody lies there."""
        return self.word.text("patient")

    @property
    def score(self) -> Document:
        """NEWS2; empty where nothing is scored."""
        return self.word.at("score")

    @property
    def at_least(self) -> int | None:
        """The total, or its lower bound."""
        return self.score.whole("at_least") if self.score else None

    @property
    def complete(self) -> bool:
        """Whether the number is the total."""
        return self.score.flag("complete") is True

    @property
    def refusal(self) -> str:
        """Why NEWS2 must not be used for this patient."""
        return self.word.text("refusal")

    @property
    def number(self) -> str:
        """The score as it is shown: 7, ≥ 5 where an input is missing, – where none is."""
        if self.at_least is None or self.refusal:
            return MISSING
        return count(self.at_least) if self.complete else f"≥\u202f{count(self.at_least)}"

    @property
    def tag(self) -> str:
        """What must not be overlooked about the number."""
        if self.refusal:
            return tr("NO NEWS2")
        if self.at_least is None:
            return tr("NO SCORE")
        return "" if self.complete else tr("INCOMPLETE")

    @property
    def alarms(self) -> tuple[Document, ...]:
        """Its alarms, as the station lists them."""
        return self.word.documents("alarms")

    @property
    def priority(self) -> int | None:
        """The mark of its worst alarm; None where there is none."""
        found = [mark_of(one) for one in self.alarms]
        said = PRIORITIES.get(self.word.text("priority"))
        return min([*found, *([said] if said else [])], default=None)

    @property
    def waiting(self) -> bool:
        """Whether an alarm of it waits for a person."""
        return any(one.text("state") in WAITING for one in self.alarms)

    @property
    def paused_s(self) -> float | None:
        """For how long its alarms are still paused; None where they are not."""
        until = self.word.number("paused_until")
        return until - self.now if until is not None and until > self.now else None

    @property
    def due_in_s(self) -> float | None:
        """Until the next observation; below zero it is late."""
        due = self.word.number("due_in_s")
        return due - self._passed_s if due is not None else None

    def aged(self, seconds: float | None) -> float | None:
        """An age in the station's word, s, as it is by now; None where nobody can know."""
        if seconds is None or (self.freshness.stale and not self._passed_s):
            return None
        return seconds + self._passed_s

    @property
    def _passed_s(self) -> float:
        """Since the station said so; 0 where the clock was set back."""
        return max(0.0, self.freshness.age_s)

    @property
    def urgency(self) -> tuple[int, bool, int, bool, int, str]:
        """Sorts beds, the most urgent first; empty ones last."""
        return (
            (self.priority or NO_PRIORITY) if self.patient else NO_PRIORITY + 1,
            not self.waiting,
            -(self.at_least or 0),
            self.complete,
            self.word.whole("row") or 0,
            self.name,
        )


def mark_of(alarm: Document) -> int:
    """The mark of an alarm; of an unreadable one rather too loud."""
    if alarm.text("id").startswith(TECHNICAL):
        return 4
    return PRIORITIES.get(alarm.text("priority"), 1)


def beds_of(word: Document, now: float, freshness: Freshness = FRESH) -> list[Bed]:
    """All beds, the most urgent first."""
    beds = (Bed(one, now, freshness) for one in word.documents("beds"))
    return sorted(beds, key=lambda bed: bed.urgency)


def occupied(beds: Sequence[Bed]) -> list[Bed]:
    """Those in which somebody lies."""
    return [bed for bed in beds if bed.patient]


def timer_text(bed: Bed) -> str:
    """Owner and timer of the alarm that waits longest, or who has it."""
    waits = [one for one in bed.alarms if one.text("state") in WAITING]
    if not waits:
        owner = bed.word.text("owner") or next(filter(None, map(_owner, bed.alarms)), "")
        return tr("with {name}", name=owner) if owner else ""
    first = min(waits, key=lambda one: one.number("active_since") or one.number("since") or 0.0)
    by, left = first.number("respond_by"), ""
    if first.text("state") in GONE:
        left = tr("gone")
    elif by is not None and by > bed.now:
        left = tr("{age} left", age=minutes(by - bed.now))
    elif by is not None:
        left = tr("LATE {age}", age=minutes(bed.now - by))
    return " · ".join(filter(None, (left, _owner(first) or tr("nobody yet"))))


def _owner(alarm: Document) -> str:
    return alarm.text("owner") or alarm.text("ack_user")


def due_text(bed: Bed) -> tuple[str, bool]:
    """When to observe next, and whether it is late."""
    due = bed.due_in_s
    if due is None:
        return tr("observe: –"), False
    if due < 0:
        return tr("observe: LATE {age}", age=minutes(-due)), True
    return tr("observe in {age}", age=minutes(due)), False


def oldest_text(bed: Bed) -> str:
    """The oldest input that the score still rests on."""
    age, sign = bed.aged(bed.word.number("oldest_s")), bed.word.text("oldest")
    if age is None:
        return tr("oldest: –")
    return tr("oldest {age} {sign}", age=minutes(age), sign=SHORT.get(sign, sign))


SHORT = {
    "HR": "HR", "PULSE": "PR", "SPO2": "SpO₂", "RR": "RR", "SBP": "BP", "TEMP": "T",
    "OXYGEN": "O₂", "ACVPU": "ACVPU", "RESPIRATION": "RR", "SYSTOLIC": "BP",
    "CONSCIOUSNESS": "ACVPU", "TEMPERATURE": "T",
}  # fmt: skip


def minutes(seconds: float) -> str:
    """A length of time, to the second only below a minute: a tile is narrow."""
    return span_text(seconds if seconds < 60 else seconds - seconds % 60)
