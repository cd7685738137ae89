"""One camera as app.toml and the set-up page describe it: checked where it is made.

Where it is from, what is drawn over its picture, and when its picture says nothing. Both
ways in, the file and the screen, end here, so both are refused with the same words.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from apps.retail_analytics import drawing, geometry
from apps.retail_analytics.domain import Point
from apps.retail_analytics.geometry import Floor
from common.config import setting
from common.station_settings import DeviceSettings

Points = tuple[tuple[float, ...], ...]
NAME = re.compile(r"[\w.-]([\w .-]{0,38}[\w.-])?")
MOST_DRAWN, MOST_CORNERS = 32, 64


def as_points(points: Points, what: str) -> list[Point]:
    """Pairs from TOML; raises ValueError for anything that is no pair."""
    if any(len(point) != 2 for point in points):
        raise ValueError(f"{what}: every point is [x, y]")
    return [(point[0], point[1]) for point in points]


@dataclass(frozen=True)
class LineSettings:
    """A line that crossings are counted on, in px of the picture."""

    name: str = setting()
    points: Points = setting()
    door: bool = setting(False)


@dataclass(frozen=True)
class ZoneSettings:
    """A zone that stays are measured in, in px of the picture."""

    name: str = setting()
    polygon: Points = setting()
    queue: bool = setting(False)
    till: str = setting("")


@dataclass(frozen=True)
class MaskSettings:
    """A part of the picture that nothing may ever look at."""

    name: str = setting()
    polygon: Points = setting()


@dataclass(frozen=True)
class HomographySettings:
    """The same points in the picture and on the floor: four or more."""

    picture_px: Points = setting()
    floor_m: Points = setting()

    def floor(self) -> Floor:
        """The way to the floor; raises ValueError when the points give none."""
        picture = as_points(self.picture_px, "homography.picture_px")
        return geometry.fit_floor(picture, as_points(self.floor_m, "homography.floor_m"))


@dataclass(frozen=True)
class ViewLimits:
    """When a picture says nothing of the shop."""

    dark_below: float = setting(12.0, low=0.0, high=255.0)
    blocked_contrast: float = setting(6.0, low=0.0, high=128.0)
    moved_px: float = setting(12.0, low=1.0, high=1000.0, unit="px")
    frozen_s: float = setting(5.0, low=0.2, high=600.0, unit="s")
    least_fps: float = setting(3.0, low=0.0, high=30.0, unit="1/s")


@dataclass(frozen=True)
class CameraSettings:
    """One camera: where it is from, and what is drawn over its picture."""

    name: str = setting()
    device: DeviceSettings = field(default_factory=lambda: DeviceSettings("simulated"))
    width: int = setting(640, low=64, high=7680, unit="px")
    height: int = setting(480, low=64, high=4320, unit="px")
    fps: float = setting(15.0, low=1.0, high=60.0, unit="1/s")
    anchor: str = setting("foot", choices=("foot", "centre"))
    person_m: float = setting(1.7, low=0.2, high=2.5, unit="m")
    line: tuple[LineSettings, ...] = ()
    zone: tuple[ZoneSettings, ...] = ()
    mask: tuple[MaskSettings, ...] = ()
    homography: HomographySettings | None = None
    nadir: tuple[float, ...] = ()
    """Where upright edges of the shop meet when they are drawn on, px; (): they are upright."""
    limits: ViewLimits = field(default_factory=ViewLimits)

    def __post_init__(self) -> None:
        width, height = self.width, self.height
        check_names([self.name], "camera")
        for what, drawn in (("line", self.line), ("zone", self.zone), ("mask", self.mask)):
            check_names([one.name for one in drawn], f"camera {self.name}: {what}")
        self._check_sizes()
        for line in self.line:
            points = as_points(line.points, f"line {line.name}")
            drawing.check_line(line.name, points, width, height)
        for zone in self.zone:
            points = as_points(zone.polygon, f"zone {zone.name}")
            drawing.check_polygon(f"zone {zone.name}", points, width, height)
            if zone.till and zone.till not in {other.name for other in self.zone}:
                raise ValueError(f"zone {zone.name}: till = {zone.till!r} is no zone here")
            if zone.queue and not zone.till:
                raise ValueError(f"zone {zone.name}: a queue needs its till's zone")
        for mask in self.mask:
            points = as_points(mask.polygon, f"mask {mask.name}")
            drawing.check_polygon(f"mask {mask.name}", points, width, height)
        self._check_floor()

    def _check_sizes(self) -> None:
        """No drawing is so large that checking it would hold up the station."""
        corners = [(line.name, line.points) for line in self.line]
        corners += [(zone.name, zone.polygon) for zone in self.zone]
        corners += [(mask.name, mask.polygon) for mask in self.mask]
        if self.homography is not None:
            corners.append(("homography", self.homography.picture_px))
        for name, points in corners:
            if len(points) > MOST_CORNERS:
                raise ValueError(f"{name}: has {len(points)} points, {MOST_CORNERS} at most")

    def _check_floor(self) -> None:
        """What is drawn must lie on the floor's side of the horizon."""
        drawn = [p for line in self.line for p in line.points]
        drawn += [p for zone in self.zone for p in zone.polygon]
        if drawing.nadir(self.nadir, self.height) and self.anchor != "foot":
            raise ValueError(f"camera {self.name}: nadir needs anchor = 'foot'")
        if self.homography is not None:
            known = as_points(self.homography.picture_px, "homography.picture_px")
            matrix = self.homography.floor().matrix
            if matrix is not None:
                geometry.from_matrix(matrix, np.array([*known, *drawn], np.float64))

    def floor(self) -> Floor:
        """The way from this picture to the floor."""
        matrix = self.homography.floor().matrix if self.homography else None
        return Floor(matrix, drawing.nadir(self.nadir, self.height))


def check_names(names: list[str], what: str) -> None:
    """Raise ValueError where one is no name or there twice, or there are too many."""
    if len(names) > MOST_DRAWN:
        raise ValueError(f"{what}: {len(names)} of them, {MOST_DRAWN} at most")
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{what}: {name[:50]!r} is no name: 1 to 40 letters and digits")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {twice[0]!r} is there twice")
