"""The floor plan as a drawing: zones, lines, and where people spent their time. Pure.

There is no camera picture in it. A blank cell says nothing: nobody, or fewer than k people.
"""

import math
from dataclasses import dataclass

import numpy as np

from apps.retail_analytics.domain import Point
from apps.retail_analytics.screen_floor import Cell, Outline, Plan
from common.plot import Colours, plain
from common.screen.document import count
from common.screen.language import THIN, decimal, tr

WIDTH, HEIGHT = 430, 250
TOP, FOOT, SIDE = 20, 22, 10
"""px around the plan for its title and its scale."""
STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Distances of the grid's lines, in m or px."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """From the floor to px of the drawing."""

    left: float
    low: float
    high: float
    scale: float
    up: bool

    def __call__(self, x: float, y: float) -> Point:
        down = (self.high - y) if self.up else (y - self.low)
        return SIDE + (x - self.left) * self.scale, TOP + down * self.scale


def svg(plan: Plan, colours: Colours) -> str:
    """The plan as an SVG element."""
    frame = _frame(plan)
    longest = max(plan.seconds.values(), default=0.0)
    said = tr("{camera}: time people spent, today", camera=plan.camera)
    none = "" if plan.seconds else tr("nothing of the floor was told yet")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="12"'
        f' fill="{colours.text}">',
        f"<title>{plain(said)}</title>",
        f'<rect width="100%" height="100%" fill="{colours.ground}"/>',
        *_grid(plan, frame, colours),
        *(_cell(cell, s / longest, plan.cell, frame, colours)
          for cell, s in plan.seconds.items() if s > 0),
        *(_outline(one, frame, colours) for one in plan.outlines),
        f'<text x="{SIDE}" y="14" font-weight="700">{plain(said)}</text>',
        f'<text x="{SIDE}" y="{HEIGHT - 7}">{plain(none or _legend(plan, longest))}</text>',
        "</svg>",
    ]  # fmt: skip
    return "".join(parts)


def _legend(plan: Plan, longest: float) -> str:
    return tr(
        "strongest {n} person-min · blank: fewer than {k} people · grid {step}",
        n=decimal(longest / 60, 1), k=count(plan.k),
        step=f"{count(_step(plan))}{THIN}{plan.unit}",
    )  # fmt: skip


def _places(plan: Plan) -> list[Point]:
    cells = [(x * plan.cell, y * plan.cell) for x, y in plan.seconds]
    cells += [((x + 1) * plan.cell, (y + 1) * plan.cell) for x, y in plan.seconds]
    drawn = [point for one in plan.outlines for point in one.points]
    found = [p for p in (*cells, *drawn, *plan.extent) if np.isfinite(p).all()]
    return found or [(0.0, 0.0), (1.0, 1.0)]


def _frame(plan: Plan) -> _Frame:
    places = np.array(_places(plan))
    (left, low), (right, high) = places.min(0), places.max(0)
    pad = 0.04 * max(right - left, high - low, 1e-3)
    wide, tall = right - left + 2 * pad, high - low + 2 * pad
    scale = min((WIDTH - 2 * SIDE) / wide, (HEIGHT - TOP - FOOT) / tall)
    return _Frame(float(left - pad), float(low - pad), float(high + pad), float(scale), plan.up)


def _step(plan: Plan) -> float:
    places = np.array(_places(plan))
    span = float(np.ptp(places, axis=0).max())
    return next((step for step in STEPS if span / step <= 16), STEPS[-1])


def _grid(plan: Plan, frame: _Frame, colours: Colours) -> list[str]:
    step = _step(plan)
    (left, low), (right, high) = np.array(_places(plan)).min(0), np.array(_places(plan)).max(0)
    across = range(math.ceil(left / step), math.floor(right / step) + 1)
    down = range(math.ceil(low / step), math.floor(high / step) + 1)
    ends = [
        *(((n * step, low), (n * step, high)) for n in across),
        *(((left, n * step), (right, n * step)) for n in down),
    ]
    return [_rule(frame(*start), frame(*end), colours.grid) for start, end in ends]


def _cell(cell: Cell, share: float, size: float, frame: _Frame, colours: Colours) -> str:
    (x1, y1), (x2, y2) = (frame((cell[0] + n) * size, (cell[1] + n) * size) for n in (0, 1))
    return (
        f'<rect x="{min(x1, x2):.1f}" y="{min(y1, y2):.1f}" width="{abs(x2 - x1):.1f}"'
        f' height="{abs(y2 - y1):.1f}" fill="{colours.line}"'
        f' fill-opacity="{0.12 + 0.78 * share:.2f}"/>'
    )


def _outline(one: Outline, frame: _Frame, colours: Colours) -> str:
    points = [frame(*point) for point in one.points]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    name, stroke = "polygon" if one.closed else "polyline", 1.2 if one.closed else 3
    drawn = (
        f'<{name} points="{way}" fill="none" stroke="{colours.text}" stroke-width="{stroke}"/>'
    )
    x = sum(x for x, _ in points) / len(points)
    y = sum(y for _, y in points) / len(points)
    if one.closed:
        return drawn + _label(x, y, one.name, colours)
    tip_x = x + 22 * one.inward[0]
    tip_y = y + 22 * one.inward[1] * (-1 if frame.up else 1)
    arrow = _rule((x, y), (tip_x, tip_y), colours.text, 2)
    below = 12 if tip_y >= y else -4
    text = _label(tip_x, tip_y + below, f"{one.name} {tr('in')}", colours)
    return drawn + arrow + f'<circle cx="{tip_x:.1f}" cy="{tip_y:.1f}" r="3.5"/>' + text


def _label(x: float, y: float, text: str, colours: Colours) -> str:
    return (
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11"'
        f' stroke="{colours.ground}" stroke-width="3" paint-order="stroke">{plain(text)}</text>'
    )


def _rule(start: Point, end: Point, colour: str, width: float = 1) -> str:
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"'
        f' stroke-width="{width}"/>'
    )
