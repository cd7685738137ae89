"""What trends and reports say of a plant: how bad verdicts became, and on how many machines."""

from collections import Counter

from apps.predictive_maintenance import screen_detail
from apps.predictive_maintenance.screen_table import VERDICTS
from common.records import Record
from common.screen.app_screen import Said, Trend
from common.screen.document import Document, count
from common.screen.language import mark, tr

HIGHEST = 20.0
"""A machine that falls apart must not flatten everything else."""


def severity(record: Record) -> float | None:
    """How far the machine was over its first limit when its verdict changed."""
    value = Document(record.body).number("severity")
    return None if value is None else min(value, HIGHEST)


TRENDS = (
    Trend(
        "severity", mark("Severity at each change of a verdict, all machines"), mark("× limit"),
        severity, limit=lambda _: 1.0,
    ),
)  # fmt: skip

KINDS = {
    "verdict": mark("changes of a verdict"),
    "health": mark("records of health"),
    "quality": mark("changes of what could be judged"),
    "order": mark("changes of work orders"),
    "note": mark("notes"),
    "fault": mark("faults"),
}
"""What is recorded of a plant, as a report counts it."""


class VerdictTally:
    """Counts changes of verdict (common.screen.app_screen.Tally)."""

    def __init__(self) -> None:
        self._began: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._machines: dict[str, set[str]] = {}

    def add(self, record: Record) -> None:
        """Count one more."""
        body = Document(record.body)
        verdict = body.text("verdict")
        self._machines.setdefault(verdict, set()).add(body.text("asset"))
        if verdict != body.text("was"):
            self._began[verdict] += 1
        self._kinds.update(one.text("kind") for one in body.documents("evidence"))

    def said(self) -> list[Said]:
        """Times each verdict began, on how many machines, and what spoke for it."""
        told = [
            (tr(word), tr("{n} times, {m} machines", n=count(self._began[verdict]),
                          m=count(len(self._machines.get(verdict, ())))))
            for verdict, (_, word) in VERDICTS.items()
        ]  # fmt: skip
        frequent = [
            f"{tr(screen_detail.KINDS.get(kind, kind))} {count(n)}"
            for kind, n in self._kinds.most_common(3)
        ]
        return [*told, (tr("Most frequent evidence"), ", ".join(frequent) or tr("none"))]
