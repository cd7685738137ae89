"""scene.toml: the lines and zones that somebody drew over a clip's picture."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from apps.retail_analytics import drawing
from apps.retail_analytics.domain import STANDING_M, Point
from apps.retail_analytics.geometry import Line, Zone
from common.config import from_table, read_toml, setting
from common.errors import ConfigError

SCENE = "scene.toml"


@dataclass(frozen=True)
class DrawnLine:
    """A line as it stands in scene.toml."""

    name: str = setting()
    points: tuple[tuple[float, ...], ...] = setting()


@dataclass(frozen=True)
class DrawnZone:
    """A zone as it stands in scene.toml."""

    name: str = setting()
    polygon: tuple[tuple[float, ...], ...] = setting()


@dataclass(frozen=True)
class SceneFile:
    """scene.toml: what is drawn over the picture, in px."""

    clip: str = setting("")
    """The clip's file name, where it is not clip.mp4; it may lie elsewhere (`watched.py`)."""
    line: tuple[DrawnLine, ...] = ()
    zone: tuple[DrawnZone, ...] = ()
    fps: float = setting(0.0, low=0.0, high=240.0, unit="1/s")
    """0 is what the clip says, or 25."""
    width: int = setting(0, low=0)
    height: int = setting(0, low=0)
    """Of the picture that was drawn over; 0 is not said."""
    person_m: float = setting(STANDING_M, low=0.2, high=2.5, unit="m")
    nadir: tuple[float, ...] = ()
    """As the camera's in app.toml: where upright edges meet below the picture, px."""


def read_scene(path: Path) -> SceneFile:
    """scene.toml, checked; raises ConfigError."""
    table = read_toml(path)
    known = {key: table[key] for key in table if key in SceneFile.__dataclass_fields__}
    scene = from_table(SceneFile, known, path)
    if not scene.line and not scene.zone:
        raise ConfigError(
            f"{path}: needs at least one [[line]] with name and points, or [[zone]] with "
            "name and polygon"
        )
    for kind, drawings in (("lines", scene.line), ("zones", scene.zone)):
        again = [name for name, n in Counter(one.name for one in drawings).items() if n > 1]
        if again:
            raise ConfigError(f"{path}: has two {kind} named {again[0]}")
    width, height = scene.width or 10**6, scene.height or 10**6
    try:
        drawing.nadir(scene.nadir, scene.height)
        for line in scene.line:
            drawing.check_line(line.name, _pairs(line.points), width, height)
        for zone in scene.zone:
            drawing.check_polygon(f"zone {zone.name}", _pairs(zone.polygon), width, height)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    return scene


def drawn(scene: SceneFile) -> tuple[tuple[Line, ...], tuple[Zone, ...]]:
    """The scene's lines and zones in px."""
    lines = tuple(_line(line) for line in scene.line)
    return lines, tuple(Zone(zone.name, tuple(_pairs(zone.polygon))) for zone in scene.zone)


def _line(line: DrawnLine) -> Line:
    start, end = _pairs(line.points)
    return Line(line.name, start, end)


def _pairs(points: tuple[tuple[float, ...], ...]) -> list[Point]:
    if any(len(point) != 2 for point in points):
        raise ValueError("every point is [x, y]")
    return [(point[0], point[1]) for point in points]
