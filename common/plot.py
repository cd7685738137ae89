"""A time plot as SVG text, for screens and reports alike: no script, prints, scales.

    svg(Plot((Line("Reject rate", points),), start, end, marks=alarms), LIGHT)

Every text that gets in is escaped. Colours are one of two sets, for light and dark ground.
"""

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

Point = tuple[float, float]
"""Wall time (UTC s) and value."""
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 18, 24
STEPS_S = (60, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 86_400, 604_800)
MOST_TIMES = 9
MOST_GAPS = 20
"""Points further apart than this share of the time are not joined …"""
USUAL_STEPS = 2.5
"""… unless all of them are about so far apart."""


@dataclass(frozen=True, slots=True)
class Colours:
    """What a plot is drawn with."""

    ground: str
    text: str
    grid: str
    line: str
    limit: str
    priorities: tuple[str, str, str, str]


LIGHT = Colours("#EFEFEF", "#202020", "#C4C4C4", "#3B5B7A", "#202020",
                ("#C00000", "#B26F00", "#857800", "#00727D"))  # fmt: skip
DARK = Colours("#383B40", "#E8E8E8", "#565B62", "#8FB3D6", "#E8E8E8",
               ("#FF7A70", "#E69F00", "#D8C400", "#00B4C6"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """An alarm on the time axis."""

    time: float
    priority: int
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One value over time, beside its limit and the alarms that fell into the time."""

    title: str
    unit: str
    points: Sequence[Point]
    start: float
    end: float
    """UTC, s."""
    limit: float | None = None
    marks: Sequence[Mark] = field(default_factory=tuple)
    from_zero: bool = True
    empty: str = ""
    """What to say where there are no points."""
    width: int = 900
    height: int = 200


def svg(plot: Plot, colours: Colours) -> str:
    """The plot as an SVG element."""
    low, high, step = scale(plot)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{plot.width}" height="{plot.height}"'
        f' viewBox="0 0 {plot.width} {plot.height}" role="img"'
        f' font-family="sans-serif" font-size="12" fill="{colours.text}">',
        f"<title>{plain(plot.title)}</title>",
        f'<rect width="100%" height="100%" fill="{colours.ground}"/>',
        *_values(plot, low, high, step, colours),
        *_times(plot, colours),
        *(_mark(plot, mark, colours) for mark in plot.marks),
        *_limit(plot, low, high, colours),
        _line(plot, low, high, colours),
        *([] if plot.points else [_text(plot.width / 2, plot.height / 2, plot.empty)]),
        _text(LEFT, 13, f"{plot.title}{f', {plot.unit}' if plot.unit else ''}", bold=True),
        "</svg>",
    ]
    return "".join(parts)


NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """`text` as XML takes it: escaped, and without what XML has no way to write."""
    return html.escape(NOT_XML.sub("\ufffd", text))


def scale(plot: Plot) -> tuple[float, float, float]:
    """From where to where the value axis goes, and in which steps: round numbers around all."""
    values = [v for _, v in plot.points if math.isfinite(v)]
    values += [] if plot.limit is None else [plot.limit, plot.limit * 1.02]
    values += [0.0] if plot.from_zero or not values else []
    low, high = min(values), max(values)
    size = max(abs(low), abs(high), 1e-6) if low or high else 1.0
    if high - low < 1e-6 * size:
        low, high = (low, high + size) if plot.from_zero else (low - size / 2, high + size / 2)
    step = _step(high - low)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _step(span: float) -> float:
    """A round distance that makes three to six of them."""
    size = 10.0 ** math.floor(math.log10(span / 4))
    return next(size * n for n in (1, 2, 2.5, 5, 10, 20) if span / (size * n) <= 5)


def _x(plot: Plot, time: float) -> float:
    share = (time - plot.start) / max(plot.end - plot.start, 1e-9)
    return LEFT + min(max(share, 0.0), 1.0) * (plot.width - LEFT - RIGHT)


def _y(plot: Plot, value: float, low: float, high: float) -> float:
    share = (value - low) / ((high - low) or 1.0)
    return plot.height - BOTTOM - share * (plot.height - BOTTOM - TOP)


def _values(plot: Plot, low: float, high: float, step: float, colours: Colours) -> list[str]:
    parts = []
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        y = _y(plot, value, low, high)
        parts.append(_rule(LEFT, y, plot.width - RIGHT, y, colours.grid))
        parts.append(_text(LEFT - 6, y + 4, f"{value:.6g}", anchor="end"))
    return parts


def _times(plot: Plot, colours: Colours) -> list[str]:
    span = plot.end - plot.start
    step = next((s for s in STEPS_S if span / s <= MOST_TIMES), span / MOST_TIMES)
    offset = datetime.fromtimestamp(plot.end).astimezone().utcoffset()
    zone = offset.total_seconds() if offset else 0.0
    time, parts = math.ceil((plot.start + zone) / step) * step - zone, []
    while time <= plot.end:
        x = _x(plot, time)
        parts.append(_rule(x, TOP, x, plot.height - BOTTOM, colours.grid))
        then = datetime.fromtimestamp(time).astimezone()
        word = then.strftime("%m-%d" if step >= 86_400 else "%H:%M")
        parts.append(_text(x, plot.height - 8, word, anchor="middle"))
        time += step
    return parts


def _mark(plot: Plot, mark: Mark, colours: Colours) -> str:
    x, colour = _x(plot, mark.time), colours.priorities[min(max(mark.priority, 1), 4) - 1]
    then = datetime.fromtimestamp(mark.time).astimezone().strftime("%H:%M:%S")
    rule = _rule(x, TOP, x, plot.height - BOTTOM, colour, dash="3 3")
    flag = f'<path d="M{x:.1f} {TOP}l7 0 0 12 -7 0z" fill="{colour}"/>'
    number = _text(x + 1.5, TOP + 10, str(mark.priority), fill=colours.ground, size=10)
    return f"<g><title>{plain(f'{then} {mark.text}')}</title>{rule}{flag}{number}</g>"


def _limit(plot: Plot, low: float, high: float, colours: Colours) -> list[str]:
    if plot.limit is None:
        return []
    y = _y(plot, plot.limit, low, high)
    return [_rule(LEFT, y, plot.width - RIGHT, y, colours.limit, dash="8 4")]


def _line(plot: Plot, low: float, high: float, colours: Colours) -> str:
    steps, last, longest = [], -math.inf, _longest_step(plot)
    for time, value in plot.points:
        if not math.isfinite(value):
            last = -math.inf  # a gap stays a gap
            continue
        pen = "L" if time - last <= longest else "M"
        steps.append(f"{pen}{_x(plot, time):.1f} {_y(plot, value, low, high):.1f}")
        last = time
    way = "".join(steps)
    return (
        f'<path d="{way}" fill="none" stroke="{colours.line}" stroke-width="1.6"'
        ' stroke-linecap="round"/>'
    )


def _longest_step(plot: Plot) -> float:
    """Points further apart are a gap; not where all of them are: one a minute is no gap."""
    steps = sorted(b - a for (a, _), (b, _) in pairwise(plot.points))
    usual = steps[len(steps) // 2] if steps else 0.0
    return max((plot.end - plot.start) / MOST_GAPS, USUAL_STEPS * usual)


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{colour}"{dashed}/>'
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False,
    fill: str = "", size: int = 12,
) -> str:  # fmt: skip
    ways = f' text-anchor="{anchor}"' + ' font-weight="700"' * bold
    ways += f' fill="{fill}"' if fill else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{ways}>{plain(text)}</text>'


def thinned(points: Sequence[Point], most: int = 900) -> list[Point]:
    """At most about `most` points: of each stretch the lowest and the highest are kept."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(2 * len(points) / most)
    kept: list[Point] = []
    for at in range(0, len(points), size):
        part = points[at : at + size]
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept
