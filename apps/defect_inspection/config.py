"""app.toml as typed settings. Every key is explained where it stands in app.toml."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.config import setting
from common.inference.limits import FrameLimits
from common.station_settings import (
    CameraModel,
    DeviceSettings,
    PictureRetention,
    StationSettings,
)

APP = Path(__file__).parent
RECIPE_ID = re.compile(r"0|[1-9][0-9]{0,4}")


@dataclass(frozen=True)
class InspectionStation(StationSettings):
    """Who this station is, and how it proves that it sees."""

    name: str = setting("defect-inspection")
    area: str = setting("line-1")
    api_port: int = setting(8101, low=1024, high=65535)
    infer_endpoint: bool = setting(False)
    golden: str = setting("")
    golden_period_s: float = setting(0.5, low=0.1, high=10.0, unit="s")


@dataclass(frozen=True)
class KindRule:
    """How much of one kind of defect is too much."""

    hold_score: float = setting(0.35, low=0.0, high=1.0)
    reject_score: float = setting(0.50, low=0.0, high=1.0)
    tolerated_size_mm: float = setting(0.0, low=0.0, high=1000.0, unit="mm")
    tolerated_count: int = setting(0, low=0, high=1000)

    def __post_init__(self) -> None:
        if self.hold_score > self.reject_score:
            raise ValueError("hold_score must not be above reject_score")


@dataclass(frozen=True)
class Zone:
    """A rectangle on the part where other rules hold."""

    name: str = setting()
    left_mm: float = setting(low=0.0, unit="mm")
    top_mm: float = setting(low=0.0, unit="mm")
    width_mm: float = setting(low=0.001, unit="mm")
    height_mm: float = setting(low=0.001, unit="mm")
    rule: str = setting(choices=("critical", "ignore"))

    def holds(self, point_mm: tuple[float, float]) -> bool:
        """Whether a point lies in it, edges included."""
        x, y = point_mm[0] - self.left_mm, point_mm[1] - self.top_mm
        return 0 <= x <= self.width_mm and 0 <= y <= self.height_mm


@dataclass(frozen=True)
class Recipe:
    """One product: how its picture is read and what it is allowed to have."""

    name: str = setting()
    mm_per_px: float = setting(1 / 48, low=1e-4, high=10.0, unit="mm/px")
    calibration: str = setting("")
    binarise: bool = setting(True)
    frame: FrameLimits = field(default_factory=FrameLimits)
    default: KindRule = field(default_factory=KindRule)
    kinds: dict[str, KindRule] = field(default_factory=dict)
    zones: tuple[Zone, ...] = ()

    def rule(self, kind: str) -> KindRule:
        """The rule for a kind of defect."""
        return self.kinds.get(kind, self.default)


@dataclass(frozen=True)
class LineRules:
    """When single rejects mean that the process is wrong."""

    deadline_ms: float = setting(300.0, low=5.0, high=60_000.0, unit="ms")
    consecutive_rejects: int = setting(5, low=1, high=1000)
    window_parts: int = setting(20, low=1, high=10_000)
    window_rejects: int = setting(8, low=1, high=10_000)
    challenge_pieces: int = setting(3, low=1, high=100)
    challenge_wait_s: float = setting(300.0, low=5.0, high=3600.0, unit="s")

    def __post_init__(self) -> None:
        if self.window_rejects > self.window_parts:
            raise ValueError("window_rejects above window_parts would never stop the line")


@dataclass(frozen=True)
class Simulation:
    """The plant in software, used as long as no real devices are named."""

    enabled: bool = setting(True)
    parts_per_s: float = setting(2.0, low=0.1, high=20.0, unit="1/s")
    defective_share: float = setting(0.2, low=0.0, high=1.0)
    seed: int = setting(7, low=0)


@dataclass(frozen=True)
class InspectionRetention(PictureRetention):
    """How long what stays here, and whether good parts' pictures are kept."""

    keep_pass_pictures: bool = setting(False)


@dataclass(frozen=True)
class Settings:
    """app.toml."""

    station: InspectionStation = field(default_factory=InspectionStation)
    camera: DeviceSettings = field(default_factory=lambda: DeviceSettings("simulated"))
    plc: DeviceSettings = field(default_factory=lambda: DeviceSettings("modbus"))
    model: CameraModel = field(default_factory=lambda: CameraModel(Path("models/pcb")))
    line: LineRules = field(default_factory=LineRules)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    simulation: Simulation = field(default_factory=Simulation)
    retention: InspectionRetention = field(default_factory=InspectionRetention)
    telemetry: dict[str, Any] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    notification: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.recipes:
            raise ValueError("recipes: at least one recipe is needed")
        wrong = [key for key in self.recipes if not RECIPE_ID.fullmatch(key)]
        if wrong:
            raise ValueError(f"recipes.{wrong[0]}: a recipe's key is the PLC's RECIPE_ID")

    def recipe(self, recipe_id: int) -> Recipe | None:
        """The recipe the PLC asks for; None when this station does not have it."""
        return self.recipes.get(str(recipe_id))
