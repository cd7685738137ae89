"""Signs, NEWS2 and the model's risk as FHIR R4: Observation and RiskAssessment.

A sign is sent with the time it was measured, and its identifier is made of that: the same
measurement told with two scores is one Observation. What is missing is said to be missing;
a score of which something is missing has no value, only its known parts.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.patient_monitoring.domain import Acvpu, Parameter, Risk
from apps.patient_monitoring.outgoing.events import OBSERVATION_EVENT
from apps.patient_monitoring.outgoing.fhir_base import (
    Resource,
    Teller,
    created,
    full_url,
    meta,
    wall,
)
from apps.patient_monitoring.outgoing.fhir_terms import (
    ABSENT,
    ANSWERS,
    CATEGORY,
    MMHG,
    OWN,
    PRESSURE,
    PRESSURES,
    PROFILE,
    RESPONSIVENESS,
    UCUM,
    VITALS,
    concept,
    quantity,
)
from apps.patient_monitoring.parameter_names import PARAMETER_NAMES
from apps.patient_monitoring.protocol import CHART
from common.telemetry.event import iso_time

NEWS2 = (f"{OWN}:score", "news2", "NEWS2 aggregate score")
CONSCIOUSNESS = "ACVPU"


@dataclass(frozen=True, slots=True)
class Measured:
    """One sign with its time."""

    sign: str
    value: float
    at: float
    """UTC, s since 1970."""
    flags: tuple[str, ...]


def entries(teller: Teller) -> list[Resource]:
    """What goes into the transaction: signs, the score, and the model's line."""
    event = teller.event
    at = wall(event.data.get("at"), event.time)
    found = list(_signs(teller, _measured(event.data.get("signs", {}), at)))
    if event.type == OBSERVATION_EVENT and not found:
        return []  # nobody has seen anything yet, and nothing has changed
    score = created(full_url(event, "news2"), _news2(teller, at, [e["fullUrl"] for e in found]))
    told = [*found, score]
    if event.data.get("model_risk") is not None:
        told.append(created(full_url(event, "risk"), _risk(teller, at, score["fullUrl"])))
    return told


def _measured(signs: Mapping[str, Any], at: float) -> dict[str, Measured]:
    known = {}
    for sign, said in signs.items():
        value, age_s = said.get("value"), said.get("age_s")
        if value is not None and age_s is not None:
            flags = tuple(str(flag) for flag in said.get("flags", ()))
            known[sign] = Measured(sign, float(value), round(at - float(age_s)), flags)
    return known


def _signs(teller: Teller, known: Mapping[str, Measured]) -> list[Resource]:
    found = [_vital(teller, known[sign]) for sign in VITALS if sign in known]
    if known.keys() & PRESSURES:
        found.append(_pressure(teller, known))
    if CONSCIOUSNESS in known:
        found.append(_responsiveness(teller, known[CONSCIOUSNESS]))
    return [
        created(full_url(teller.event, one["identifier"][0]["value"]), one) for one in found
    ]


def _observation(teller: Teller, one: Measured, category: str) -> Resource:
    known_by = f"{teller.event.source} {teller.event.data['patient']} {one.sign} {one.at}"
    number = hashlib.sha256(known_by.encode()).hexdigest()[:32]
    found: Resource = {
        "resourceType": "Observation",
        "meta": meta(),
        "identifier": [teller.identifier(f"sign-{number}")],
        "status": "final",
        "category": [_category(category)],
        "subject": teller.patient,
        "effectiveDateTime": iso_time(one.at),
        "device": teller.device,
    }
    if one.flags:
        found["note"] = [{"text": f"Quality: {', '.join(one.flags)}"}]
    return found


def _vital(teller: Teller, one: Measured) -> Resource:
    vital = VITALS[one.sign]
    return {
        **_observation(teller, one, "vital-signs"),
        "meta": meta(PROFILE + vital.profile),
        "code": concept(*vital.codings),
        "valueQuantity": quantity(one.value, vital.unit, vital.code, vital.digits),
    }


def _pressure(teller: Teller, known: Mapping[str, Measured]) -> Resource:
    first = next(known[sign] for sign in PRESSURES if sign in known)
    parts = []
    for sign, code in PRESSURES.items():
        there = known.get(sign)
        if there is not None:
            value = {"valueQuantity": quantity(there.value, *MMHG)}
        elif sign == "MAP":
            continue  # the profile asks for the other two
        else:
            value = {"dataAbsentReason": concept((ABSENT, "unknown", "Unknown"))}
        parts.append({"code": concept(code), **value})
    return {
        **_observation(teller, first, "vital-signs"),
        "meta": meta(PROFILE + "bp"),
        "code": concept(*PRESSURE),
        "component": parts,
    }


def _responsiveness(teller: Teller, one: Measured) -> Resource:
    return {
        **_observation(teller, one, "exam"),
        "code": concept(*RESPONSIVENESS),
        "valueCodeableConcept": concept(ANSWERS[Acvpu(round(one.value))]),
    }


def _category(code: str) -> Resource:
    displays = {"vital-signs": "Vital Signs", "survey": "Survey", "exam": "Exam"}
    return concept((CATEGORY, code, displays[code]))


def _news2(teller: Teller, at: float, derived_from: list[str]) -> Resource:
    data = teller.event.data
    score = data["score"]
    scale = 2 if data.get("scale2") else 1
    found: Resource = {
        "resourceType": "Observation",
        "meta": meta(),
        "identifier": [teller.identifier(f"{teller.event.id}#news2")],
        "status": "final",
        "category": [_category("survey")],
        "code": concept(NEWS2),
        "subject": teller.patient,
        "effectiveDateTime": iso_time(at),
        "device": teller.device,
        "method": {"text": f"NEWS2 (RCP 2017), SpO2 scale {scale}"},
        "component": [_part(name, score) for name in Parameter.__members__],
        **_total(data),
    }
    if derived_from:
        found["derivedFrom"] = [{"reference": url} for url in derived_from]
    return found


def _total(data: Mapping[str, Any]) -> Resource:
    score = data["score"]
    if data.get("refused"):
        return {"dataAbsentReason": concept((ABSENT, "not-applicable", "Not Applicable"))}
    if not score["complete"]:
        least = f"Incomplete: at least {int(score['at_least'])}"
        absent = concept((ABSENT, "unknown", "Unknown"), text=least)
        return {"dataAbsentReason": absent, "note": [{"text": least}]}
    value = {
        "value": int(score["at_least"]),
        "unit": "score",
        "system": UCUM,
        "code": "{score}",
    }
    return {
        "valueQuantity": value,
        "interpretation": [{"text": CHART[Risk[str(data["risk"])]].text}],
    }


def _part(name: str, score: Mapping[str, Any]) -> Resource:
    code = concept((f"{OWN}:news2", name, PARAMETER_NAMES[Parameter[name]]))
    points = score["parts"].get(name)
    if name in score["missing"] or points is None:
        return {"code": code, "dataAbsentReason": concept((ABSENT, "unknown", "Unknown"))}
    return {"code": code, "valueInteger": int(points)}


def _risk(teller: Teller, at: float, score_url: str) -> Resource:
    data = teller.event.data
    prediction: Resource = {
        "outcome": {"text": "Deterioration"},
        "probabilityDecimal": round(float(data["model_risk"]), 4),
    }
    reasons = [
        f"{one['text']} (odds × {float(one['factor']):.1f})" for one in data.get("reasons", ())
    ]
    if reasons:
        prediction["rationale"] = "; ".join(reasons)
    return {
        "resourceType": "RiskAssessment",
        "meta": meta(),
        "identifier": [teller.identifier(f"{teller.event.id}#risk")],
        "status": "final",
        "method": {"text": str(data.get("model") or "model")},
        "code": concept((f"{OWN}:score", "model-risk", "Risk by a model: advice beside NEWS2")),
        "subject": teller.patient,
        "occurrenceDateTime": iso_time(at),
        "performer": teller.device,
        "basis": [{"reference": score_url}],
        "prediction": [prediction],
    }
