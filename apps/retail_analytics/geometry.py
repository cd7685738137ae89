"""Lines, zones and the way from a picture to the floor: plain plane geometry, checked.

One convention holds everywhere: going over a line P1 → P2 is "in" when the point moves from
the negative to the positive side of (x2−x1)(y−y1) − (y2−y1)(x−x1), in px of the picture
(x to the right, y down). A floor whose y runs the other way keeps that direction.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.domain import STANDING_M, Box, Point


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

    def width(self, step: Point) -> float:
        """How far a step leads towards the line or away from it."""
        return abs(self.distance((self.start[0] + step[0], self.start[1] + step[1])))

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


STEEPEST = 0.5
"""How far sideways per px of height a body is taken to lean at most."""
NEAREST = 1e-12
"""In place of the depth on the horizon itself: as far away as makes no difference."""


class Floor:
    """The way from px to metres on the floor; without a homography, px stay px."""

    def __init__(
        self, matrix: NDArray[np.float64] | None = None, nadir: Point | None = None
    ) -> None:
        """`nadir` is where upright edges meet, px below the picture; None: they are upright."""
        self.matrix, self.nadir = matrix, nadir
        self._rows = None if matrix is None else matrix.tolist()

    def foot(self, box: Box) -> Point:
        """Where in the picture the person in a box stands.

        The middle of the lower edge; a wide-angle camera shows people leaning, and then
        their feet are nearer one corner of the box.
        """
        left, top, right, bottom = box
        middle = (left + right) / 2
        if self.nadir is None:
            return middle, bottom
        depth = max(self.nadir[1] - bottom, 1.0)
        lean = max(-STEEPEST, min(STEEPEST, (self.nadir[0] - middle) / depth))
        return middle + lean * (bottom - top) / 2, bottom

    @property
    def known(self) -> bool:
        """Whether there is a homography."""
        return self._rows is not None

    def project(self, point: Point) -> Point:
        """A point in px to the floor in m; as it is where that is not known."""
        if self._rows is None:
            return point
        x, y = point
        (a, b, c), (d, e, f), (g, h, i) = self._rows
        depth = g * x + h * y + i or NEAREST
        return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth

    def metre(self, height_px: float, person_m: float = STANDING_M) -> float:
        """What one metre is where a box so high stands, in plane units."""
        return 1.0 if self.known else max(height_px / person_m, 1e-6)

    def mirrored(self, point: Point) -> bool:
        """Whether turning clockwise in the picture is anti-clockwise on the floor there."""
        x, y = point
        x0, y0 = self.project(point)
        (ax, ay), (bx, by) = self.project((x + 1.0, y)), self.project((x, y + 1.0))
        return (ax - x0) * (by - y0) - (ay - y0) * (bx - x0) < 0

    def line(self, name: str, start: Point, end: Point) -> Line:
        """A line drawn in px, in the plane."""
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        return Line(name, self.project(start), self.project(end), self.mirrored(middle))

    def zone(self, name: str, polygon: Sequence[Point]) -> Zone:
        """A zone drawn in px, in the plane."""
        return Zone(name, tuple(self.project(corner) for corner in polygon))


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
    matrix = _fitted(here, there)
    floor = from_matrix(matrix, here)
    error = max(
        math.dist(floor.project(point), place)
        for point, place in zip(picture_px, floor_m, strict=True)
    )
    if error > 0.05 * np.ptp(there, axis=0).max():
        raise ValueError(f"the homography's points do not fit: one is {error:.2f} m off")
    return floor


def _fitted(here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """The homography that maps `here` to `there` best: direct linear transform, normalised."""
    one, other = _evened(here), _evened(there)
    rows = []
    a, b = _mapped(one, here), _mapped(other, there)
    for (x, y), (u, v) in zip(a, b, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    matrix = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    return np.asarray(np.linalg.inv(other) @ matrix @ one, np.float64)


def _evened(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """What moves points to mean 0 and size 1, so that the fit is well conditioned."""
    centre, spread = points.mean(0), max(float(points.std()), 1e-9)
    x, y = centre / spread
    return np.array([[1 / spread, 0, -x], [0, 1 / spread, -y], [0, 0, 1.0]])


def _mapped(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


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
        return bool(min(areas) < 1e-6 * spread**2)
    centred = points - points.mean(0)
    return bool(np.linalg.svd(centred, compute_uv=False)[1] < 1e-6 * spread)


def _cross(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
