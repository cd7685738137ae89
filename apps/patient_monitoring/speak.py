"""HL7 and JSON as real devices say them: for the simulated ward, the bench and the tests."""

import json
import math
from collections.abc import Iterable

from apps.patient_monitoring.domain import Acvpu, Array, Flag, Patient, Sign
from apps.patient_monitoring.incoming.hl7 import escaped, stamp
from apps.patient_monitoring.incoming.vocabulary import ACVPU
from apps.patient_monitoring.readings import Readings
from common.telemetry.event import iso_time

PCD = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
Said = tuple[Sign, float, int]
"""Sign, value (NaN: not available), flags."""
SPOKEN = {
    Sign.HR: ("147842^MDC_ECG_HEART_RATE^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC"),
    Sign.PULSE: ("149530^MDC_PULS_OXIM_PULS_RATE^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC"),
    Sign.SPO2: ("150456^MDC_PULS_OXIM_SAT_O2^MDC", "262688^MDC_DIM_PERCENT^MDC"),
    Sign.PI: ("150488^MDC_BLD_PERF_INDEX^MDC", "262688^MDC_DIM_PERCENT^MDC"),
    Sign.RR: ("151562^MDC_RESP_RATE^MDC", "264928^MDC_DIM_RESP_PER_MIN^MDC"),
    Sign.SBP: ("150021^MDC_PRESS_BLD_NONINV_SYS^MDC", "266016^MDC_DIM_MMHG^MDC"),
    Sign.DBP: ("150022^MDC_PRESS_BLD_NONINV_DIA^MDC", "266016^MDC_DIM_MMHG^MDC"),
    Sign.MAP: ("150023^MDC_PRESS_BLD_NONINV_MEAN^MDC", "266016^MDC_DIM_MMHG^MDC"),
    Sign.TEMP: ("150344^MDC_TEMP^MDC", "268192^MDC_DIM_DEGC^MDC"),
    Sign.OXYGEN: ("3151-8^Inhaled oxygen flow rate^LN", "L/min^liter per minute^UCUM"),
}
LEVELS = {level: code for code, level in ACVPU.items()}
WORN = {
    Sign.HR: "hr", Sign.PULSE: "pulse", Sign.SPO2: "spo2", Sign.RR: "rr", Sign.TEMP: "temp",
    Sign.PI: "pi", Sign.MOTION: "motion_mg",
}  # fmt: skip
WORDS = {Flag.SENSOR_OFF: "off", Flag.LEAD_OFF: "lead_off", Flag.LOW_SIGNAL: "weak"}


def number_of(patient: Patient) -> str:
    """The hospital's number of a simulated patient."""
    return "SIM" + patient.pseudonym.upper().replace("-", "")


def observation(
    place: tuple[str, str], mrn: str, device: str, said: Iterable[Said], now: tuple[int, float]
) -> bytes:
    """ORU^R01 as IHE PCD-01 has it; `now` is the message's number and its wall time."""
    number, wall = now
    at = stamp(wall)
    lines = [
        f"MSH|^~\\&|{device}^{device}^EUI-64|{place[0]}|||{at}||ORU^R01^ORU_R01|{number}|P|2.6"
        f"|||NE|AL||UNICODE UTF-8|||{PCD}",
        f"PID|||{mrn}^^^HOSP^MR||SIM^PATIENT",
        f"PV1||I|{place[0]}^^{place[1]}",
        f"OBR|1|{number}^{device}|{number}^{device}|182777000^monitoring of patient^SCT|||{at}",
        "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X",
    ]
    lines += [_obx(n, one, at) for n, one in enumerate(said, 2)]
    return ("\r".join(lines) + "\r").encode()


def _obx(number: int, said: Said, at: str) -> str:
    sign, value, flags = said
    if sign is Sign.ACVPU:
        code = LEVELS[Acvpu(int(value))]
        return f"OBX|{number}|CWE|67775-7^Level of responsiveness^LN||{code}^^SCT||||||F|||{at}"
    code, unit = SPOKEN[sign]
    gone = math.isnan(value)
    weak = "QUES" if flags & Flag.LOW_SIGNAL else ""
    shown = "" if gone else f"{value * (2 if sign is Sign.OXYGEN else 1):g}"
    if value >= 1e6:
        shown = f"{value:.0f}"
    status = "X" if gone else "R"
    return f"OBX|{number}|NM|{code}|1.1.1.{number}|{shown}|{unit}||{weak}|||{status}|||{at}"


def admission(
    place: tuple[str, str], mrn: str, now: tuple[int, float], *, event: str = "A01",
    name: str = "SIM^PATIENT", born: str = "", processing: str = "T",
) -> bytes:  # fmt: skip
    """ADT of one patient and one place."""
    number, wall = now
    at = stamp(wall)
    lines = [
        f"MSH|^~\\&|ADT|HOSP|||{at}||ADT^{event}^ADT_{event}|A{number}|{processing}|2.6"
        "|||NE|AL||UNICODE UTF-8",
        f"EVN||{at}",
        f"PID|||{escaped(mrn)}^^^HOSP^MR||{name}||{born}",
        f"PV1||I|{place[0]}^^{place[1]}",
    ]
    return ("\r".join(lines) + "\r").encode()


def worn(
    place: tuple[str, str], mrn: str, said: Iterable[Said], now: tuple[int, float]
) -> bytes:
    """A wearable's JSON."""
    number, wall = now
    told = [one for one in said if one[0] in WORN]
    message = {
        "id": number,
        "time": iso_time(wall),
        "patient": f"HOSP:{mrn}",
        "unit": place[0],
        "bed": place[1],
        "values": {WORN[s]: None if math.isnan(value) else value for s, value, _ in told},
        "flags": {WORN[s]: words for s, _, flags in told if (words := _words(flags))},
    }
    return json.dumps(message).encode()


def _words(flags: int) -> list[str]:
    return [word for flag, word in WORDS.items() if flags & flag]


def by_bed(readings: Readings) -> dict[int, list[Said]]:
    """What was measured, of each bed."""
    found: dict[int, list[Said]] = {}
    columns: tuple[Array, ...] = (readings.bed, readings.sign, readings.value, readings.flags)
    for bed, sign, value, flags in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault(bed, []).append((Sign(sign), value, flags))
    return found
