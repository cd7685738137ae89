"""app.toml as typed settings. Every key is explained where it stands in app.toml."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.patient_monitoring.domain import Sign
from common import station_settings
from common.config import setting
from common.station_settings import DeviceSettings, Retention, StationSettings

APP = Path(__file__).parent
HOUR = 3600.0


@dataclass(frozen=True)
class SignLimits:
    """What a sensor may say of one sign, and how long it counts."""

    low: float = setting(low=0.0, high=1000.0)
    high: float = setting(low=0.0, high=1000.0)
    stale_s: float = setting(low=1.0, high=86_400.0, unit="s")
    jump: float = setting(0.0, low=0.0, high=1000.0)
    """More than this within `jump_s` is no body but a sensor; 0: not checked."""
    jump_s: float = setting(5.0, low=1.0, high=60.0, unit="s")

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("low must be below high")


LIMITS = {
    Sign.HR: SignLimits(20, 300, 10, jump=40),
    Sign.PULSE: SignLimits(20, 300, 10, jump=40),
    Sign.SPO2: SignLimits(40, 100, 30, jump=10),
    Sign.RR: SignLimits(2, 80, 60),
    Sign.SBP: SignLimits(30, 300, 10),
    Sign.DBP: SignLimits(10, 200, 10),
    Sign.MAP: SignLimits(20, 250, 10),
    Sign.TEMP: SignLimits(25, 45, 60, jump=1, jump_s=60),
    Sign.PI: SignLimits(0, 40, 10),
    Sign.MOTION: SignLimits(0, 1000, 10),
    Sign.OXYGEN: SignLimits(0, 1, HOUR),
    Sign.ACVPU: SignLimits(0, 4, HOUR),
}
"""For continuous sources; a spot value counts for its interval and a quarter."""


@dataclass(frozen=True)
class SignRules:
    """From what sensors say to what is scored."""

    min_values: int = setting(3, low=1, high=60)
    jump_confirm_s: float = setting(10.0, low=1.0, high=60.0, unit="s")
    perfusion_low: float = setting(0.3, low=0.0, high=5.0, unit="%")
    motion_high_mg: float = setting(120.0, low=1.0, high=1000.0, unit="mg")
    disagree_per_min: float = setting(15.0, low=1.0, high=100.0, unit="/min")
    disagree_s: float = setting(10.0, low=1.0, high=120.0, unit="s")
    offline_s: float = setting(30.0, low=2.0, high=600.0, unit="s")
    spot_margin: float = setting(1.25, low=1.0, high=2.0)
    temperature_valid_s: float = setting(6 * HOUR, low=600.0, high=43_200.0, unit="s")
    limits: dict[str, SignLimits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = [name for name in self.limits if name not in Sign.__members__]
        if wrong:
            raise ValueError(f"limits.{wrong[0]} is no sign; {', '.join(Sign.__members__)}")

    def of(self, sign: Sign) -> SignLimits:
        """The limits of a sign."""
        return self.limits.get(sign.name, LIMITS[sign])


@dataclass(frozen=True)
class ExtremeRules:
    """What bypasses median and persistence, once it was held this long."""

    spo2_below: float = setting(80.0, low=40.0, high=95.0, unit="%")
    heart_below: float = setting(30.0, low=0.0, high=60.0, unit="/min")
    heart_above: float = setting(180.0, low=100.0, high=300.0, unit="/min")
    hold_s: float = setting(12.0, low=1.0, high=60.0, unit="s")
    apnoea_s: float = setting(20.0, low=5.0, high=60.0, unit="s")


@dataclass(frozen=True)
class EscalationRules:
    """When a score becomes an alarm and when it ends."""

    persist_s: float = setting(60.0, low=0.0, high=600.0, unit="s")
    release_s: float = setting(300.0, low=0.0, high=3600.0, unit="s")
    extreme_release_s: float = setting(30.0, low=0.0, high=600.0, unit="s")
    technical_s: float = setting(60.0, low=0.0, high=3600.0, unit="s")
    routine_s: float = setting(12 * HOUR, low=600.0, high=86_400.0, unit="s")
    low_s: float = setting(6 * HOUR, low=600.0, high=86_400.0, unit="s")
    medium_s: float = setting(1 * HOUR, low=600.0, high=86_400.0, unit="s")
    high_s: float = setting(0.5 * HOUR, low=300.0, high=86_400.0, unit="s")

    def __post_init__(self) -> None:
        if not self.routine_s >= self.low_s >= self.medium_s >= self.high_s:
            raise ValueError("a higher risk cannot be observed less often")


@dataclass(frozen=True)
class AdvisoryRules:
    """The model's and the anomaly's line beside the score: labelled, silent by default."""

    risk_above: float = setting(0.06, low=0.0, high=1.0)
    risk_persist_s: float = setting(600.0, low=0.0, high=7200.0, unit="s")
    anomaly_above: float = setting(4.5, low=1.0, high=50.0)
    anomaly_persist_s: float = setting(60.0, low=0.0, high=3600.0, unit="s")
    alarms: bool = setting(default=False)


@dataclass(frozen=True)
class BaselineRules:
    """The patient's own normal, for the anomaly of 1 Hz streams."""

    memory_s: float = setting(7200.0, low=60.0, high=86_400.0, unit="s")
    warm_up_s: float = setting(1800.0, low=30.0, high=86_400.0, unit="s")


@dataclass(frozen=True)
class ModelSettings(station_settings.ModelSettings):
    """Which model, on which runtime."""

    bundle: Path = setting(Path("models/deterioration"))
    precision: str = setting("auto", choices=("auto", "fp32"))


@dataclass(frozen=True)
class WardSettings:
    """The gateway's ward."""

    unit: str = setting("W7")
    bed_prefix: str = setting("BED")
    beds: int = setting(32, low=1, high=4000)
    period_s: float = setting(0.5, low=0.1, high=1.0, unit="s")
    initials: bool = setting(default=False)
    """In the snapshot, and so in the station's file; else only who signs in may ask."""

    @property
    def names(self) -> tuple[str, ...]:
        """The beds as screens and alarms name them, in the order of every array's rows."""
        return tuple(str(number) for number in range(1, self.beds + 1))

    def bed(self, unit: str, bed: str) -> str | None:
        """What this gateway calls a place; None where it is none of ours."""
        number = bed.removeprefix(self.bed_prefix)
        ours = unit == self.unit and number.isascii() and number.isdigit()
        return str(int(number)) if ours and len(number) < 6 and bed != number else None

    def place(self, bed: str) -> tuple[str, str]:
        """Unit and bed as HL7's PV1-3 names them."""
        return self.unit, f"{self.bed_prefix}{bed}"


@dataclass(frozen=True)
class IntakeRules:
    """What is taken from a source, and what is refused."""

    clock_tolerance_s: float = setting(30.0, low=1.0, high=600.0, unit="s")
    clock_memory_s: float = setting(600.0, low=30.0, high=86_400.0, unit="s")
    oldest_s: float = setting(6 * HOUR, low=60.0, high=86_400.0, unit="s")
    problem_s: float = setting(30.0, low=5.0, high=600.0, unit="s")
    waiting: int = setting(500_000, low=1_000, high=10_000_000)
    utc_offset_min: int = setting(0, low=-720, high=840, unit="min")
    """Of HL7 times without a zone."""
    real_patients: bool = setting(default=False)
    key_file: Path | None = setting(None)


@dataclass(frozen=True)
class FhirSettings:
    """POST /fhir/Observation on the station's own API, for systems that hold its token."""

    enabled: bool = setting(default=False)
    token_file: Path | None = setting(None)
    systems: dict[str, str] = field(default_factory=dict)
    """Identifier system of a patient → the authority of HL7's PID-3."""


@dataclass(frozen=True)
class PauseRules:
    """How long the alarms of one bed may be paused, e.g. while a patient is washed."""

    most_s: float = setting(180.0, low=10.0, high=900.0, unit="s")
    per_hour_s: float = setting(600.0, low=10.0, high=3600.0, unit="s")


@dataclass(frozen=True)
class Simulation:
    """The ward in software."""

    enabled: bool = setting(default=True)
    seed: int = setting(7, low=0)
    patients: int = setting(30, low=1, high=4000)


@dataclass(frozen=True)
class WardStation(StationSettings):
    """Who this gateway is."""

    name: str = setting("patient-monitoring")
    area: str = setting("ward-7")
    api_port: int = setting(8103, low=1024, high=65535)


@dataclass(frozen=True)
class Settings:
    """app.toml."""

    station: WardStation = field(default_factory=WardStation)
    ward: WardSettings = field(default_factory=WardSettings)
    intake: IntakeRules = field(default_factory=IntakeRules)
    hl7: DeviceSettings = field(default_factory=lambda: DeviceSettings("mllp"))
    wearables: DeviceSettings = field(default_factory=lambda: DeviceSettings("off"))
    replay: DeviceSettings = field(default_factory=lambda: DeviceSettings("off"))
    fhir: FhirSettings = field(default_factory=FhirSettings)
    signs: SignRules = field(default_factory=SignRules)
    extremes: ExtremeRules = field(default_factory=ExtremeRules)
    escalation: EscalationRules = field(default_factory=EscalationRules)
    pause: PauseRules = field(default_factory=PauseRules)
    advisory: AdvisoryRules = field(default_factory=AdvisoryRules)
    baseline: BaselineRules = field(default_factory=BaselineRules)
    model: ModelSettings = field(default_factory=ModelSettings)
    simulation: Simulation = field(default_factory=Simulation)
    retention: Retention = field(default_factory=Retention)
    telemetry: dict[str, Any] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    notification: dict[str, Any] = field(default_factory=dict)
    outgoing: dict[str, Any] = field(default_factory=dict)
    """See outgoing/settings.py: typed where it is opened."""
