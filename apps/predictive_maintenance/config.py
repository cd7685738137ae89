"""app.toml as typed settings. Every key is explained where it stands in app.toml."""

from dataclasses import dataclass, field
from pathlib import Path

from common.config import load, setting

APP = Path(__file__).parent


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
    sequence_weight: float = setting(1.0, low=0.0, high=1.0)
    trend_block_s: float = setting(3600.0, low=1.0, high=1e6, unit="s")
    trend_blocks: int = setting(48, low=8, high=1000)

    def __post_init__(self) -> None:
        if self.plan_ratio > self.stop_ratio:
            raise ValueError("plan_ratio must not be above stop_ratio")


@dataclass(frozen=True)
class ModelSettings:
    """Which sequence model, on which runtime."""

    bundle: Path = setting(Path("models/vibration"))
    runtime: str = setting("auto")
    precision: str = setting("auto", choices=("auto", "fp32", "fp16", "int8"))
    enabled: bool = setting(True)


@dataclass(frozen=True)
class Simulation:
    """The plant in software, used as long as no real devices are named."""

    enabled: bool = setting(True)
    machines: int = setting(12, low=1, high=10_000)
    seed: int = setting(7, low=0)
    speed_up: float = setting(600.0, low=1.0, high=1e6)


@dataclass(frozen=True)
class Settings:
    """app.toml."""

    machines: dict[str, Machine] = field(default_factory=dict)
    quality: QualityRules = field(default_factory=QualityRules)
    states: StateRules = field(default_factory=StateRules)
    baseline: BaselineRules = field(default_factory=BaselineRules)
    decide: DecideRules = field(default_factory=DecideRules)
    model: ModelSettings = field(default_factory=ModelSettings)
    simulation: Simulation = field(default_factory=Simulation)


def load_settings(path: Path = APP / "app.toml") -> Settings:
    """The settings in `path`; raises ConfigError."""
    return load(Settings, path)
