"""What an engineer draws over a picture, checked: one clear line for what cannot be used."""

import math
from collections.abc import Sequence

from apps.retail_analytics.domain import Point

SMALLEST_LINE_PX, SMALLEST_ZONE_PX2 = 2.0, 16.0


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


def nadir(point: Sequence[float], height: int) -> Point | None:
    """Where upright edges meet, from settings; raises ValueError unless below the picture."""
    if not point:
        return None
    if len(point) != 2 or not all(map(math.isfinite, point)):
        raise ValueError("nadir: is [x, y]")
    if point[1] <= height:
        raise ValueError(
            f"nadir: must lie below the picture of {height} px; from above, "
            "anchor = 'centre' places people by their heads"
        )
    return point[0], point[1]


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
