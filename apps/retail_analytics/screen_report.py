"""What trends and reports say of a shop: entries that were told, and what was not."""

from collections import Counter

from apps.retail_analytics.screen_ledger import reason_of
from apps.retail_analytics.screen_parts import reason_text
from common.records import Record
from common.screen.app_screen import Said, Trend
from common.screen.document import Document, count, measure
from common.screen.language import mark, tr


def entered(record: Record) -> float | None:
    """People told to have come in, over the lines of one camera's interval."""
    return _told(Document(record.body), "in")


def left(record: Record) -> float | None:
    """People told to have gone out."""
    return _told(Document(record.body), "out")


def observed(record: Record) -> float | None:
    """Share of the interval that the camera saw, %."""
    quality = Document(record.body).at("quality")
    blocked, up = quality.number("blocked_pct"), quality.number("uptime_pct")
    return None if blocked is None or up is None else up * (1 - blocked / 100)


def _told(body: Document, direction: str) -> float | None:
    """A sum only where all of it was told: a part of it is no point of a course."""
    counts = [line.number(direction) for line in body.documents("lines")]
    known = [value for value in counts if value is not None]
    return sum(known) if counts and len(known) == len(counts) else None


TRENDS = (
    Trend("entered", mark("Entered, by interval (all that was told)"), "", entered),
    Trend("left", mark("Left, by interval (all that was told)"), "", left),
    Trend("observed", mark("Observed share of each interval"), "%", observed),
)

KINDS = {
    "interval": mark("intervals told"),
    "occupancy": mark("corrections of who is inside"),
    "setup": mark("changes of the set-up"),
}
"""What is recorded of a shop, as a report counts it."""


class ShopTally:
    """Counts the published intervals of a shift (common.screen.app_screen.Tally)."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()
        self._hidden = self._intervals = self._unusable = self._partial = 0
        self._reasons: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        """Count one more interval."""
        body = Document(record.body)
        self._intervals += 1
        self._partial += body.flag("partial") is True
        if body.flag("usable") is not True:
            self._unusable += 1
            self._reasons[reason_of(body)] += 1
            return
        for line in body.documents("lines"):
            for direction in ("in", "out"):
                value = line.whole(direction)
                if value is None:
                    self._hidden += 1
                else:
                    self._told[direction] += value

    def said(self) -> list[Said]:
        """Entries and exits that were told, and how much was not."""
        why = ", ".join(
            f"{reason_text(reason)} {count(n)}" for reason, n in self._reasons.most_common(3)
        )
        share = 100 * self._unusable / self._intervals if self._intervals else None
        return [
            (tr("Entered, told"), count(self._told.get("in"))),
            (tr("Left, told"), count(self._told.get("out"))),
            (tr("Counts suppressed or told later"), count(self._hidden)),
            (tr("Intervals not usable"), f"{count(self._unusable)} ({measure(share, '%')})"),
            (tr("Intervals in part"), count(self._partial)),
            (tr("Why not observed"), why or tr("none")),
        ]
