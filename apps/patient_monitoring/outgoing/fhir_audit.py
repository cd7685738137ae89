"""A row of the audit trail as a FHIR R4 AuditEvent (in the terms of DICOM and RFC 3881)."""

from apps.patient_monitoring.outgoing.fhir_base import Resource, Teller, meta, own_id
from apps.patient_monitoring.outgoing.fhir_terms import DICOM, OWN, SOURCE_TYPE, coding
from apps.patient_monitoring.outgoing.siem import failed
from common.telemetry.event import iso_time

AUTHENTICATION = ("110114", "User Authentication")
RECORD = ("110110", "Patient Record")
APPLICATION = ("110100", "Application Activity")
SIGN_IN = ("sign", "login", "logout", "password")
CLINICAL = ("bed", "patient", "alarm/bed_", "bed_")
"""What a target of a bed or patient begins with."""


def audit_event(teller: Teller, *, free_text: bool) -> Resource:
    """R4 gives AuditEvent no identifier, so it stands under an id made of the event's."""
    event = teller.event
    data = event.data
    action, target = str(data["action"]), str(data["target"])
    found: Resource = {
        "resourceType": "AuditEvent",
        "id": own_id(event),
        "meta": meta(),
        "type": coding(DICOM, *_kind(action, target)),
        "subtype": [coding(f"{OWN}:action", "-".join(action.split()) or "unknown", action)],
        "action": "E",
        "recorded": iso_time(event.time),
        "outcome": "4" if failed(action) else "0",
        "agent": [
            {
                "role": [{"text": str(data["role"])}],
                "who": {
                    "type": "Practitioner",
                    "identifier": {
                        "system": f"{event.source}:user",
                        "value": str(data["user"]),
                    },
                },
                "requestor": True,
            }
        ],
        "source": {
            "observer": teller.device,
            "type": [coding(SOURCE_TYPE, "4", "Application Server")],
        },
        "entity": [{"what": {"identifier": teller.identifier(target)}}],
    }
    if free_text and data.get("reason"):
        found["outcomeDesc"] = str(data["reason"])
    return found


def _kind(action: str, target: str) -> tuple[str, str]:
    if any(word in action.lower() for word in SIGN_IN):
        return AUTHENTICATION
    return RECORD if target.startswith(CLINICAL) else APPLICATION
