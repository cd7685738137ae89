"""FHIR R4 Observations of a hospital's systems → signs, spot values all of them.

An Observation names no bed: it goes to where its patient lies. The patient is known by an
identifier of a system that [fhir.systems] maps to the authority of HL7's PID-3, so that
both ways give one person one pseudonym.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.patient_monitoring.domain import NONE, Flag, Sign
from apps.patient_monitoring.incoming import vocabulary
from apps.patient_monitoring.incoming.observed import Observed, Refused, Value
from apps.patient_monitoring.incoming.vocabulary import LOINC, SENTINELS
from apps.patient_monitoring.readings import BY_ROUNDS

LOINC_SYSTEM, UCUM, SNOMED = (
    "http://loinc.org",
    "http://unitsofmeasure.org",
    "http://snomed.info/sct",
)
WITHDRAWN = "entered-in-error"
TAKEN = ("final", "amended", "corrected", "preliminary", WITHDRAWN)
PANELS = (vocabulary.PRESSURE_PANEL, "85353-1")
Json = Mapping[str, Any]


def read(resource: Any, systems: Mapping[str, str], wall: float) -> Observed:
    """The signs of one Observation, with no bed yet; raises Refused."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Observation":
        raise Refused("type", "an R4 resource of type Observation is needed")
    if resource.get("status") not in TAKEN:
        raise Refused("status", f"status must be one of {', '.join(TAKEN)}")
    if not _is_vital(resource):
        raise Refused("type", "category vital-signs is needed")
    at = _time(resource, "effectiveDateTime")
    if at is None:
        raise Refused("time", "effectiveDateTime is missing: nobody can say how old this is")
    sent = _time(resource, "issued")
    values = tuple(_values(resource, at))
    if resource["status"] == WITHDRAWN:
        values = tuple(v._replace(value=NONE, flags=int(Flag.WITHDRAWN)) for v in values)
    if not values:
        raise Refused("code", "no code of a sign that is known here")
    source = str(_object(resource, "device").get("display", "fhir"))[:60]
    number, patient = _number_of(resource), _patient(resource, systems)
    if not (source + patient).isprintable():  # nor half of a surrogate pair
        raise Refused("form", "device.display or the patient's identifier is not printable")
    return Observed("fhir", source, number, patient, "", sent or wall, values)


def _number_of(resource: Json) -> str:
    """Of this word about it: a correction has the id of what it corrects."""
    number, version = resource.get("id", ""), _object(resource, "meta").get("versionId", "")
    return f"{resource['status']}/{str(version)[:60]}/{str(number)[:64]}" if number else ""


def _is_vital(resource: Json) -> bool:
    return any(
        coding.get("code") == "vital-signs"
        for category in _list(resource, "category")
        for coding in _list(category, "coding")
    )


def _patient(resource: Json, systems: Mapping[str, str]) -> str:
    identifier = _object(_object(resource, "subject"), "identifier")
    system, value = str(identifier.get("system", "")), str(identifier.get("value", "")).strip()
    if system not in systems:
        raise Refused("patient", "subject.identifier.system is none of [fhir.systems]")
    if not 1 <= len(value) <= 60:
        raise Refused("patient", "subject.identifier.value is empty or too long")
    return f"{systems[system]}:{value}"


def _values(resource: Json, at: float) -> "list[Value]":
    codes = _codes(resource)
    if any(code in PANELS for code in codes):
        components = _list(resource, "component")
        return [value for one in components if (value := _value(one, _codes(one), at))]
    value = _value(resource, codes, at)
    return [value] if value else []


def _codes(resource: Json) -> list[str]:
    found = _list(_object(resource, "code"), "coding")
    return [str(c.get("code", "")) for c in found if c.get("system") == LOINC_SYSTEM]


def _value(resource: Json, codes: list[str], at: float) -> Value | None:
    if vocabulary.RESPONSIVENESS in codes:
        return Value(Sign.ACVPU, _level(resource), 0, at, BY_ROUNDS)
    code = next((code for code in codes if code in LOINC), None)
    if code is None:
        return None
    metric = LOINC[code]
    quantity = _object(resource, "valueQuantity")
    if not quantity:
        if not _object(resource, "dataAbsentReason"):
            raise Refused("value", f"{code}: neither valueQuantity nor dataAbsentReason")
        return Value(metric.sign, NONE, metric.off, at, BY_ROUNDS)
    number = _number(quantity, code)
    if number in SENTINELS:
        return Value(metric.sign, NONE, metric.off, at, BY_ROUNDS)
    unit = (
        metric.units.get(str(quantity.get("code"))) if quantity.get("system") == UCUM else None
    )
    if unit is None:
        raise Refused("unit", f"{code}: unit {str(quantity.get('code'))[:20]!r} is not known")
    number = number * unit[0] + unit[1]
    if metric.sign is Sign.OXYGEN:
        number = vocabulary.oxygen_given(code, number)
    return Value(metric.sign, number, 0, at, BY_ROUNDS)


def _number(quantity: Json, code: str) -> float:
    value = quantity.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e9:
        raise Refused("value", f"{code}: value is no number of a body")
    if not math.isfinite(value):
        raise Refused("value", f"{code}: value is not finite")
    if quantity.get("comparator"):
        raise Refused("value", f"{code}: a comparator leaves the value open")
    return float(value)


def _level(resource: Json) -> float:
    if _object(resource, "dataAbsentReason"):
        return NONE
    for coding in _list(_object(resource, "valueCodeableConcept"), "coding"):
        level = vocabulary.ACVPU.get(str(coding.get("code")))
        if level is not None and coding.get("system") == SNOMED:
            return float(level)
    raise Refused("value", "67775-7: no level of consciousness that is known")


def _time(resource: Json, key: str) -> float | None:
    text = resource.get(key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Refused("time", f"{key} has no zone")
        return moment.timestamp()
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused("time", f"{key} is no moment") from error


def _object(resource: Json, key: str) -> dict[str, Any]:
    value = resource.get(key)
    return value if isinstance(value, dict) else {}


def _list(resource: Json, key: str) -> list[dict[str, Any]]:
    value = resource.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
