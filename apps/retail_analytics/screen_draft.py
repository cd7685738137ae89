"""What an engineer draws over a camera's picture, before it is applied. Pure.

A draft is a camera of the station's set-up, changed. It is checked by the same rules that
the station checks it by; the station has the last word.
"""

from dataclasses import dataclass, replace
from typing import Any

from apps.retail_analytics.camera import (
    CameraSettings,
    HomographySettings,
    LineSettings,
    MaskSettings,
    ZoneSettings,
)
from apps.retail_analytics.domain import Point
from apps.retail_analytics.geometry import Zone
from common.screen.document import Document
from common.screen.language import mark, tr

LINE, ZONE, MASK, FLOOR = "line", "zone", "mask", "floor"
KINDS = {LINE: mark("Line"), ZONE: mark("Zone"), MASK: mark("Mask")}
MOST_POINTS, FARTHEST = 100, 1e6
GRID = 48
"""Points across the picture at which it is looked at for how much of it is masked."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A line, a zone, a mask, or the points that are known on the floor."""

    kind: str
    name: str
    points: tuple[Point, ...] = ()
    """px."""
    door: bool = False
    queue: bool = False
    till: str = ""
    floor_m: tuple[Point, ...] = ()
    """Of FLOOR: where the points are in metres, as far as it is said."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A camera's drawing."""

    camera: str
    width: int
    height: int
    anchor: str = "foot"
    person_m: float = 1.7
    shapes: tuple[Shape, ...] = ()
    version: int | None = None
    """Of the set-up that it began with."""

    @property
    def floor(self) -> Shape:
        """The points that are known on the floor."""
        return next((s for s in self.shapes if s.kind == FLOOR), Shape(FLOOR, ""))

    def of(self, kind: str) -> tuple[Shape, ...]:
        """Its lines, zones or masks."""
        return tuple(shape for shape in self.shapes if shape.kind == kind)

    def with_shape(self, at: int, shape: Shape) -> "Draft":
        """The same with another shape at a place."""
        shapes = list(self.shapes)
        shapes[at] = shape
        return replace(self, shapes=tuple(shapes))


def draft_of(camera: Document, version: int | None) -> Draft:
    """The drawing that is in force at a camera; of what cannot be read nothing."""
    shapes = [
        *(Shape(LINE, one.text("name"), points(one, "points"), door=one.flag("door") is True)
          for one in camera.documents("lines")),
        *(Shape(ZONE, one.text("name"), points(one, "polygon"),
                queue=one.flag("queue") is True, till=one.text("till"))
          for one in camera.documents("zones")),
        *(Shape(MASK, one.text("name"), points(one, "polygon"))
          for one in camera.documents("masks")),
    ]  # fmt: skip
    known = camera.at("homography")
    shapes.append(
        Shape(FLOOR, "", points(known, "picture_px"), floor_m=points(known, "floor_m"))
    )
    return Draft(
        camera.text("name"), camera.whole("width") or 640, camera.whole("height") or 480,
        camera.text("anchor") or "foot", camera.number("person_m") or 1.7, tuple(shapes),
        version,
    )  # fmt: skip


def points(found: Document, name: str) -> tuple[Point, ...]:
    """The pairs of a list."""
    return tuple((row[0], row[1]) for row in found.rows(name) if len(row) == 2)


# -------------------------------------------------------------------------------- as text


def as_text(some: tuple[Point, ...]) -> str:
    """A point per line: 503, 240."""
    return "\n".join(f"{x:g}, {y:g}" for x, y in some)


def from_text(text: str) -> tuple[Point, ...]:
    """The points of a text, one per line; raises ValueError with the line that is none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.replace(",", " ").replace(";", " ").split()
        if not words:
            continue
        try:
            x, y = (_number(word) for word in words)
        except ValueError:
            raise ValueError(
                tr(
                    "row {n}: “{row}” is not two numbers, as in 120, 80",
                    n=number,
                    row=line.strip(),
                )
            ) from None
        found.append((x, y))
    if len(found) > MOST_POINTS:
        raise ValueError(
            tr("{n} points are too many: {most} at most", n=len(found), most=MOST_POINTS)
        )
    return tuple(found)


def _number(word: str) -> float:
    """A number that a picture or a shop can have; raises ValueError."""
    value = float(word)
    if not abs(value) <= FARTHEST:
        raise ValueError(word)
    return value


# ------------------------------------------------------------------------------- checking


def wrong_with(draft: Draft) -> str:
    """What the station would refuse in a draft, in its words; "" where nothing is wrong."""
    nameless = next(
        (shape for shape in draft.shapes if shape.kind != FLOOR and not shape.name), None
    )
    if nameless:
        return tr("a {kind} has no name", kind=tr(KINDS[nameless.kind]))
    floor = draft.floor
    if len(floor.points) != len(floor.floor_m):
        return tr(
            "the floor has {n} points in the picture and {m} in metres",
            n=len(floor.points), m=len(floor.floor_m),
        )  # fmt: skip
    known = HomographySettings(floor.points, floor.floor_m) if floor.points else None
    lines = (LineSettings(s.name, s.points, s.door) for s in draft.of(LINE))
    zones = (ZoneSettings(s.name, s.points, s.queue, s.till) for s in draft.of(ZONE))
    masks = (MaskSettings(s.name, s.points) for s in draft.of(MASK))
    try:
        if known is not None:
            known.floor()
        CameraSettings(
            draft.camera, width=draft.width, height=draft.height, anchor=draft.anchor,
            person_m=draft.person_m, line=tuple(lines), zone=tuple(zones), mask=tuple(masks),
            homography=known,
        )  # fmt: skip
    except ValueError as error:
        return str(error)
    return ""


def masked_share(draft: Draft) -> float:
    """How much of the picture nobody will ever look at, 0 to 1."""
    zones = [Zone(s.name, s.points) for s in draft.of(MASK) if len(s.points) > 2]
    if not zones:
        return 0.0
    spots = [
        ((x + 0.5) * draft.width / GRID, (y + 0.5) * draft.height / GRID)
        for x in range(GRID)
        for y in range(GRID)
    ]
    return sum(any(zone.holds(spot) for zone in zones) for spot in spots) / len(spots)


def command_of(draft: Draft, reason: str) -> dict[str, Any]:
    """The arguments of setup.apply."""
    floor = draft.floor
    homography = {"picture_px": _pairs(floor.points), "floor_m": _pairs(floor.floor_m)}
    said: dict[str, Any] = {
        "camera": draft.camera,
        "lines": [
            {"name": s.name, "points": _pairs(s.points), "door": s.door} for s in draft.of(LINE)
        ],
        "zones": [
            {"name": s.name, "polygon": _pairs(s.points), "queue": s.queue, "till": s.till}
            for s in draft.of(ZONE)
        ],
        "masks": [{"name": s.name, "polygon": _pairs(s.points)} for s in draft.of(MASK)],
        "homography": homography if floor.points else None,
        "reason": reason,
    }
    return said if draft.version is None else said | {"version": draft.version}


def _pairs(some: tuple[Point, ...]) -> list[list[float]]:
    return [[x, y] for x, y in some]
