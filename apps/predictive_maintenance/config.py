"""app.toml as typed settings. Every key is explained where it stands in app.toml."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import station_settings
from common.config import setting
from common.station_settings import DeviceSettings, Retention

APP = Path(__file__).parent
ASSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DAMAGE = (
    "outer_race", "inner_race", "ball", "unbalance", "misalignment", "lubrication", "gear",
)  # fmt: skip
"""What the simulator knows to break."""


@dataclass(frozen=True)
class Bearing:
    """A rolling bearing's geometry: what its fault frequencies follow from."""

    elements: int = setting(low=3, high=200)
    element_mm: float = setting(low=0.1, high=1000.0, unit="mm")
    pitch_mm: float = setting(low=0.5, high=10_000.0, unit="mm")
    contact_deg: float = setting(0.0, low=0.0, high=60.0, unit="°")
    name: str = setting("")

    def __post_init__(self) -> None:
        if self.element_mm >= self.pitch_mm:
            raise ValueError("element_mm must be below pitch_mm")


@dataclass(frozen=True)
class Machine:
    """One machine and its measurement point."""

    name: str = setting("")
    kind: str = setting(
        "motor",
        choices=(
            "motor", "fan", "compressor", "gearbox", "generator", "turbine", "spindle",
            "pump", "reciprocating", "wind_turbine", "hydro", "rig",
        ),
    )  # fmt: skip
    power_kw: float = setting(0.0, low=0.0, high=1e6, unit="kW")
    group: int = setting(0, choices=(0, 1, 2))
    support: str = setting("rigid", choices=("rigid", "flexible"))
    criticality: int = setting(2, choices=(1, 2, 3))
    fs_hz: float = setting(0.0, low=0.0, high=200_000.0, unit="Hz")
    axes: int = setting(0, choices=(0, 1, 2, 3))
    full_scale_m_s2: float = setting(0.0, low=0.0, high=1e6, unit="m/s²")
    velocity_low_hz: float = setting(10.0, low=1.0, high=100.0, unit="Hz")
    temperature_alarm_c: float = setting(0.0, low=0.0, high=400.0, unit="°C")
    bearings: tuple[Bearing, ...] = ()


@dataclass(frozen=True)
class QualityRules:
    """When a record is not worth judging."""

    rate_tolerance: float = setting(0.01, low=0.0, high=0.5)
    min_rate_hz: float = setting(500.0, low=1.0, high=100_000.0, unit="Hz")
    min_samples: int = setting(256, low=16)
    clipped_share: float = setting(0.001, low=0.0, high=1.0)
    flat_m_s2: float = setting(1e-6, low=0.0, high=100.0, unit="m/s²")
    held_samples: int = setting(32, low=4, high=1_000_000)
    bias_m_s2: float = setting(30.0, low=0.0, high=1e5, unit="m/s²")
    drift_ratio: float = setting(1.5, low=0.1, high=100.0)


@dataclass(frozen=True)
class StateRules:
    """What is stopped, what is ramping, and how wide a steady state is."""

    stopped_rpm: float = setting(30.0, low=1.0, high=10_000.0, unit="r/min")
    stopped_rms_m_s2: float = setting(0.0, low=0.0, high=1000.0, unit="m/s²")
    ramp_share: float = setting(0.02, low=0.0, high=1.0)
    ramp_memory_s: float = setting(10.0, low=0.0, high=3600.0, unit="s")
    speed_bin: float = setting(0.10, low=0.01, high=2.0)
    load_bin: float = setting(0.25, low=0.01, high=1.0)


@dataclass(frozen=True)
class BaselineRules:
    """What a baseline must have seen, and how far from it is too far."""

    smooth_windows: int = setting(15, low=1, high=500)
    min_windows: int = setting(100, low=10, high=1_000_000)
    min_state_windows: int = setting(10, low=3, high=100_000)
    blocks: int = setting(5, low=2, high=50)
    margin: float = setting(1.5, low=1.0, high=100.0)
    unsteady: float = setting(3.0, low=1.0, high=1000.0)
    kurtosis: float = setting(4.5, low=3.0, high=1000.0)


@dataclass(frozen=True)
class DecideRules:
    """When evidence becomes a verdict."""

    persist_readings: int = setting(3, low=1, high=1000)
    clear_readings: int = setting(10, low=1, high=10_000)
    clear_share: float = setting(0.9, low=0.1, high=1.0)
    plan_ratio: float = setting(2.5, low=1.0, high=100.0)
    stop_ratio: float = setting(8.0, low=1.0, high=1000.0)
    bearing_db: float = setting(6.0, low=1.0, high=60.0, unit="dB")
    kurtosis: float = setting(5.0, low=3.0, high=1000.0)
    sequence_weight: float = setting(0.8, low=0.0, high=1.0)
    trend_block_s: float = setting(3600.0, low=1.0, high=1e6, unit="s")
    trend_blocks: int = setting(48, low=8, high=1000)

    def __post_init__(self) -> None:
        if self.plan_ratio > self.stop_ratio:
            raise ValueError("plan_ratio must not be above stop_ratio")


@dataclass(frozen=True)
class StationSettings(station_settings.StationSettings):
    """Who this station is, and how often it writes what has not changed."""

    name: str = setting("predictive-maintenance")
    area: str = setting("plant-1")
    api_port: int = setting(8102, low=1024, high=65535)
    health_period_s: float = setting(600.0, low=0.0, high=86_400.0, unit="s")
    snapshot_s: float = setting(1.0, low=0.1, high=60.0, unit="s")
    spectrum_s: float = setting(2.0, low=0.1, high=3600.0, unit="s")


@dataclass(frozen=True)
class SenseRules:
    """What is still believed of what comes in, and how much of it may wait."""

    batch_windows: int = setting(64, low=1, high=10_000)
    queue_windows: int = setting(500, low=1, high=100_000)
    conflict_s: float = setting(60.0, low=0.0, high=86_400.0, unit="s")
    beside_s: float = setting(10.0, low=0.0, high=3600.0, unit="s")
    silent_s: float = setting(120.0, low=0.1, high=1e6, unit="s")


@dataclass(frozen=True)
class OrderRules:
    """How a verdict becomes a work order."""

    stop_days: float = setting(1.0, low=0.0, high=3650.0, unit="d")
    plan_days: float = setting(30.0, low=0.0, high=3650.0, unit="d")
    worse_share: float = setting(0.5, low=0.01, high=100.0)
    most_evidence: int = setting(50, low=5, high=1000)


@dataclass(frozen=True)
class ModelSettings(station_settings.ModelSettings):
    """Which sequence model, on which runtime; or none."""

    bundle: Path = setting(Path("models/vibration"))
    enabled: bool = setting(True)


@dataclass(frozen=True)
class PlantFault:
    """What goes wrong with one simulated machine."""

    machine: int = setting(low=1, high=10_000)
    kind: str = setting(choices=DAMAGE)
    onset_h: float = setting(low=0.0, high=10_000.0, unit="h")
    life_h: float = setting(low=0.1, high=10_000.0, unit="h")


@dataclass(frozen=True)
class Simulation:
    """The plant in software, used as long as no real devices are named."""

    enabled: bool = setting(True)
    machines: int = setting(12, low=1, high=10_000)
    seed: int = setting(7, low=0)
    speed_up: float = setting(600.0, low=1.0, high=1e6)
    step_s: float = setting(600.0, low=0.1, high=86_400.0, unit="s")
    fs_hz: float = setting(25_600.0, low=1000.0, high=200_000.0, unit="Hz")
    window_s: float = setting(1.0, low=0.05, high=10.0, unit="s")
    axes: int = setting(3, choices=(1, 2, 3))
    history: int = setting(0, low=0, high=10_000)
    auto_baseline: bool = setting(False)
    faults: tuple[PlantFault, ...] = ()

    def __post_init__(self) -> None:
        beyond = [fault.machine for fault in self.faults if fault.machine > self.machines]
        if beyond:
            raise ValueError(f"faults: there is no machine {beyond[0]} of {self.machines}")


@dataclass(frozen=True)
class Settings:
    """app.toml."""

    station: StationSettings = field(default_factory=StationSettings)
    sources: dict[str, DeviceSettings] = field(default_factory=dict)
    light: DeviceSettings = field(default_factory=lambda: DeviceSettings("none"))
    machines: dict[str, Machine] = field(default_factory=dict)
    sense: SenseRules = field(default_factory=SenseRules)
    quality: QualityRules = field(default_factory=QualityRules)
    states: StateRules = field(default_factory=StateRules)
    baseline: BaselineRules = field(default_factory=BaselineRules)
    decide: DecideRules = field(default_factory=DecideRules)
    model: ModelSettings = field(default_factory=ModelSettings)
    orders: OrderRules = field(default_factory=OrderRules)
    simulation: Simulation = field(default_factory=Simulation)
    retention: Retention = field(default_factory=Retention)
    telemetry: dict[str, Any] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    notification: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = [name for name in self.machines if not ASSET.fullmatch(name)]
        if wrong:
            raise ValueError(
                f"machines.{wrong[0]}: an asset is named by letters, digits, . _ and -"
            )
