"""The set-up picture: coarse colours with everything that is drawn over them, in px. Pure.

It is SVG text of a few hundred rectangles: there is no image in it, and none is made of it.
Masks cover what they will cover. "In" and "out" stand on their sides of a line.
"""

import math
from collections.abc import Sequence

import numpy as np

from apps.retail_analytics.domain import Point
from apps.retail_analytics.geometry import fit_floor
from apps.retail_analytics.screen_draft import FLOOR, LINE, MASK, Draft, Shape
from common.plot import plain
from common.screen.document import Document
from common.screen.language import tr

INK, PAPER, MASKED, EMPTY_GREY = "#101010", "#FFFFFF", "#727272", "#9A9A9A"
"""Drawn dark on light and light on dark: colours of a shop can be any."""
MOST_CELLS = 64
Colours = tuple[tuple[str, ...], ...]
"""Rows of colours as #rrggbb."""


def colours_of(cells: object) -> Colours:
    """The cells of a mosaic; empty where they are none."""
    rows = cells if isinstance(cells, list) else []
    made = [Document({"row": row}).rows("row")[:MOST_CELLS] for row in rows[:MOST_CELLS]]
    even = bool(made) and all(row and len(row) == len(made[0]) for row in made)
    return tuple(tuple(map(_colour, row)) for row in made) if even else ()


def _colour(cell: Sequence[float]) -> str:
    red, green, blue = (min(255, max(0, round(v))) for v in (*cell, 0.0, 0.0, 0.0)[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def svg(draft: Draft, colours: Colours, chosen: int) -> str:
    """The picture of a draft; `chosen` is the shape whose points are numbered."""
    width, height = draft.width, draft.height
    size = height / 36
    shapes = sorted(enumerate(draft.shapes), key=lambda e: (e[1].kind != MASK, e[0] == chosen))
    said = tr("Picture of {camera}, {w} × {h} px", camera=draft.camera, w=width, h=height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' font-family="sans-serif" font-size="{size:.1f}" stroke-linejoin="round">',
        f"<title>{plain(said)}</title>",
        f'<rect width="{width}" height="{height}" fill="{EMPTY_GREY}"/>',
        *_cells(colours, width, height),
        *_floor_grid(draft),
        *(_shape(shape, draft, at == chosen) for at, shape in shapes),
        "</svg>",
    ]
    return "".join(parts)


def _cells(colours: Colours, width: int, height: int) -> list[str]:
    if not colours:
        return []
    wide, high = width / len(colours[0]), height / len(colours)
    return [
        f'<rect x="{x * wide:.2f}" y="{y * high:.2f}" width="{wide + 0.3:.2f}"'
        f' height="{high + 0.3:.2f}" fill="{colour}"/>'
        for y, row in enumerate(colours)
        for x, colour in enumerate(row)
    ]


def _shape(shape: Shape, draft: Draft, chosen: bool) -> str:
    if not shape.points:
        return ""
    unit = draft.height / 240
    if shape.kind == LINE:
        drawn = _line(shape, unit, chosen)
    elif shape.kind == FLOOR:
        drawn = "".join(
            _cross(p, _measured(shape, at), draft) for at, p in enumerate(shape.points)
        )
    else:
        drawn = _area(shape, unit, chosen)
    numbers = shape.points if chosen and shape.kind != FLOOR else ()
    return drawn + "".join(
        f'<circle cx="{x:g}" cy="{y:g}" r="{2 * unit:.1f}" fill="{PAPER}" stroke="{INK}"/>'
        + _text(x + 4 * unit, y - 2 * unit, str(at), "start")
        for at, (x, y) in enumerate(numbers, 1)
    )


def _area(shape: Shape, unit: float, chosen: bool) -> str:
    way = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
    fill = MASKED if shape.kind == MASK else "none"
    dash = f' stroke-dasharray="{3 * unit:.1f} {2 * unit:.1f}"' if shape.kind == MASK else ""
    if shape.queue:
        dash = f' stroke-dasharray="{8 * unit:.1f} {2 * unit:.1f}"'
    width = (1.8 if chosen else 1.0) * unit
    halo = f'stroke="{PAPER}" stroke-width="{2 * width:.1f}"'
    edge = f'stroke="{INK}" stroke-width="{width:.1f}"{dash}'
    outlines = (
        f'<polygon points="{way}" fill="{fill}" {halo}/>'
        f'<polygon points="{way}" fill="none" {edge}/>'
    )
    x = sum(x for x, _ in shape.points) / len(shape.points)
    y = sum(y for _, y in shape.points) / len(shape.points)
    return outlines + _text(x, y, _name(shape))


def _name(shape: Shape) -> str:
    if shape.kind == MASK:
        return tr("mask {name}", name=shape.name)
    return f"{shape.name} → {shape.till}" if shape.queue else shape.name


def _line(shape: Shape, unit: float, chosen: bool) -> str:
    """The line, an arrow across it, and a word on each of its sides."""
    if len(shape.points) < 2:
        return ""
    (x1, y1), (x2, y2) = shape.points[0], shape.points[1]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    inward = (-(y2 - y1) / length, (x2 - x1) / length)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    width = (3 if chosen else 2) * unit
    tip = x + 22 * unit * inward[0], y + 22 * unit * inward[1]
    said = (
        _text(x + 32 * unit * inward[0], y + 32 * unit * inward[1], tr("in")),
        _text(x - 14 * unit * inward[0], y - 14 * unit * inward[1], tr("out")),
        _text(x1, y1 - 10 * unit, shape.name),
    )
    return _stroke((x1, y1), (x2, y2), width) + _arrow((x, y), tip, unit) + "".join(said)


def _arrow(start: Point, tip: Point, unit: float) -> str:
    way = math.atan2(tip[1] - start[1], tip[0] - start[0])
    back = [(tip[0] - 7 * unit * math.cos(way + turn), tip[1] - 7 * unit * math.sin(way + turn))
            for turn in (0.5, -0.5)]  # fmt: skip
    head = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, *back))
    return (
        _stroke(start, tip, 1.5 * unit)
        + f'<polygon points="{head}" fill="{INK}" stroke="{PAPER}" stroke-width="{unit:.1f}"/>'
    )


def _stroke(start: Point, end: Point, width: float) -> str:
    (x1, y1), (x2, y2) = start, end
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return (
        f'<line {place} stroke="{PAPER}" stroke-width="{2 * width:.1f}"/>'
        f'<line {place} stroke="{INK}" stroke-width="{width:.1f}"/>'
    )


def _cross(point: Point, text: str, draft: Draft) -> str:
    """A measured point; its words run inwards where it is near the right edge."""
    (x, y), unit = point, draft.height / 240
    arm, end = 4 * unit, x > 0.8 * draft.width
    words = _text(x + (-5 if end else 5) * unit, y - 3 * unit, text, "end" if end else "start")
    return (
        _stroke((x - arm, y), (x + arm, y), 0.8 * unit)
        + _stroke((x, y - arm), (x, y + arm), 0.8 * unit)
        + words
    )


def _measured(floor: Shape, at: int) -> str:
    if at >= len(floor.floor_m):
        return f"{at + 1}: ? m"
    x, y = floor.floor_m[at]
    return f"{at + 1}: {x:g}, {y:g} m"


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}" stroke="{PAPER}"'
        ' stroke-width="3" paint-order="stroke" dominant-baseline="middle">'
        f"{plain(text)}</text>"
    )


def _floor_grid(draft: Draft) -> list[str]:
    """Metres of the floor, drawn where the draft says that they are: wrong ones are seen."""
    floor = draft.floor
    try:
        matrix = fit_floor(floor.points, floor.floor_m).matrix
        back = np.linalg.inv(matrix) if matrix is not None else None
    except (ValueError, np.linalg.LinAlgError):
        return []
    if back is None:
        return []
    measured = np.array(floor.floor_m)
    (left, low), (right, high) = np.floor(measured.min(0)), np.ceil(measured.max(0))
    if right - left > MOST_CELLS or high - low > MOST_CELLS:
        return []
    across = [((x, low), (x, high)) for x in np.arange(left, right + 1)]
    down = [((left, y), (right, y)) for y in np.arange(low, high + 1)]
    return [_projected(back, np.array(ends, np.float64)) for ends in (*across, *down)]


def _projected(back: np.ndarray, ends: np.ndarray) -> str:
    mapped = np.column_stack([ends, np.ones(2)]) @ back.T
    if (mapped[:, 2] * mapped[0, 2] <= 0).any():  # one end is behind the horizon
        return ""
    (x1, y1), (x2, y2) = mapped[:, :2] / mapped[:, 2:]
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{PAPER}"'
        ' stroke-opacity="0.75" stroke-width="1.5"/>'
    )
