"""What trends and reports say of an inspection: reject rate, latency, and what parts became.

Challenge pieces are bad on purpose: they say nothing of the process and count nowhere.
"""

from collections import Counter

from apps.defect_inspection.screen_parts import LOOKS
from common.records import Record
from common.screen.app_screen import Said, Trend
from common.screen.document import Document, count, milliseconds, share
from common.screen.language import mark, tr

WINDOW = 20
"""Parts that a point of the reject rate is made of."""


def rejected(record: Record) -> float | None:
    """100 for a part that did not pass, 0 for one that did; None for a test piece."""
    if record.body.get("challenge"):
        return None
    return 0.0 if record.body.get("verdict") == "pass" else 100.0


def latency(record: Record) -> float | None:
    """From trigger to verdict, ms; None for a part that never had a result."""
    return Document(record.body).at("latency_ms").number("total") or None


TRENDS = (
    Trend("reject", mark("Not passed, mean of 20 parts"), "%", rejected, window=WINDOW),
    Trend(
        "latency", mark("Latency"), "ms", latency, limit=lambda word: word.number("deadline_ms")
    ),
)

KINDS = {"challenge": mark("challenge tests")}
"""What is recorded of a line beside verdicts, as a report counts it."""


class PartsTally:
    """Counts the parts of a shift (common.screen.app_screen.Tally)."""

    def __init__(self) -> None:
        self._verdicts: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._slowest: float | None = None
        self._tests = 0

    def add(self, record: Record) -> None:
        """Count one more part."""
        body = Document(record.body)
        ms = latency(record)
        if ms is not None:
            self._slowest = max(ms, self._slowest or 0.0)
        if body.flag("challenge"):
            self._tests += 1
            return
        self._verdicts[body.text("verdict")] += 1
        if body.text("verdict") != "pass":
            self._kinds.update({d.text("kind") for d in body.documents("defects")})

    def said(self) -> list[Said]:
        """Parts, what became of them, the most frequent defects, and how long it took."""
        parts = self._verdicts.total()
        passed = self._verdicts["pass"]
        told = [(tr("Parts"), count(parts))]
        if parts:
            told.append((tr("Not passed"), share((parts - passed) / parts)))
        told += [(tr(look.word), count(self._verdicts[v])) for v, look in LOOKS.items()]
        frequent = [f"{tr(kind)} {count(n)}" for kind, n in self._kinds.most_common(3)]
        told.append((tr("Most frequent defects"), ", ".join(frequent) or tr("none")))
        told.append((tr("Test pieces"), count(self._tests)))
        told.append((tr("Latency, slowest"), milliseconds(self._slowest)))
        return told
