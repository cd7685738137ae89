"""A spectrum with cursors where faults would show, as SVG text. Pure.

The amplitude spectrum stands over a logarithmic frequency axis, because a machine's own
orders and its bearings' ringing lie decades apart; the envelope over an even one, because
there the distances between lines count.
"""

import math
from dataclasses import dataclass

from common.plot import Colours, plain
from common.screen.document import Document

LEFT, RIGHT, TOP, BOTTOM = 46, 8, 44, 22
EDGE = 4
FLOOR_DECADES = 4.0
"""Below the highest point nothing is drawn on a logarithmic scale."""
LETTER_PX = 6
"""A label stands a line lower where it would reach into the one before."""
LEVELS = 3
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A frequency that means something."""

    name: str
    hz: float


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What is drawn."""

    title: str
    points: tuple[Point, ...]
    """(Hz, value), rising."""
    cursors: tuple[Cursor, ...] = ()
    logarithmic: bool = False
    """Both axes; else both are even."""
    empty: str = ""
    """What to say where there are no points."""
    at: str = ""
    """At which speed and when it was taken."""
    width: int = 430
    height: int = 178


def points_of(found: Document) -> tuple[Point, ...]:
    """The points of a stored spectrum; none where it is not whole."""
    hz, values = found.numbers("hz"), found.numbers("value")
    return tuple(zip(hz, values, strict=True)) if len(hz) == len(values) else ()


def cursors_of(found: Document, *, shaft: bool) -> tuple[Cursor, ...]:
    """The shaft's orders, or the bearings' fault frequencies."""
    return tuple(
        Cursor(one.text("name"), hz)
        for one in found.documents("cursors")
        if (hz := one.number("hz")) and (one.text("of") == "shaft") is shaft
    )


def svg(one: Spectrum, colours: Colours) -> str:
    """The spectrum as an SVG element."""
    axes = _Axes(one)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{one.width}" height="{one.height}"'
        f' viewBox="0 0 {one.width} {one.height}" role="img" font-family="sans-serif"'
        f' font-size="11" fill="{colours.text}"><title>{plain(one.title)}</title>',
        f'<rect width="100%" height="100%" fill="{colours.ground}"/>',
        *axes.grid(colours),
        axes.line(colours),
        *axes.cursors(colours),
        f'<text x="{EDGE}" y="12" font-size="12" font-weight="700">{plain(one.title)}</text>',
        _text(one.width - RIGHT, 12, one.at, "end"),
        _text(EDGE, one.height - BOTTOM + 14, "Hz", "start"),
        "" if one.points else _text(one.width / 2, one.height / 2, one.empty, "middle"),
        "</svg>",
    ]
    return "".join(parts)


class _Axes:
    """From Hz and values to px."""

    def __init__(self, one: Spectrum) -> None:
        self._one = one
        hz = [x for x, _ in one.points] or [1.0, 1000.0]
        top = max((y for _, y in one.points), default=1.0)
        self._low_hz, self._high_hz = (hz[0], hz[-1]) if one.logarithmic else (0.0, hz[-1])
        if one.logarithmic:
            self._top = float(math.ceil(math.log10(max(top, 1e-9))))
            self._low = self._top - FLOOR_DECADES
        else:
            self._top, self._low = max(10.0, 5.0 * math.ceil(top / 5.0)), 0.0

    def x(self, hz: float) -> float:
        """Where a frequency stands."""
        low, high, at = self._low_hz, self._high_hz, hz
        if self._one.logarithmic:
            low, high, at = (math.log10(max(v, 1e-9)) for v in (low, high, hz))
        share = (at - low) / max(high - low, 1e-9)
        return LEFT + share * (self._one.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Where a value stands, kept on the scale."""
        at = math.log10(max(value, 1e-12)) if self._one.logarithmic else value
        share = (min(max(at, self._low), self._top) - self._low) / (self._top - self._low)
        return self._one.height - BOTTOM - share * (self._one.height - TOP - BOTTOM)

    def grid(self, colours: Colours) -> list[str]:
        """Rules and numbers of both axes."""
        parts, bottom = [], self._one.height - BOTTOM
        for hz in self._hz_ticks():
            x = self.x(hz)
            parts.append(_rule(x, TOP, x, bottom, colours.grid))
            parts.append(_text(x, bottom + 14, _hz(hz), "middle"))
        for value in self._value_ticks():
            y = self.y(value)
            parts.append(_rule(LEFT, y, self._one.width - RIGHT, y, colours.grid))
            parts.append(_text(LEFT - 4, y + 4, f"{value:g}", "end"))
        return parts

    def _hz_ticks(self) -> list[float]:
        if self._one.logarithmic:
            decades = range(-1, 6)
            return [10.0**n for n in decades if self._low_hz <= 10.0**n <= self._high_hz]
        step = _step(self._high_hz)
        return [n * step for n in range(int(self._high_hz / step) + 1)]

    def _value_ticks(self) -> list[float]:
        if self._one.logarithmic:
            return [10.0**n for n in range(int(self._low), int(self._top) + 1)]
        step = _step(self._top)
        return [n * step for n in range(int(self._top / step) + 1)]

    def line(self, colours: Colours) -> str:
        """The spectrum itself."""
        way = "".join(
            f"{'L' if at else 'M'}{self.x(hz):.1f} {self.y(value):.1f}"
            for at, (hz, value) in enumerate(self._one.points)
        )
        return f'<path d="{way}" fill="none" stroke="{colours.line}" stroke-width="1.2"/>'

    def cursors(self, colours: Colours) -> list[str]:
        """A dashed line and a name at each frequency on the axis; near names are staggered."""
        parts, last = [], [-math.inf] * LEVELS
        for cursor in sorted(self._one.cursors, key=lambda c: c.hz):
            if not self._low_hz < cursor.hz <= self._high_hz:
                continue
            x = self.x(cursor.hz)
            half = LETTER_PX * len(cursor.name) / 2
            level = next((n for n in range(LEVELS) if x - half >= last[n]), LEVELS - 1)
            last[level] = x + half
            y = 23 + 9 * level
            parts.append(
                _rule(x, y + 1, x, self._one.height - BOTTOM, colours.text, dash="2 3")
            )
            parts.append(_text(x, y, cursor.name, "middle", size=9))
        return parts


def _step(span: float) -> float:
    """A round distance that makes four to ten of them."""
    size = 10.0 ** math.floor(math.log10(max(span, 1e-9)))
    return next(size * n for n in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0) if span / (size * n) <= 6)


def _hz(hz: float) -> str:
    return f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}"


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{colour}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, anchor: str, size: int = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">'
        f"{plain(text)}</text>"
    )
