"""The tile: one subject, its value beside its normal range, and how old it is."""

from collections.abc import Iterable
from dataclasses import dataclass

from common.screen.freshness import Freshness
from common.screen.markup import EMPTY, Html, element
from common.screen.palette import priority_mark


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


def grid(tiles: Iterable[Tile], freshness: Freshness, columns: int = 4) -> Html:
    """Tiles in rows."""
    drawn = (tile_html(tile, freshness) for tile in tiles)
    return element("div", *drawn, cls="ls-grid", style=f"--ls-columns:{columns}")


def tile_html(tile: Tile, freshness: Freshness) -> Html:
    """One tile; hatched and with its age when the station is silent."""
    mark = priority_mark(tile.priority) if tile.priority else EMPTY
    notes = (element("div", note, cls="ls-note", title=note) for note in tile.notes)
    return frame(
        element("div", tile.title, mark, cls="ls-title"),
        element("div", tile.value, cls="ls-value"),
        tile.chart,
        *notes,
        freshness=freshness,
        ways=_ways(tile),
        wide=tile.wide,
        key=tile.key,
    )


def frame(
    *children: object,
    freshness: Freshness,
    ways: str = "",
    wide: int = 1,
    key: str = "",
) -> Html:
    """The box around a tile's content, whatever that is."""
    stale = " ls-stale" if freshness.stale else ""
    age = element("div", freshness.tag, cls="ls-age") if freshness.stale else EMPTY
    return element(
        "div",
        *children,
        age,
        cls=f"ls-tile{ways}{stale}",
        style=f"grid-column:span {wide}" if wide > 1 else None,
        data_key=key or None,
    )


def _ways(tile: Tile) -> str:
    if tile.priority:
        return f" ls-alarmed ls-p{tile.priority}"
    return " ls-abnormal" if tile.abnormal else ""


def notice(headline: str, *lines: str) -> Html:
    """A plain statement where there is nothing else to show."""
    said = (element("div", line) for line in lines)
    return element("div", element("b", headline), *said, cls="ls-notice")
