"""app.toml as typed settings. Every key is explained where it stands in app.toml."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.retail_analytics.camera import CameraSettings, check_names
from common.config import setting
from common.inference.cooling import Cooling
from common.inference.duty import Duty
from common.station_settings import CameraModel, Retention, StationSettings

APP = Path(__file__).parent
CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
WIDTHS_MIN = (1, 5, 15, 60)


@dataclass(frozen=True)
class RetailStation(StationSettings):
    """Who this station is."""

    name: str = setting("retail-analytics")
    area: str = setting("shop-floor")
    api_port: int = setting(8104, low=1024, high=65535)


@dataclass(frozen=True)
class SenseRules:
    """How pictures wait, and when a camera is silent."""

    ring_s: float = setting(1.0, low=0.1, high=2.0, unit="s")
    silent_s: float = setting(2.0, low=0.5, high=60.0, unit="s")


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
class Hours:
    """When the shop is open, local time; the same twice: always."""

    opens: str = setting("00:00")
    closes: str = setting("00:00")

    def __post_init__(self) -> None:
        for name in ("opens", "closes"):
            if not CLOCK_TIME.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} = {getattr(self, name)!r} must be HH:MM")

    def open_at(self, local: datetime) -> bool:
        """Whether it is open at local time; hours may go over midnight."""
        now = f"{local:%H:%M}"
        if self.opens < self.closes:
            return self.opens <= now < self.closes
        return self.opens == self.closes or now >= self.opens or now < self.closes


@dataclass(frozen=True)
class Privacy:
    """What may be said of few people: nothing."""

    interval_min: int = setting(15, choices=WIDTHS_MIN, unit="min")
    k: int = setting(10, low=3, high=1000)
    merge_up_to_min: int = setting(60, choices=(0, 15, 60), unit="min")
    heat_cell_m: float = setting(0.5, low=0.25, high=5.0, unit="m")
    usable_share: float = setting(0.8, low=0.1, high=1.0)
    intervals_days: float = setting(760.0, low=0.01, high=3650.0, unit="d")


@dataclass(frozen=True)
class Simulation:
    """The shop in software, that cameras with the backend "simulated" look into."""

    people_per_min: float = setting(8.0, low=0.0, high=120.0, unit="1/min")
    open_s: float = setting(180.0, low=0.0, high=3600.0, unit="s")
    seed: int = setting(7, low=0)


@dataclass(frozen=True)
class Settings:
    """app.toml."""

    station: RetailStation = field(default_factory=RetailStation)
    camera: tuple[CameraSettings, ...] = ()
    model: CameraModel = field(default_factory=lambda: CameraModel(Path("models/person")))
    sense: SenseRules = field(default_factory=SenseRules)
    duty: Duty = field(default_factory=Duty)
    cooling: Cooling = field(default_factory=Cooling)
    tracking: Tracking = field(default_factory=Tracking)
    counting: Counting = field(default_factory=Counting)
    queue: QueueRules = field(default_factory=QueueRules)
    occupancy: OccupancyRules = field(default_factory=OccupancyRules)
    hours: Hours = field(default_factory=Hours)
    privacy: Privacy = field(default_factory=Privacy)
    simulation: Simulation = field(default_factory=Simulation)
    retention: Retention = field(default_factory=Retention)
    telemetry: dict[str, Any] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    notification: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.camera:
            raise ValueError("camera: at least one camera is needed")
        check_names([camera.name for camera in self.camera], "camera")
        if self.duty.beat_s >= self.tracking.lost_s:
            raise ValueError("duty.beat_s must be below tracking.lost_s, or who stands is lost")
        if any(camera.limits.least_fps > self.cooling.least_fps for camera in self.camera):
            raise ValueError("cooling.least_fps below a camera's limits.least_fps blinds it")
        slowest = min([self.cooling.least_fps, *(camera.fps for camera in self.camera)])
        if min(self.tracking.tentative_s, self.tracking.lost_s) * slowest <= 1.0:
            raise ValueError(
                "tracking.tentative_s and lost_s must be longer than from picture to picture, "
                "or nobody is ever followed"
            )
        if 0 < self.occupancy.limit < self.privacy.k:
            raise ValueError(
                f"occupancy.limit = {self.occupancy.limit} is below privacy.k: its alarm "
                "would tell of few people"
            )
