"""The tile: one subject, its value beside its normal range, and how old it is."""

from collections.abc import Iterable
from dataclasses import dataclass

from common.screen.freshness import Freshness
from common.screen.language import mark, tr
from common.screen.markup import EMPTY, Html, element
from common.screen.palette import priority_mark

GOOD = "GOOD"


@dataclass(frozen=True, slots=True)
class Tile:
    """What one tile says. Texts are escaped when it is drawn."""

    title: str
    value: str
    notes: tuple[str, ...] = ()
    chart: Html = EMPTY
    abnormal: bool = False
    """Drawn with a heavy edge; colour comes only with an alarm."""
    priority: int | None = None
    """Of the worst alarm on this subject; None when there is none."""
    wide: int = 1
    """Columns of the grid it takes."""
    key: str = ""
    """Names the tile for tests and style sheets."""
    quality: str = GOOD
    """GOOD, UNCERTAIN or BAD: what is not good says so, and what is bad is hatched."""
    age_s: float | None = None
    """Of a value older than the station's last word; None: as old as that."""


QUALITIES = {"UNCERTAIN": mark("uncertain"), "BAD": mark("bad value")}


def grid(tiles: Iterable[Tile], freshness: Freshness, columns: int = 4) -> Html:
    """Tiles in rows."""
    drawn = (tile_html(tile, freshness) for tile in tiles)
    return element("div", *drawn, cls="ls-grid", style=f"--ls-columns:{columns}")


def tile_html(tile: Tile, freshness: Freshness) -> Html:
    """One tile; hatched and with its age when the station is silent."""
    sign = priority_mark(tile.priority) if tile.priority else EMPTY
    notes = (element("div", n, cls="ls-note", title=n) for n in tile.notes if n)
    return frame(
        element("div", element("span", tile.title), sign, cls="ls-title"),
        element("div", tile.value, cls="ls-value"),
        tile.chart,
        *notes,
        freshness=freshness,
        ways=_ways(tile),
        wide=tile.wide,
        key=tile.key,
        note=_quality(tile),
    )


def _quality(tile: Tile) -> str:
    """What stands in the corner of a value that is not good, or older than the others."""
    old = tile.age_s is not None and Freshness(tile.age_s).stale
    age = Freshness(tile.age_s).tag if old and tile.age_s is not None else ""
    word = QUALITIES.get(tile.quality, tile.quality) if tile.quality != GOOD else ""
    return " · ".join(filter(None, (tr(word) if word else "", age)))


def frame(
    *children: object,
    freshness: Freshness,
    ways: str = "",
    wide: int = 1,
    key: str = "",
    note: str = "",
) -> Html:
    """The box around a tile's content, whatever that is."""
    stale = " ls-stale" if freshness.stale else ""
    said = freshness.tag or note
    age = element("div", said, cls="ls-age") if said else EMPTY
    return element(
        "div",
        *children,
        age,
        cls=f"ls-tile{ways}{stale}",
        style=f"grid-column:span {wide}" if wide > 1 else None,
        data_key=key or None,
    )


def _ways(tile: Tile) -> str:
    if tile.quality == "BAD":
        return " ls-stale"
    if tile.priority:
        return f" ls-alarmed ls-p{tile.priority}"
    return " ls-abnormal" if tile.abnormal else ""


def fact(name: str, value: str, *, grow: bool = False) -> Html:
    """A small name over a value."""
    cls = "ls-fact ls-grow" if grow else "ls-fact"
    return element("div", element("span", name), element("b", value), cls=cls, title=value)


def head(state: Html, facts: Iterable[Html], freshness: Freshness, *beside: Html) -> Html:
    """The top of an app's page: a word for eyes across the room, then facts."""
    cls = "ls-facts ls-stale" if freshness.stale else "ls-facts"
    return element("div", state, element("div", *facts, cls=cls), *beside, cls="ls-head")


def held(part: Html, freshness: Freshness) -> Html:
    """A part of a page; hatched and with its age when the station is silent."""
    age = element("div", freshness.tag, cls="ls-age") if freshness.stale else EMPTY
    return element("div", part, age, cls="ls-held ls-stale" if freshness.stale else "ls-held")


def notice(headline: str, *lines: str) -> Html:
    """A plain statement where there is nothing else to show."""
    said = (element("div", line) for line in lines)
    return element("div", element("b", headline), *said, cls="ls-notice")
