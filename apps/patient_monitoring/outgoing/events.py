"""Which events the ways out understand, and what each is read for."""

import hashlib
from base64 import b32encode
from typing import Any

from common.alarms.engine import ABNORMAL, State
from common.alarms.persist import ALARM_EVENT
from common.audit_upstream import AUDIT_EVENT
from common.telemetry.event import Event
from common.telemetry.outbox import DROPPED, REFUSED

ALERT_EVENT = "lineside.ward.alert.v1"
"""A change of what is in force on a bed, with all that it was decided from."""
OBSERVATION_EVENT = "lineside.ward.observation.v1"
"""The same body, told at intervals although nothing has changed."""
MEASURED = (ALERT_EVENT, OBSERVATION_EVENT)
LOSSES = (DROPPED, REFUSED)
PHYSIOLOGICAL = ("risk", "extreme")
TECHNICAL, ADVICE = "technical", "advice"

__all__ = [
    "ADVICE", "ALARM_EVENT", "ALERT_EVENT", "AUDIT_EVENT", "LOSSES", "MEASURED",
    "OBSERVATION_EVENT", "PHYSIOLOGICAL", "TECHNICAL", "about", "key", "occurrence", "stands",
]  # fmt: skip


def key(event: Event, part: str = "") -> str:
    """20 characters that are the same whenever this part of this event is sent.

    HL7's control id has room for no more; a hundred bits of SHA-256 do not meet by chance.
    """
    digest = hashlib.sha256(f"{event.source} {event.id} {part}".encode()).digest()
    return b32encode(digest)[:20].decode("ascii")


def about(event: Event) -> dict[str, Any]:
    """Whom an alarm's occurrence concerns: bed, patient, kind; empty where it says none."""
    said = event.data.get("about")
    return dict(said) if isinstance(said, dict) else {}


def occurrence(event: Event) -> str:
    """What all events of one occurrence of an alarm have in common.

    The time it began is in it beside its number: numbers begin anew with a fresh store.
    """
    began = event.data.get("active_since") or 0.0
    data = event.data
    return f"{data['alarm_id']}/{round(float(began) * 1000)}-{int(data['occurrence'])}"


def stands(event: Event) -> bool:
    """Whether the alarm's condition is there, hidden or not."""
    return event.data.get("life") in {state.value for state in ABNORMAL}


def acknowledged(event: Event) -> bool:
    """Whether a person has taken note of what still stands or is held."""
    return event.data["state"] in (State.ACKED.value, State.LATCHED_ACK.value) or (
        event.data.get("action") == "acknowledge"
    )
