"""A ward at one moment: what is perceived of it, and what is decided. One row per bed."""

from dataclasses import dataclass
from enum import StrEnum

from apps.patient_monitoring.baseline import Usual
from apps.patient_monitoring.domain import Array, Score
from apps.patient_monitoring.readings import Reading


@dataclass(frozen=True, slots=True, eq=False)
class Percept:
    """What was perceived of a ward at one moment."""

    at: float
    """This gateway's monotonic s."""
    reading: Reading
    score: Score
    due_s: Array
    """float [beds]: how often the patient is to be observed by the score."""
    confirmed: Array
    """bool [beds]: a person has just entered an observation: no need to wait and see."""
    features: Array
    """float32 [beds, features]: what the model was last shown; kept to prove its answer."""
    risk: Array
    """float [beds], 0–1: the model's; NaN: it has not seen enough to say."""
    contributions: Array
    """float32 [beds, features]: what each adds to the model's log odds; NaN with `risk`."""
    anomaly: Array
    """float [beds]: distance from the patient's own baseline, in standard deviations; NaN."""
    anomaly_shares: Array
    """float [beds, components]: of the squared distance, in the order of `COMPONENTS`."""
    usual: Usual
    """What the anomaly was computed from."""


class Kind(StrEnum):
    """What a change is about."""

    RISK = "risk"
    WORSE = "worse"
    """The risk stays, but the score rose by two or a further sign became red."""
    EXTREME = "extreme"
    TECHNICAL = "technical"
    ADVICE_MODEL = "advice_model"
    ADVICE_ANOMALY = "advice_anomaly"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is in force from now on and was not before, or no longer is."""

    bed: int
    kind: Kind
    was: int
    now: int
    """A `Risk`, bits of `Extreme` or `Flag`, a lower bound of NEWS2, or 0 and 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What is in force on a ward. Every array has one entry per bed."""

    at: float
    score: Score
    risk: Array
    """int of `Risk`: after persistence and release."""
    extreme: Array
    """int32 of `Extreme`."""
    priority: Array
    """int of `Priority`: of the physiological alarm."""
    technical: Array
    """int32 of `Flag`: faults of the monitoring that have lasted; Priority.LOW."""
    invalid_since: Array
    """Monotonic s since when there is no complete score; NaN where there is one."""
    advised_model: Array
    """bool: the model's risk has stayed above its limit. Advice, no alarm by default."""
    advised_anomaly: Array
    above_s: Array
    """[beds, 2]: for how long the model's risk, the anomaly, is above its limit; NaN."""
    changes: tuple[Change, ...]
    fault: str = ""
    """Why nothing is known of the ward at this moment; then all else is as it last was."""
