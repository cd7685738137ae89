"""Where people spent their time on a floor, and what the set-up draws on it. Pure.

Everything is in metres where the camera knows its floor, else in px of its picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.retail_analytics.camera import as_points
from apps.retail_analytics.domain import Point
from apps.retail_analytics.geometry import Floor, fit_floor
from common.screen.document import Document

Cell = tuple[int, int]
MOST = 10_000
"""Cells from the origin; what is further away is no shop."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A zone or a line on the floor."""

    name: str
    points: tuple[Point, ...]
    closed: bool = True
    inward: Point = (0.0, 0.0)
    """Of a line: the way that is "in", of length 1."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One camera's floor with what is drawn on it and how long people stood where."""

    camera: str
    unit: str = "m"
    outlines: tuple[Outline, ...] = ()
    extent: tuple[Point, ...] = ()
    """Places that must be in it."""
    up: bool = False
    """The floor's y runs upwards, where the picture's runs down."""
    cell: float = 0.5
    seconds: dict[Cell, float] = field(default_factory=dict)
    k: int = 0


def plan_of(camera: Document, records: Sequence[Document]) -> Plan:
    """The plan of a camera of the set-up, with the sum of what was published of its floor."""
    name, floor = camera.text("name"), floor_of(camera)
    size = camera.number("width") or 640.0, camera.number("height") or 480.0
    own = [one for one in records if one.text("camera") == name and one.at("heat")]
    newest = own[-1].at("heat") if own else Document()
    outlines = (
        *(_zone(zone, floor) for zone in camera.documents("zones")),
        *(_line(line, floor) for line in camera.documents("lines")),
    )
    known = floor is not None and floor.known
    measured = camera.at("homography")
    corners = [(0.0, 0.0), size]
    extent = points_of(measured, "floor_m") if known else corners
    middle = size[0] / 2, size[1] / 2
    return Plan(
        name, newest.text("unit") or ("m" if known else "px"),
        tuple(one for one in outlines if one.points), tuple(extent),
        up=floor is not None and floor.mirrored(middle),
        cell=newest.number("cell") or 0.5, seconds=_summed(own, newest),
        k=own[-1].whole("k") or 0 if own else 0,
    )  # fmt: skip


def floor_of(camera: Document) -> Floor | None:
    """The way to a camera's floor; None where what is set is none."""
    found = camera.at("homography")
    if not found:
        return Floor()
    try:
        return fit_floor(points_of(found, "picture_px"), points_of(found, "floor_m"))
    except ValueError:
        return None


def points_of(found: Document, name: str) -> list[Point]:
    """A list of pairs of a document; empty where it is none."""
    pairs = found.rows(name)
    return as_points(pairs, name) if all(len(pair) == 2 for pair in pairs) else []


def _zone(zone: Document, floor: Floor | None) -> Outline:
    points = points_of(zone, "polygon")
    if floor is None or len(points) < 3:
        return Outline(zone.text("zone"), ())
    return Outline(zone.text("name"), floor.zone("", points).polygon)


def _line(line: Document, floor: Floor | None) -> Outline:
    points = points_of(line, "points")
    if floor is None or len(points) != 2:
        return Outline(line.text("name"), (), closed=False)
    drawn = floor.line("", points[0], points[1])
    (x1, y1), (x2, y2) = drawn.start, drawn.end
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    way = -1.0 if drawn.mirrored else 1.0
    inward = (-way * (y2 - y1) / length, way * (x2 - x1) / length)
    return Outline(line.text("name"), (drawn.start, drawn.end), False, inward)


def _summed(own: Sequence[Document], newest: Document) -> dict[Cell, float]:
    """Person-seconds by cell, of the records whose cells are the newest one's."""
    total: dict[Cell, float] = {}
    for heat in (record.at("heat") for record in own):
        same = (heat.number("cell"), heat.text("unit")) == (
            newest.number("cell"), newest.text("unit"))  # fmt: skip
        for entry in heat.rows("cells") if same else ():
            if len(entry) == 3 and abs(entry[0]) < MOST and abs(entry[1]) < MOST:
                cell = (int(entry[0]), int(entry[1]))
                total[cell] = total.get(cell, 0.0) + entry[2]
    return total
