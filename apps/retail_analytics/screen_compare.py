"""Hours and days beside each other: a table of entries or exits, today on top. Pure."""

from collections.abc import Sequence
from datetime import datetime

from apps.retail_analytics.screen_bars import slot_text
from apps.retail_analytics.screen_days import Row
from apps.retail_analytics.screen_ledger import Slot
from apps.retail_analytics.screen_tiles import change_of
from common.screen.document import MISSING, count
from common.screen.language import THIN, mark, tr
from common.screen.markup import Html, element

WEEKDAYS = (
    mark("Mon"), mark("Tue"), mark("Wed"), mark("Thu"), mark("Fri"), mark("Sat"), mark("Sun"),
)  # fmt: skip
WEEK = 7


def hours_html(rows: Sequence[Row], now: float) -> Html:
    """A row per day, a column per hour, and each day's sum beside that of a week before."""
    top = max([1.0, *(slot.value for row in rows for slot in row.hours)])
    names = [
        tr("Day"),
        *(f"{hour:02}" for hour in range(24)),
        tr("Day's sum"),
        tr("Week before"),
    ]
    head = element("tr", *(element("th", name, scope="col") for name in names))
    before: list[Row | None] = [*rows[WEEK:], *([None] * WEEK)]
    body = [_row(row, old, top, now) for row, old in zip(rows, before, strict=False)]
    return element(
        "table", element("thead", head), element("tbody", *body), cls="ls-table rt-hours"
    )


def _row(row: Row, before: Row | None, top: float, now: float) -> Html:
    day = datetime.fromtimestamp(row.start)
    name = f"{tr(WEEKDAYS[day.weekday()])} {day:%m-%d}"
    hours = [_cell(slot, top, now) for slot in row.hours]
    total = element("td", element("b", sum_text(row.total)), title=slot_words(row.total))
    change = element("td", change_text(row, before, now))
    return element("tr", element("th", name, scope="row"), *hours, total, change)


def _cell(slot: Slot, top: float, now: float) -> Html:
    """One hour: its number on a grey as dark as it is large, or what is the matter with it."""
    if slot.start >= now:
        return element("td")
    grey = f"--rt-share:{round(100 * slot.value / top)}%" if slot.value else None
    return element("td", sum_text(slot), cls=_look(slot), style=grey, title=slot_text(slot))


def _look(slot: Slot) -> str:
    if slot.why:
        return "rt-blind"
    return "rt-hidden" if slot.hidden else ""


def sum_text(slot: Slot) -> str:
    """A sum; a lower bound where parts of it are not told; a sign where nothing is."""
    if slot.empty:
        return MISSING
    if slot.told:
        return count(round(slot.value))
    return (
        f"≥{THIN}{count(round(slot.value))}"
        if slot.value >= 1
        else ("S" if slot.hidden else "?")
    )


def slot_words(slot: Slot) -> str:
    """What is missing in a day's sum."""
    said = []
    if slot.hidden:
        said.append(tr("{n} counts suppressed: too few people", n=count(round(slot.hidden))))
    if slot.why:
        said.append(tr("not observed at times"))
    return " · ".join(said)


def change_text(row: Row, before: Row | None, now: float) -> str:
    """By how much a day differs from that of a week before, over the hours known of both."""
    if before is None:
        return MISSING
    pairs = [
        (one, other)
        for new, old in zip(row.hours, before.hours, strict=True)
        if new.end <= now
        and (one := new.estimate) is not None
        and (other := old.estimate) is not None
    ]
    came, then = sum(one for one, _ in pairs), sum(other for _, other in pairs)
    return change_of(came, then)


def keys_html() -> Html:
    """What the signs mean."""
    said = (
        ("rt-key-hidden", tr("S or ≥: counts of too few people are suppressed")),
        ("rt-key-blind", tr("? or ≥: not observed at times")),
        ("rt-key-none", tr("–: nothing published")),
    )
    keys = (element("span", element("i", cls=f"rt-key {cls}"), text) for cls, text in said)
    return element("div", *keys, cls="rt-legend")
