"""Lines, zones and the way from a picture to the floor: plain plane geometry, checked.

One convention holds everywhere: going over a line P1 → P2 is "in" when the point moves from
the negative to the positive side of (x2−x1)(y−y1) − (y2−y1)(x−x1), in px of the picture
(x to the right, y down). A floor whose y runs the other way keeps that direction.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.domain import STANDING_M, Point

SMALLEST_LINE_PX, SMALLEST_ZONE_PX2 = 2.0, 16.0


@dataclass(frozen=True, slots=True)
class Line:
    """A directed, finite line in the plane that people are counted in."""

    name: str
    start: Point
    end: Point
    mirrored: bool = False
    """The plane shows the picture as a mirror does: sides change their sign."""

    def distance(self, point: Point) -> float:
        """How far `point` is from the line's infinite extension; > 0 is the "in" side."""
        (x1, y1), (x2, y2) = self.start, self.end
        cross = (x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)
        signed = cross / math.hypot(x2 - x1, y2 - y1)
        return -signed if self.mirrored else signed

    def crossed(self, here: Point, there: Point) -> bool:
        """Whether the way from `here` to `there` goes through the finite line.

        A place exactly on it is of the "in" side, so a way cut in two there crosses once.
        """
        one, other = self.distance(here), self.distance(there)
        if (one < 0) == (other < 0):
            return False
        share = one / (one - other)
        x = here[0] + share * (there[0] - here[0])
        y = here[1] + share * (there[1] - here[1])
        (x1, y1), (x2, y2) = self.start, self.end
        along = (x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)
        return 0.0 <= along <= (x2 - x1) ** 2 + (y2 - y1) ** 2


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon in the plane that people are counted in."""

    name: str
    polygon: tuple[Point, ...]

    def holds(self, point: Point) -> bool:
        """Whether a point lies in it (even-odd rule; a border belongs to one side only)."""
        x, y = point
        inside = False
        x1, y1 = self.polygon[-1]
        for x2, y2 in self.polygon:
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
            x1, y1 = x2, y2
        return inside


class Floor:
    """The way from px to metres on the floor; without a homography, px stay px."""

    def __init__(self, matrix: NDArray[np.float64] | None = None) -> None:
        self.matrix = matrix

    @property
    def known(self) -> bool:
        """Whether there is a homography."""
        return self.matrix is not None

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points [n, 2] in px to the floor [n, 2] in m; as they are where it is not known."""
        if self.matrix is None:
            return np.asarray(points, np.float64)
        homogeneous = np.column_stack([points, np.ones(len(points))]) @ self.matrix.T
        return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])

    def metres(
        self, heights_px: NDArray[np.float64], person_m: float = STANDING_M
    ) -> NDArray[np.float64]:
        """What one metre is where boxes of these heights [n] in px stand, in plane units."""
        if self.matrix is not None:
            return np.ones(len(heights_px))
        return np.maximum(np.asarray(heights_px, np.float64) / person_m, 1e-6)

    def mirrored(self, point: Point) -> bool:
        """Whether turning clockwise in the picture is anti-clockwise on the floor there."""
        if self.matrix is None:
            return False
        x, y = point
        corner = self.project(np.array([[x, y], [x + 1.0, y], [x, y + 1.0]]))
        (ax, ay), (bx, by) = corner[1] - corner[0], corner[2] - corner[0]
        return bool(ax * by - ay * bx < 0)

    def line(self, name: str, start: Point, end: Point) -> Line:
        """A line drawn in px, in the plane."""
        ends = self.project(np.array([start, end], np.float64))
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        return Line(name, _point(ends[0]), _point(ends[1]), self.mirrored(middle))

    def zone(self, name: str, polygon: Sequence[Point]) -> Zone:
        """A zone drawn in px, in the plane."""
        corners = self.project(np.array(polygon, np.float64))
        return Zone(name, tuple(_point(corner) for corner in corners))


def _point(pair: NDArray[np.float64]) -> Point:
    return float(pair[0]), float(pair[1])


def fit_floor(picture_px: Sequence[Point], floor_m: Sequence[Point]) -> Floor:
    """The floor from at least four points measured in both; raises ValueError.

    Refused: fewer than four, three of the first four in one row, a horizon that runs
    between the points, and points that do not fit each other.
    """
    if len(picture_px) != len(floor_m) or len(picture_px) < 4:
        raise ValueError("a homography needs four or more points, in px and in m alike")
    here, there = np.array(picture_px, np.float64), np.array(floor_m, np.float64)
    for points, which in ((here, "picture"), (there, "floor")):
        if _in_one_row(points):
            raise ValueError(f"the homography's points lie in one row ({which})")
    matrix, _ = cv2.findHomography(here, there, 0)
    if matrix is None or not np.isfinite(matrix).all():
        raise ValueError("the homography's points give no floor")
    floor = from_matrix(matrix, here)
    error = np.hypot(*(floor.project(here) - there).T).max()
    if error > 0.05 * np.ptp(there, axis=0).max():
        raise ValueError(f"the homography's points do not fit: one is {error:.2f} m off")
    return floor


def from_matrix(matrix: NDArray[np.float64], inside_px: NDArray[np.float64]) -> Floor:
    """The floor of a homography px → m, checked where it is used; raises ValueError."""
    matrix = np.asarray(matrix, np.float64).reshape(3, 3)
    scale = np.abs(matrix).max()
    if not np.isfinite(matrix).all() or scale == 0 or np.linalg.cond(matrix) > 1e12:
        raise ValueError("the homography is degenerate: it maps the picture onto a line")
    depth = np.column_stack([inside_px, np.ones(len(inside_px))]) @ matrix[2]
    if depth.min() * depth.max() <= 0:
        raise ValueError("the homography's horizon runs through the points it shall map")
    return Floor(matrix)


def _in_one_row(points: NDArray[np.float64]) -> bool:
    """Whether any choice of four has not three corners spanning an area."""
    spread = np.ptp(points, axis=0).max()
    if spread <= 0:
        return True
    areas = [
        abs(_cross(points[i], points[j], points[k]))
        for i in range(4)
        for j in range(i + 1, 4)
        for k in range(j + 1, 4)
    ]
    if len(points) == 4:
        return min(areas) < 1e-6 * spread**2
    centred = points - points.mean(0)
    return bool(np.linalg.svd(centred, compute_uv=False)[1] < 1e-6 * spread)


def _cross(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


# ------------------------------------------------------- what a person has drawn


def check_line(name: str, points: Sequence[Point], width: int, height: int) -> None:
    """Raise ValueError unless it is two points in the picture, apart from each other."""
    if len(points) != 2:
        raise ValueError(f"line {name}: has {len(points)} points, needs 2")
    _check_inside(f"line {name}", points, width, height)
    if math.dist(points[0], points[1]) < SMALLEST_LINE_PX:
        raise ValueError(f"line {name}: has no length")


def check_polygon(name: str, points: Sequence[Point], width: int, height: int) -> None:
    """Raise ValueError unless it is a simple polygon with an area, in the picture."""
    if len(points) < 3:
        raise ValueError(f"{name}: has {len(points)} corners, needs 3 or more")
    _check_inside(name, points, width, height)
    if _crosses_itself(points):
        raise ValueError(f"{name}: its outline crosses itself")
    if area(points) < SMALLEST_ZONE_PX2:
        raise ValueError(f"{name}: has no area")


def area(points: Sequence[Point]) -> float:
    """Of a simple polygon."""
    pairs = zip(points, (*points[1:], points[0]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def _check_inside(name: str, points: Sequence[Point], width: int, height: int) -> None:
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= width and 0 <= y <= height):
            raise ValueError(
                f"{name}: ({x:g}, {y:g}) is outside the picture of {width}×{height} px"
            )


def _crosses_itself(points: Sequence[Point]) -> bool:
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    count = len(edges)
    for i in range(count):
        for j in range(i + 1, count):
            neighbours = j == i + 1 or (i == 0 and j == count - 1)
            if not neighbours and _meet(*edges[i], *edges[j]):
                return True
    return False


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments a–b and c–d have a point in common."""
    signs = [_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)]
    if signs[0] != signs[1] and signs[2] != signs[3]:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(s == 0 and _between(*e) for s, e in zip(signs, ends, strict=True))


def _turn(a: Point, b: Point, c: Point) -> int:
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (cross > 0) - (cross < 0)


def _between(a: Point, b: Point, c: Point) -> bool:
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and (
        min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
    )
