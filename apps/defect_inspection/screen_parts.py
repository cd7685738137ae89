"""The page's view of single parts: verdict strip, defect cards, Pareto, trend. Pure.

Rows are verdict records, oldest first. Challenge pieces are shown and marked, but they
say nothing of the process and count nowhere.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.screen import charts
from common.screen.alarm_list import clock_text
from common.screen.crops import PictureGone
from common.screen.document import MISSING, Document, count, measure
from common.screen.freshness import Freshness
from common.screen.language import decimal, mark, tr
from common.screen.markup import Html, element
from common.screen.station_file import Row
from common.screen.tiles import frame

STRIP = 20
CARDS = 3
TREND_WINDOW = 20
PACE_S = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """How a verdict is shown: letter, word, and the shape's CSS class."""

    letter: str
    word: str
    shape: str


LOOKS = {
    "pass": Look("P", mark("pass"), "pass"),
    "hold": Look("H", mark("hold"), "hold"),
    "reject": Look("R", mark("reject"), "reject"),
    "late": Look("L", mark("late"), "unjudged"),
    "bad_image": Look("B", mark("bad picture"), "unjudged"),
    "no_result": Look("N", mark("no result"), "unjudged"),
}
UNNAMED = mark("unnamed")
UNKNOWN = Look("?", mark("unknown verdict"), "unjudged")
Picture = Callable[[Row, Sequence[float]], str]
"""A row and a box → the address of the crop; raises PictureGone."""


def look(row: Row) -> Look:
    """How a row's verdict is shown."""
    return LOOKS.get(row.body.text("verdict"), UNKNOWN)


def strip(rows: Sequence[Row], freshness: Freshness) -> Html:
    """The last verdicts, newest right."""
    shown = rows[-STRIP:]
    empty = element("div", element("span"), element("small", "\u00a0"), cls="ls-cell ls-empty")
    cells = [empty] * (STRIP - len(shown)) + [_cell(row) for row in shown]
    legend = " · ".join(f"{each.letter} {tr(each.word)}" for each in LOOKS.values())
    said = tr("Last {n} parts, newest right", n=STRIP) if shown else tr("No part has come yet")
    legend += f" · T {tr('test piece')}"
    title = element("div", element("span", said), element("span", legend), cls="ls-title")
    return frame(
        title, element("div", *cells, cls="ls-strip"), freshness=freshness, key="strip"
    )


def _cell(row: Row) -> Html:
    shown, body = look(row), row.body
    test = "T " if body.flag("challenge") else ""
    overruled = " ls-overruled" if row.label else ""
    return element(
        "div",
        element("span", shown.letter),
        element("small", f"{test}{part_name(body)}"),
        cls=f"ls-cell ls-{shown.shape}{overruled}",
        title=describe(row),
    )


def part_name(body: Document) -> str:
    """The PLC's number of a part."""
    part = body.whole("part_id")
    return MISSING if part is None else str(part)


def describe(row: Row) -> str:
    """One line on a part: for tooltips and for choosing one to overrule."""
    reasons = row.body.texts("reasons")
    part, word = tr("part {n}", n=part_name(row.body)), tr(look(row).word)
    said = f"{part} · {word} · {clock_text(row.record.wall_time)}"
    if reasons:
        said += f" · {reasons[0][:90]}"
    if row.body.flag("challenge"):
        said += f" · {tr('test piece')}"
    return f"{said} · {tr('overruled: {label}', label=row.label.label)}" if row.label else said


def cards(rows: Sequence[Row], picture: Picture, freshness: Freshness) -> Html:
    """The last defects with their pictures, and which kinds are frequent."""
    found = [
        row for row in rows if row.body.documents("defects") and look(row) is not LOOKS["pass"]
    ]
    shown = [_card(row, picture, freshness) for row in found[-CARDS:][::-1]]
    none = tr("no other defect in the last {n} parts", n=len(rows))
    blank = none if rows else tr("no part has come yet")
    while len(shown) < CARDS:
        gone = element("div", blank, cls="ls-gone")
        title = element("div", tr("Defect"), cls="ls-title")
        shown.append(frame(title, gone, freshness=freshness, ways=" ls-card"))
    return element(
        "div", *shown, _pareto(rows, freshness), cls="ls-grid", style="--ls-columns:4"
    )


def _card(row: Row, picture: Picture, freshness: Freshness) -> Html:
    worst = max(row.body.documents("defects"), key=lambda d: d.number("score") or 0.0)
    others = len(row.body.documents("defects")) - 1
    size = worst.number("size_mm")
    facts = measure(size, "mm", 2) if size is not None else f"{MISSING}\u202fmm"
    more = tr(" · {n} more on it", n=others) if others else ""
    test = f" · {tr('test piece')}" if row.body.flag("challenge") else ""
    title = tr("Part {n} · {word}", n=part_name(row.body), word=tr(look(row).word))
    return frame(
        element("div", f"{title}{test}", cls="ls-title"),
        _image(row, worst, picture),
        element("div", f"{tr(worst.text('kind')) or MISSING} · {facts}", cls="ls-what"),
        element("div", tr("score {score}", score=_score(worst)) + more, cls="ls-note"),
        freshness=freshness,
        ways=" ls-card",
    )


def _score(defect: Document) -> str:
    score = defect.number("score")
    return MISSING if score is None else decimal(score, 2)


def _image(row: Row, defect: Document, picture: Picture) -> Html:
    box = defect.numbers("box_px")
    if len(box) != 4:
        return element("div", tr("the defect has no box"), cls="ls-gone")
    try:
        address = picture(row, box)
    except PictureGone as gone:
        return element("div", tr(str(gone)), cls="ls-gone")
    return element("img", src=address, alt=tr("{kind} with its box", kind=defect.text("kind")))


def _pareto(rows: Sequence[Row], freshness: Freshness) -> Html:
    counts = kinds(rows)
    none = tr("none") if rows else tr("no part has come yet")
    told = tr("Defect kinds, last {n} parts", n=count(len(rows)))
    counts = [(tr(kind), many) for kind, many in counts]
    chart = charts.pareto(counts) if counts else element("div", none, cls="ls-note")
    title = element("div", told, cls="ls-title")
    return frame(title, chart, freshness=freshness, ways=" ls-card", key="pareto")


def kinds(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """How many parts showed each kind of defect: parts that did not pass, no test pieces."""
    counted: Counter[str] = Counter()
    for row in rows:
        if row.body.flag("challenge") or look(row) is LOOKS["pass"]:
            continue
        counted.update({d.text("kind") or UNNAMED for d in row.body.documents("defects")})
    return sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))


def trend(rows: Sequence[Row]) -> tuple[float, ...]:
    """The share not passed over a moving window, test pieces left out, oldest first."""
    flags = [look(row) is not LOOKS["pass"] for row in rows if not row.body.flag("challenge")]
    return moving_share(flags, TREND_WINDOW)


def moving_share(flags: Sequence[bool], window: int) -> tuple[float, ...]:
    """The share of True in every full window; empty while there is none."""
    if window < 1 or len(flags) < window:
        return ()
    hits = sum(flags[:window])
    shares = [hits / window]
    for leaving, entering in zip(flags, flags[window:], strict=False):
        hits += entering - leaving
        shares.append(hits / window)
    return tuple(shares)


def pace(rows: Sequence[Row], now: float) -> float | None:
    """Parts per minute over the last minute; None without two parts in it."""
    times = [r.record.wall_time for r in rows if 0 <= now - r.record.wall_time <= PACE_S]
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return 60.0 * (len(times) - 1) / (times[-1] - times[0])
