"""What a person enters at the screen, read into values: in range, or one clear line."""

from typing import Any

from apps.patient_monitoring.config import LIMITS
from apps.patient_monitoring.domain import Acvpu, Sign
from apps.patient_monitoring.incoming.observed import Value
from apps.patient_monitoring.incoming.vocabulary import ACVPU_LETTERS
from apps.patient_monitoring.readings import BY_ROUNDS

OXYGEN = {"air": 0.0, "oxygen": 1.0}
MEASURED = (
    Sign.HR, Sign.PULSE, Sign.SPO2, Sign.RR, Sign.SBP, Sign.DBP, Sign.MAP, Sign.TEMP,
)  # fmt: skip


def values(given: Any) -> tuple[Value, ...]:
    """The values of {"ACVPU": "A", "OXYGEN": "air", "SBP": 120, …}; raises ValueError."""
    if not isinstance(given, dict) or not given:
        raise ValueError("values must be an object of sign: value")
    return tuple(_value(name, value) for name, value in given.items())


def _value(name: str, value: Any) -> Value:
    if name == Sign.ACVPU.name:
        return Value(Sign.ACVPU, float(_word(name, value, ACVPU_LETTERS)), 0, None, BY_ROUNDS)
    if name == Sign.OXYGEN.name:
        return Value(Sign.OXYGEN, _word(name, value, OXYGEN), 0, None, BY_ROUNDS)
    sign = next((one for one in MEASURED if one.name == name), None)
    if sign is None:
        known = ", ".join((*(one.name for one in MEASURED), "ACVPU", "OXYGEN"))
        raise ValueError(f"{name[:30]} cannot be entered; {known} can")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")  # noqa: TRY004 - the asker's mistake
    limits = LIMITS[sign]
    if not limits.low <= value <= limits.high:
        raise ValueError(f"{name} must be {limits.low:g} to {limits.high:g}")
    return Value(sign, float(value), 0, None, BY_ROUNDS)


def _word(name: str, value: Any, known: "dict[str, Acvpu] | dict[str, float]") -> float:
    found = known.get(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{name} must be one of {', '.join(known)}")
    return float(found)
