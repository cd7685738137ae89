"""Why a patient was called for: the inputs of score and model as they were, as JSON.

With these and the same model the same score comes out again (see again.py). Missing is
null; numbers that are computed from are kept to the last bit.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.domain import (
    Array,
    Extreme,
    Flag,
    Parameter,
    Patient,
    Priority,
    Risk,
    Sign,
)
from apps.patient_monitoring.readings import Reading
from apps.patient_monitoring.risk import reasons
from apps.patient_monitoring.trends import FEATURES
from apps.patient_monitoring.ward import Decision, Percept
from common.provenance import Provenance
from common.telemetry.event import iso_time

SIGN_OF = {
    Parameter.RESPIRATION: Sign.RR,
    Parameter.SPO2: Sign.SPO2,
    Parameter.OXYGEN: Sign.OXYGEN,
    Parameter.SYSTOLIC: Sign.SBP,
    Parameter.PULSE: Sign.HR,
    Parameter.CONSCIOUSNESS: Sign.ACVPU,
    Parameter.TEMPERATURE: Sign.TEMP,
}
PARAMETERS = tuple(parameter.name for parameter in Parameter)
SIGNS_BY_NAME = tuple(sign.name for sign in Sign)
SECOND_LINE = ("model", "anomaly")
NEVER = {"age_s": None, "flags": ()}
Inputs = Callable[[Reading], Array]


@dataclass(frozen=True)
class AlertProvenance(Provenance):
    """What made the scores of an alert."""

    advisory: Mapping[str, Any] = field(default_factory=dict)
    """The limits of the second line, as app.toml had them."""


@dataclass(frozen=True, eq=False)
class Moment:
    """A ward at one moment: what was perceived, what was decided, and who lay where."""

    percept: Percept
    decision: Decision
    patients: Sequence[Patient | None]
    inputs: Array
    """float [beds, parameters]: what NEWS2 was given."""
    wall: float
    """UTC s."""

    def of(self, row: int) -> dict[str, Any]:
        """All that is known of one bed."""
        patient, percept, decision = self.patients[row], self.percept, self.decision
        return {
            "bed": patient.bed if patient else str(row + 1),
            "patient": patient.pseudonym if patient else "",
            "age": number(patient.age) if patient else None,
            "at": iso_time(self.wall),
            "scale2": bool(patient and patient.scale2),
            "refused": patient.refusal if patient else "",
            "risk": Risk(int(decision.risk[row])).name,
            "priority": Priority(int(decision.priority[row])).name,
            "extreme": bits(Extreme, int(decision.extreme[row])),
            "technical": bits(Flag, int(decision.technical[row])),
            "score": scored(decision, row),
            "inputs": self._inputs(row),
            "signs": signs_of(percept.reading, row),
            "due_s": float(percept.due_s[row]),
            **self._second_line(row),
            "not_a_device": NOT_A_DEVICE,
        }

    def proof(self, row: int) -> dict[str, Any]:
        """What an alert of the second line rested on besides: to compute it anew."""
        usual, above = self.percept.usual, self.decision.above_s[row]
        return {
            "usual": {
                "value": list(map(number, usual.value[row])),
                "mean": list(map(number, usual.mean[row])),
                "spread": [list(map(number, line)) for line in usual.spread[row]],
            },
            "above_s": dict(zip(SECOND_LINE, map(number, above), strict=True)),
        }

    def _inputs(self, row: int) -> dict[str, Any]:
        signs = signs_of(self.percept.reading, row)
        return {
            parameter.name: {
                **signs.get(sign.name, NEVER),
                "value": number(self.inputs[row, parameter]),
            }
            for parameter, sign in SIGN_OF.items()
        }

    def _second_line(self, row: int) -> dict[str, Any]:
        percept = self.percept
        found = reasons(percept.features[row], percept.contributions[row])
        return {
            "model_risk": number(percept.risk[row]),
            "reasons": [reason.document() for reason in found],
            "features": dict(zip(FEATURES, map(number, percept.features[row]), strict=True)),
            "contributions": [number(one) for one in percept.contributions[row]],
            "anomaly": number(percept.anomaly[row]),
            "anomaly_shares": [number(one) for one in percept.anomaly_shares[row]],
        }


def scored(decision: Decision, row: int) -> dict[str, Any]:
    """NEWS2 of one bed."""
    score = decision.score
    points: list[int] = score.parts[row].tolist()
    gone: list[bool] = score.missing[row].tolist()
    named = list(zip(PARAMETERS, points, gone, strict=True))
    return {
        "parts": {name: None if missing else n for name, n, missing in named},
        "missing": [name for name, _, missing in named if missing],
        "at_least": sum(points),
        "complete": not any(gone) and not bool(score.refused[row]),
        "red": [name for name, n, _ in named if n == 3],
    }


def signs_of(reading: Reading, row: int) -> dict[str, dict[str, Any]]:
    """Each sign of one bed that was ever measured: value, age, and what is wrong with it.

    For people to read, so rounded; what is computed from stands in the inputs in full.
    """
    columns = (reading.value[row], reading.age_s[row], reading.flags[row])
    values, ages, flags = (column.tolist() for column in columns)
    return {
        name: {
            "value": round(value, 2) if math.isfinite(value) else None,
            "age_s": round(age_s, 1),
            "flags": bits(Flag, wrong),
        }
        for name, value, age_s, wrong in zip(SIGNS_BY_NAME, values, ages, flags, strict=True)
        if math.isfinite(age_s)
    }


def number(value: float) -> float | None:
    """JSON's number; null for what is not known."""
    return float(value) if math.isfinite(value) else None


@lru_cache(maxsize=4096)
def bits(kind: type[Extreme] | type[Flag], value: int) -> tuple[str, ...]:
    """The names of the bits that are set; as a tuple, for it is remembered."""
    return tuple(str(one.name) for one in kind if int(value) & int(one))
