"""ORU^R01 (IHE PCD-01) → signs. A message is taken whole or not at all.

"Not available" is OBX-11 X, an empty value, a device's sentinel, or a flag of OBX-8 that
says so; it is NaN with what the device says of its sensor, and never a number. OBX-11 W and
D take back what was said before.
"""

import math
import re
from functools import lru_cache

from apps.patient_monitoring.domain import NONE, Flag, Sign
from apps.patient_monitoring.incoming import vocabulary
from apps.patient_monitoring.incoming.hl7 import Message, part, wall_time
from apps.patient_monitoring.incoming.observed import Observed, Refused, Value
from apps.patient_monitoring.incoming.vocabulary import LOINC, MDC, Metric
from apps.patient_monitoring.readings import BY_ROUNDS

KNOWN_STATUS = frozenset("RFPCXDISUW") | {""}
TAKEN_STATUS = frozenset("RFPC") | {""}
WITHDRAWN_STATUS = frozenset("WD")
NOT_AVAILABLE = frozenset(("INV", "NAV", "OFF", "ACT", "TEST", "DEMO", "CAL", "BUSY"))
"""OBX-8 in IHE PCD-01: whatever the number is, it is not this patient's."""
QUESTIONABLE = "QUES"
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")
NO_FIELDS = ("",) * 15
PRESSURES = (Sign.SBP, Sign.DBP, Sign.MAP)


def read(message: Message, bed: str, utc_offset_min: int) -> Observed:
    """The signs of one patient; raises Refused.

    `bed` is this gateway's name of the message's PV1-3.
    """
    sent = wall_time(message.header(7), utc_offset_min)
    if sent is None:
        raise Refused("time", "MSH-7 is empty: nobody can say how old this is")
    patient = patient_of(message)
    values: list[Value] = []
    asked = None
    for segment in message.segments:
        if segment[0] == "OBR":
            asked = wall_time(part(segment, 7), utc_offset_min)
        elif segment[0] == "OBX":
            segment.extend(NO_FIELDS[len(segment) :])
            value = _value(message, segment, asked, utc_offset_min)
            if value is not None:
                values.append(value)
    control, source = message.header(10), source_of(message)
    return Observed("hl7", source, control[:60], patient, bed, sent, tuple(values))


def source_of(message: Message) -> str:
    """Who sends: MSH-3, by its EUI-64 where it has one."""
    application = message.header(3)
    return (message.component(application, 2) or message.component(application))[:60]


def patient_of(message: Message, field: int = 3, name: str = "PID") -> str:
    """Number and authority of the message's one patient; raises Refused."""
    found = message.all(name)
    if len(found) != 1:
        raise Refused("patient", f"{len(found)} {name} segments; one patient per message")
    return patient_in(message, part(found[0], field))


def patient_in(message: Message, field: str) -> str:
    """Number and authority as one text, from a CX field; raises Refused where it is empty."""
    number = message.component(field).strip()
    if not number or len(number) > 60:
        raise Refused("patient", "no patient's number: PID-3 is empty or too long")
    authority = message.component(field, 4).split("&", 1)[0].strip()
    return f"{authority}:{number}"


def _value(
    message: Message, obx: list[str], asked: float | None, utc_offset_min: int
) -> Value | None:
    """What an OBX says, its fields filled up to OBX-14; None where it is not used here."""
    code, metric = _meaning(obx[3], message.marks.component)
    if obx[11] not in KNOWN_STATUS:
        raise Refused("status", f"OBX-11 {obx[11][:10]!r} of {code[:20]} is not known")
    if code == vocabulary.RESPONSIVENESS:
        return _consciousness(message, obx, asked, utc_offset_min)
    if metric is None:
        return None  # containment (MDS, VMD) and what this app does not use
    at = wall_time(obx[14], utc_offset_min)
    if obx[11] in WITHDRAWN_STATUS:
        return Value(metric.sign, NONE, int(Flag.WITHDRAWN), at or asked, metric.interval_s)
    value, flags = _number(message, obx, metric, code)
    if metric.sign is Sign.OXYGEN and not math.isnan(value):
        value = vocabulary.oxygen_given(code, value)
    again = at is None and metric.sign in PRESSURES  # monitors repeat the last cuff's value
    return Value(metric.sign, value, flags, at or asked, metric.interval_s, again)


@lru_cache(maxsize=4096)
def _meaning(field: str, component: str) -> tuple[str, Metric | None]:
    """The code of an OBX-3, and what is known of it."""
    code, name, system = (*field.split(component, 3)[:3], "", "", "")[:3]
    return code, LOINC.get(code) if system == "LN" else MDC.get(name) or MDC.get(code)


def _number(message: Message, obx: list[str], metric: Metric, code: str) -> tuple[float, int]:
    text, said, weak = obx[5].strip(), obx[8], 0
    if obx[11] not in TAKEN_STATUS or not text or text == '""':
        return NONE, metric.off
    if said:
        flags = set(said.split(message.marks.repetition))
        if flags & NOT_AVAILABLE:
            return NONE, metric.off
        weak = int(Flag.LOW_SIGNAL) if QUESTIONABLE in flags else 0
    value = _float(text, obx[2], code)
    if value in vocabulary.SENTINELS:
        return NONE, metric.off
    factor, offset = _unit(message, obx[6], metric, code)
    return value * factor + offset, weak


def _float(text: str, kind: str, code: str) -> float:
    if kind != "NM":
        raise Refused("value", f"OBX-2 {kind[:5]!r} of {code[:20]}: a number (NM) is needed")
    if not NUMBER.fullmatch(text):
        raise Refused("value", f"{text[:20]!r} of {code[:20]} is no number")
    return float(text)


def _unit(message: Message, field: str, metric: Metric, code: str) -> tuple[float, float]:
    for name in field.split(message.marks.component, 2)[:2]:
        found = metric.units.get(name)
        if found is not None:
            return found
    shown = message.component(field)[:20] or "(none)"
    raise Refused("unit", f"unit {shown} of {code[:20]} is not known here")


def _consciousness(
    message: Message, obx: list[str], asked: float | None, utc_offset_min: int
) -> Value:
    at = wall_time(obx[14], utc_offset_min) or asked
    answer = message.component(obx[5])
    if obx[11] in WITHDRAWN_STATUS:
        return Value(Sign.ACVPU, NONE, int(Flag.WITHDRAWN), at, BY_ROUNDS)
    if obx[11] not in TAKEN_STATUS or not answer:
        return Value(Sign.ACVPU, NONE, 0, at, BY_ROUNDS)
    level = vocabulary.ACVPU.get(answer)
    if level is None:
        raise Refused("value", f"{answer[:20]!r} is no level of consciousness that is known")
    return Value(Sign.ACVPU, float(level), 0, at, BY_ROUNDS)
