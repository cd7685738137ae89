"""What trends and reports say of a ward: alerts by kind, entries, scores and completeness."""

from collections import Counter

from common.records import Record
from common.screen.app_screen import Said, Trend
from common.screen.document import Document, count, share
from common.screen.language import decimal, mark, tr


def worst(record: Record) -> float | None:
    """The highest lower bound on the ward in that minute."""
    return max(_known(record, "at_least"), default=None)


def above(record: Record) -> float | None:
    """Patients at 5 or more in that minute."""
    scores = _known(record, "at_least")
    return float(sum(score >= 5 for score in scores)) if scores else None


def incomplete(record: Record) -> float | None:
    """Share of patients without a complete score in that minute, %."""
    found = record.body.get("complete")
    if not isinstance(found, list) or not found:
        return None
    return 100.0 * sum(one is not True for one in found) / len(found)


def _known(record: Record, name: str) -> list[float]:
    return [v for v in Document(record.body).values(name) if v is not None]


TRENDS = (
    Trend("worst", mark("Highest NEWS2 of the ward"), "", worst, limit=lambda _: 7.0),
    Trend("above", mark("Patients at 5 or more"), "", above),
    Trend("incomplete", mark("Patients without a complete score"), "%", incomplete),
)

KINDS = {
    "signs": mark("records of signs"),
    "alert": mark("alerts"),
    "entry": mark("entries by hand"),
    "move": mark("admissions and moves"),
    "fault": mark("faults"),
}
"""What is recorded of a ward, as a report counts it."""


class WardTally:
    """Counts the minutes of a shift (common.screen.app_screen.Tally)."""

    def __init__(self) -> None:
        self._minutes = 0
        self._patients: Counter[str] = Counter()
        self._high = self._scores = self._complete = 0

    def add(self, record: Record) -> None:
        """Count one more minute of the ward."""
        body = Document(record.body)
        self._minutes += 1
        self._patients.update(body.texts("patients"))
        scores = _known(record, "at_least")
        self._scores += len(scores)
        self._high += sum(score >= 7 for score in scores)
        self._complete += sum(one is True for one in record.body.get("complete") or ())

    def said(self) -> list[Said]:
        """Patients, hours at 7 or more, and how much of the time a score was complete."""
        hours = self._high / 60
        complete = self._complete / self._scores if self._scores else None
        return [
            (tr("Patients"), count(len(self._patients))),
            (tr("Minutes recorded"), count(self._minutes)),
            (tr("Patient-hours at 7 or more"), decimal(hours, 1)),
            (tr("Scores complete"), share(complete)),
        ]
