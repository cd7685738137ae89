"""JSON of a wearable over MQTT → signs.

    {"id": 4711, "time": "2026-01-01T12:00:00.000Z", "patient": "HOSP:MRN123", "bed": "BED3",
     "unit": "W7", "values": {"hr": 76, "spo2": 97, "rr": 15, "temp": 36.8, "motion_mg": 12},
     "flags": {"spo2": ["weak"]}}

Units are fixed by the names; null is "not available". A name that is not known is refused:
a wearable that calls the temperature something else must not look as if it had none.
"""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.patient_monitoring.config import WardSettings
from apps.patient_monitoring.domain import NONE, Flag, Sign
from apps.patient_monitoring.incoming.observed import Observed, Refused, Value
from apps.patient_monitoring.incoming.vocabulary import SENTINELS

SIGNS = {
    "hr": Sign.HR, "pulse": Sign.PULSE, "spo2": Sign.SPO2, "rr": Sign.RR, "temp": Sign.TEMP,
    "pi": Sign.PI, "motion_mg": Sign.MOTION,
}  # fmt: skip
FLAGS = {"off": Flag.SENSOR_OFF, "lead_off": Flag.LEAD_OFF, "weak": Flag.LOW_SIGNAL}
KEYS = frozenset(("id", "time", "patient", "unit", "bed", "values", "flags"))
MOST_BYTES = 20_000


def read(source: str, payload: bytes, ward: WardSettings) -> Observed:
    """The signs in a message of the wearable `source`; raises Refused."""
    told = _object(payload)
    unknown = sorted(set(told) - KEYS)
    if unknown:
        raise Refused("form", f"key {unknown[0][:30]!r} is not known")
    patient, number = _text(told, "patient"), told.get("id", "")
    if not isinstance(number, str | int) or isinstance(number, bool):
        raise Refused("form", "id must be a number or a text")
    bed = ward.bed(_text(told, "unit"), _text(told, "bed"))
    if bed is None:
        raise Refused("bed", "unit and bed are none of this gateway's")
    values, flags = _table(told, "values"), _table(told, "flags")
    if not values:
        raise Refused("value", "there are no values in it")
    signs = tuple(_value(name, value, flags.get(name, [])) for name, value in values.items())
    return Observed("mqtt", source[:60], str(number)[:60], patient, bed, _time(told), signs)


def _object(payload: bytes) -> Mapping[str, Any]:
    if len(payload) > MOST_BYTES:
        raise Refused("size", f"a message has at most {MOST_BYTES} bytes")
    try:
        told = json.loads(payload.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused("form", f"is no JSON ({type(error).__name__})") from error
    if not isinstance(told, dict):
        raise Refused("form", "is no JSON object")
    return told


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= 120 or not text.isprintable():  # nor half of a surrogate pair
        raise Refused("form", f"{key} must be a printable text of 1 to 120 characters")
    return text


def _table(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = told.get(key, {})
    if not isinstance(table, dict):
        raise Refused("form", f"{key} must be an object")
    return table


def _time(told: Mapping[str, Any]) -> float:
    try:
        moment = datetime.fromisoformat(_text(told, "time"))
        if moment.tzinfo is None:
            raise Refused("time", "time has no zone")
        return moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise Refused("time", "time is no ISO 8601") from error


def _value(name: str, value: Any, said: Any) -> Value:
    sign = SIGNS.get(name)
    if sign is None:
        raise Refused("unit", f"{name[:30]!r} is no sign with a unit; {', '.join(SIGNS)}")
    flags = _flags(name, said)
    if value is None:
        return Value(sign, NONE, flags)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("value", f"{name}: a number or null is needed")
    number = float(value) if abs(value) < 1e9 else math.inf
    if number in SENTINELS:
        return Value(sign, NONE, flags)
    if not math.isfinite(number):
        raise Refused("value", f"{name}: is no finite number")
    return Value(sign, number, flags)


def _flags(name: str, said: Any) -> int:
    if not isinstance(said, list) or any(not isinstance(one, str) for one in said):
        raise Refused("form", f"flags.{name} must be a list of words")
    unknown = [one for one in said if one not in FLAGS]
    if unknown:
        raise Refused("value", f"flag {unknown[0][:20]!r} is not known; {', '.join(FLAGS)}")
    return sum({int(FLAGS[one]) for one in said})
