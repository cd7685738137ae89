"""app.toml as typed settings. Every key is explained where it stands in app.toml."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from apps.retail_analytics import drawing, geometry
from apps.retail_analytics.domain import Point
from apps.retail_analytics.geometry import Floor
from common.config import load, setting
from common.station_settings import (
    DeviceSettings,
    ModelSettings,
    Retention,
    StationSettings,
)

APP = Path(__file__).parent
CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
WIDTHS_MIN = (1, 5, 15, 60)
Points = tuple[tuple[float, ...], ...]


def as_points(points: Points, what: str) -> list[Point]:
    """Pairs from TOML; raises ValueError for anything that is no pair."""
    if any(len(point) != 2 for point in points):
        raise ValueError(f"{what}: every point is [x, y]")
    return [(point[0], point[1]) for point in points]


@dataclass(frozen=True)
class RetailStation(StationSettings):
    """Who this station is."""

    name: str = setting("retail-analytics")
    area: str = setting("shop-floor")
    api_port: int = setting(8103, low=1024, high=65535)


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


@dataclass(frozen=True)
class CameraSettings:
    """One camera: where it is from, and what is drawn over its picture."""

    name: str = setting()
    device: DeviceSettings = field(default_factory=lambda: DeviceSettings("simulated"))
    width: int = setting(640, low=64, high=7680, unit="px")
    height: int = setting(480, low=64, high=4320, unit="px")
    anchor: str = setting("foot", choices=("foot", "centre"))
    person_m: float = setting(1.7, low=0.2, high=2.5, unit="m")
    line: tuple[LineSettings, ...] = ()
    zone: tuple[ZoneSettings, ...] = ()
    mask: tuple[MaskSettings, ...] = ()
    homography: HomographySettings | None = None
    limits: ViewLimits = field(default_factory=ViewLimits)

    def __post_init__(self) -> None:
        width, height = self.width, self.height
        _unique([line.name for line in self.line], f"camera {self.name}: line")
        _unique([zone.name for zone in self.zone], f"camera {self.name}: zone")
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

    def _check_floor(self) -> None:
        """What is drawn must lie on the floor's side of the horizon."""
        drawn = [p for line in self.line for p in line.points]
        drawn += [p for zone in self.zone for p in zone.polygon]
        if self.homography is not None:
            known = as_points(self.homography.picture_px, "homography.picture_px")
            matrix = self.homography.floor().matrix
            if matrix is not None:
                geometry.from_matrix(matrix, np.array([*known, *drawn], np.float64))

    def floor(self) -> Floor:
        """The way from this picture to the floor."""
        return self.homography.floor() if self.homography else Floor()


@dataclass(frozen=True)
class Tracking:
    """When detections are one person."""

    high_score: float = setting(0.5, low=0.0, high=1.0)
    low_score: float = setting(0.15, low=0.0, high=1.0)
    confirm_hits: int = setting(3, low=1, high=30)
    confirm_s: float = setting(0.15, low=0.0, high=5.0, unit="s")
    tentative_s: float = setting(0.5, low=0.05, high=5.0, unit="s")
    lost_s: float = setting(1.5, low=0.1, high=10.0, unit="s")
    max_speed_m_s: float = setting(3.5, low=0.5, high=12.0, unit="m/s")

    def __post_init__(self) -> None:
        if self.low_score > self.high_score:
            raise ValueError("low_score must not be above high_score")


@dataclass(frozen=True)
class Counting:
    """When a person has crossed a line, and when one is in a zone."""

    dead_band_m: float = setting(0.1, low=0.0, high=2.0, unit="m")
    settled_views: int = setting(2, low=1, high=30)
    rearm_m: float = setting(1.0, low=0.0, high=10.0, unit="m")
    enter_s: float = setting(0.5, low=0.0, high=10.0, unit="s")
    gap_s: float = setting(2.0, low=0.0, high=30.0, unit="s")
    bounce_s: float = setting(3.0, low=0.0, high=60.0, unit="s")
    longest_gap_s: float = setting(2.0, low=0.2, high=60.0, unit="s")

    def __post_init__(self) -> None:
        if self.rearm_m and self.rearm_m < self.dead_band_m:
            raise ValueError("rearm_m must not be below dead_band_m")


@dataclass(frozen=True)
class QueueRules:
    """When a queue is too long, and when it is so no longer."""

    call_length: int = setting(4, low=1, high=1000)
    call_s: float = setting(20.0, low=0.0, high=3600.0, unit="s")
    clear_length: int = setting(2, low=0, high=1000)
    clear_s: float = setting(60.0, low=0.0, high=3600.0, unit="s")
    join_s: float = setting(3.0, low=0.0, high=60.0, unit="s")

    def __post_init__(self) -> None:
        if self.clear_length >= self.call_length:
            raise ValueError("clear_length must be below call_length")


@dataclass(frozen=True)
class OccupancyRules:
    """How many are inside, and when it is known that nobody is."""

    limit: int = setting(0, low=0, high=1_000_000)
    reset_at: str = setting("04:00")
    learn: float = setting(0.5, low=0.0, high=1.0)
    most_drift: float = setting(0.1, low=0.0, high=0.5)

    def __post_init__(self) -> None:
        if not CLOCK_TIME.fullmatch(self.reset_at):
            raise ValueError(f"reset_at = {self.reset_at!r} must be HH:MM")


@dataclass(frozen=True)
class Privacy:
    """What may be said of few people: nothing."""

    interval_min: int = setting(15, choices=WIDTHS_MIN, unit="min")
    k: int = setting(10, low=3, high=1000)
    merge_up_to_min: int = setting(60, choices=(0, 15, 60), unit="min")
    heat_cell_m: float = setting(0.5, low=0.25, high=5.0, unit="m")
    usable_share: float = setting(0.8, low=0.0, high=1.0)
    intervals_days: float = setting(760.0, low=0.01, high=3650.0, unit="d")


@dataclass(frozen=True)
class Simulation:
    """The shop in software, used as long as no real cameras are named."""

    enabled: bool = setting(True)
    people_per_min: float = setting(8.0, low=0.0, high=120.0, unit="1/min")
    fps: float = setting(15.0, low=1.0, high=60.0, unit="1/s")
    seed: int = setting(7, low=0)


@dataclass(frozen=True)
class Settings:
    """app.toml."""

    station: RetailStation = field(default_factory=RetailStation)
    camera: tuple[CameraSettings, ...] = ()
    model: ModelSettings = field(default_factory=lambda: ModelSettings(Path("models/person")))
    tracking: Tracking = field(default_factory=Tracking)
    counting: Counting = field(default_factory=Counting)
    queue: QueueRules = field(default_factory=QueueRules)
    occupancy: OccupancyRules = field(default_factory=OccupancyRules)
    privacy: Privacy = field(default_factory=Privacy)
    simulation: Simulation = field(default_factory=Simulation)
    retention: Retention = field(default_factory=Retention)
    telemetry: dict[str, Any] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    notification: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.camera:
            raise ValueError("camera: at least one camera is needed")
        _unique([camera.name for camera in self.camera], "camera")


def load_settings(path: Path = APP / "app.toml") -> Settings:
    """The settings in `path`; raises ConfigError."""
    return load(Settings, path)


def _unique(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {twice[0]!r} is there twice")
