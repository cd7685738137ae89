"""The words of FHIR R4 that a ward uses: code systems, LOINC, MDC, UCUM, SNOMED CT."""

from dataclasses import dataclass
from typing import Any

from apps.patient_monitoring.domain import Acvpu

LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
FLAG_CATEGORY = "http://terminology.hl7.org/CodeSystem/flag-category"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
PROFILE = "http://hl7.org/fhir/StructureDefinition/"
OWN = "urn:lineside:codes"
"""Ours, until a terminologist finds better: NEWS2, its parameters, alarms, actions."""


@dataclass(frozen=True, slots=True)
class Vital:
    """How one sign is named and counted."""

    profile: str
    codings: tuple[tuple[str, str, str], ...]
    """(system, code, display); the profile's own LOINC first."""
    unit: str
    code: str
    """Of the unit, in UCUM."""
    digits: int = 0


PER_MINUTE = ("/min", "/min")
VITALS = {
    "HR": Vital(
        "heartrate",
        ((LOINC, "8867-4", "Heart rate"), (MDC, "147842", "MDC_ECG_HEART_RATE")),
        *PER_MINUTE,
    ),
    "PULSE": Vital(
        "heartrate",
        (
            (LOINC, "8867-4", "Heart rate"),
            (LOINC, "8889-8", "Heart rate by Pulse oximetry"),
            (MDC, "149530", "MDC_PULS_OXIM_PULS_RATE"),
        ),
        *PER_MINUTE,
    ),
    "SPO2": Vital(
        "oxygensat",
        (
            (LOINC, "2708-6", "Oxygen saturation in Arterial blood"),
            (LOINC, "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
            (MDC, "150456", "MDC_PULS_OXIM_SAT_O2"),
        ),
        "%", "%",
    ),
    "RR": Vital(
        "resprate",
        ((LOINC, "9279-1", "Respiratory rate"), (MDC, "151562", "MDC_RESP_RATE")),
        *PER_MINUTE,
    ),
    "TEMP": Vital(
        "bodytemp",
        ((LOINC, "8310-5", "Body temperature"), (MDC, "150344", "MDC_TEMP")),
        "Cel", "Cel", 1,
    ),
}  # fmt: skip
PRESSURE = ((LOINC, "85354-9", "Blood pressure panel with all children optional"),)
PRESSURES = {
    "SBP": (LOINC, "8480-6", "Systolic blood pressure"),
    "DBP": (LOINC, "8462-4", "Diastolic blood pressure"),
    "MAP": (LOINC, "8478-0", "Mean blood pressure"),
}
"""Cuff or artery: the readings do not say which, so no MDC code is given."""
MMHG = ("mmHg", "mm[Hg]")
RESPONSIVENESS = ((LOINC, "67775-7", "Level of responsiveness"),)
ANSWERS = {
    Acvpu.ALERT: (SNOMED, "248234008", "Mentally alert"),
    Acvpu.CONFUSION: (SNOMED, "130987000", "Acute confusion"),
    Acvpu.VOICE: (SNOMED, "300202002", "Responds to voice"),
    Acvpu.PAIN: (SNOMED, "450847001", "Responds to pain"),
    Acvpu.UNRESPONSIVE: (SNOMED, "422768004", "Unresponsive"),
}


def coding(system: str, code: str, display: str = "") -> dict[str, str]:
    """One Coding."""
    found = {"system": system, "code": code}
    return {**found, "display": display} if display else found


def concept(*codings: tuple[str, str, str], text: str = "") -> dict[str, Any]:
    """A CodeableConcept; `text` is the first coding's display where none is given."""
    said = text or codings[0][2]
    return {"coding": [coding(*one) for one in codings], "text": said} if codings else {
        "text": said
    }  # fmt: skip


def quantity(value: float, unit: str, code: str, digits: int = 0) -> dict[str, Any]:
    """A Quantity in UCUM; whole numbers without a decimal point."""
    rounded = round(value, digits)
    told = int(rounded) if rounded == int(rounded) and digits == 0 else rounded
    return {"value": told, "unit": unit, "system": UCUM, "code": code}
