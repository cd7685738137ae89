"""An alarm's occurrence as FHIR R4: a Flag while it stands, a DetectedIssue for what was.

Both bear the occurrence's identifier. Its beginning makes them where they are not there
yet; whatever follows brings them up to date. So a message that comes twice changes nothing.
"""

from typing import Any

from apps.patient_monitoring.outgoing.events import about, acknowledged, occurrence, stands
from apps.patient_monitoring.outgoing.fhir_base import (
    Resource,
    Teller,
    brought_up,
    created,
    full_url,
    meta,
)
from apps.patient_monitoring.outgoing.fhir_terms import FLAG_CATEGORY, OWN, concept
from apps.patient_monitoring.outgoing.oru_r40 import phase
from common.telemetry.event import iso_time

SEVERITIES = {1: "high", 2: "moderate", 3: "low", 4: "low"}


def entries(teller: Teller, *, free_text: bool) -> list[Resource]:
    """Flag and DetectedIssue of the occurrence as they are after this change."""
    event = teller.event
    begins = phase(event) == "start"
    entry = created if begins else brought_up
    return [
        entry(full_url(event, "flag"), _flag(teller)),
        entry(full_url(event, "issue"), _issue(teller, free_text=free_text)),
    ]


def _kind(teller: Teller) -> Resource:
    data, kind = teller.event.data, str(about(teller.event)["kind"])
    return concept((f"{OWN}:alarm", kind, str(data["text"])))


def _flag(teller: Teller) -> Resource:
    data = teller.event.data
    there = stands(teller.event)
    period = {"start": iso_time(float(data["active_since"]))}
    if not there:
        period["end"] = iso_time(float(data.get("returned_at") or teller.event.time))
    return {
        "resourceType": "Flag",
        "meta": meta(),
        "identifier": [teller.identifier(occurrence(teller.event))],
        "status": "active" if there else "inactive",
        "category": [concept((FLAG_CATEGORY, "clinical", "Clinical"))],
        "code": _kind(teller),
        "subject": teller.patient,
        "period": period,
        "author": teller.device,
    }


def _issue(teller: Teller, *, free_text: bool) -> Resource:
    data = teller.event.data
    found: Resource = {
        "resourceType": "DetectedIssue",
        "meta": meta(),
        "identifier": [teller.identifier(occurrence(teller.event))],
        "status": "preliminary" if stands(teller.event) else "final",
        "code": _kind(teller),
        "severity": SEVERITIES[int(data["priority"])],
        "patient": teller.patient,
        "identifiedDateTime": iso_time(float(data["active_since"])),
        "author": teller.device,
        "detail": str(data.get("detail") or data["text"]),
    }
    noted = _mitigation(teller, free_text=free_text)
    return {**found, "mitigation": [noted]} if noted else found


def _mitigation(teller: Teller, *, free_text: bool) -> dict[str, Any]:
    """Who took note and when; nothing before somebody did."""
    data = teller.event.data
    if not data.get("ack_user") or not (data.get("ack_time") or acknowledged(teller.event)):
        return {}
    comment = f": {data['ack_comment']}" if free_text and data.get("ack_comment") else ""
    return {
        "action": {"text": f"Acknowledged{comment}"},
        "date": iso_time(float(data["ack_time"] or teller.event.time)),
        "author": {
            "type": "Practitioner",
            "identifier": {"system": f"{teller.event.source}:user", "value": data["ack_user"]},
        },
    }
