"""What all our FHIR resources have in common, and the transaction that carries them.

Plain dicts, spelled here and checked in tests against the models of `fhir.resources` and
the rules of R4: so nothing but Python is needed where they are made.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.outgoing.events import key
from apps.patient_monitoring.outgoing.fhir_terms import ACT_REASON, OWN, coding
from apps.patient_monitoring.outgoing.rfc5424 import shown
from apps.patient_monitoring.outgoing.who import Subject
from common.telemetry.event import Event, iso_time

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Teller:
    """Whose words these are, and of whom."""

    event: Event
    subject: Subject
    patient_system: str = ""

    @property
    def patient(self) -> Resource:
        """A logical reference: the receiver finds the patient by the number."""
        subject = self.subject
        named = self.patient_system or f"urn:lineside:authority:{quote(subject.authority)}"
        system = named if subject.revealed else f"{self.event.source}:pseudonym"
        return {"type": "Patient", "identifier": {"system": system, "value": subject.value}}

    @property
    def device(self) -> Resource:
        """The gateway that says it."""
        return {
            "type": "Device",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": self.event.source},
            "display": "Lineside ward gateway",
        }

    def identifier(self, value: str) -> Resource:
        """A business identifier of ours."""
        return {"system": self.event.source, "value": value}


def meta(profile: str = "") -> Resource:
    """Says that this is test data of no medical device; with the profile it keeps to."""
    found: Resource = {
        "security": [coding(ACT_REASON, "HTEST", "test health data")],
        "tag": [coding(f"{OWN}:tag", "not-a-medical-device", NOT_A_DEVICE)],
    }
    return {"profile": [profile], **found} if profile else found


def full_url(event: Event, part: str) -> str:
    """A name within the transaction: the same whenever it is sent."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{event.source} {event.id} {part}')}"


def created(url: str, resource: Resource) -> Resource:
    """An entry that makes the resource where none has its identifier yet."""
    kind = resource["resourceType"]
    request = {"method": "POST", "url": kind, "ifNoneExist": _query(resource)}
    return {"fullUrl": url, "resource": resource, "request": request}


def brought_up(url: str, resource: Resource) -> Resource:
    """An entry that makes the resource with this identifier like this one."""
    request = {"method": "PUT", "url": f"{resource['resourceType']}?{_query(resource)}"}
    return {"fullUrl": url, "resource": resource, "request": request}


def put(url: str, resource: Resource) -> Resource:
    """An entry that stands under an id of our own: for what has no identifier in R4."""
    request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    return {"fullUrl": url, "resource": resource, "request": request}


def own_id(event: Event) -> str:
    """An id (R4: letters, digits, - and ., 64 at most) that only this event has."""
    return f"lineside-{key(event).lower()}"


def transaction(event: Event, entries: list[Resource]) -> Resource:
    """All of it or nothing."""
    found: Resource = _clean(
        {
            "resourceType": "Bundle",
            "meta": meta(),
            "type": "transaction",
            "timestamp": iso_time(event.recorded_time),
            "entry": entries,
        }
    )
    return found


def _clean(value: Any) -> Any:
    """The same with control characters, which a FHIR string may not hold, as pictures."""
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return shown(value) if isinstance(value, str) else value


def wall(iso: str | None, otherwise: float) -> float:
    """UTC s of an ISO time with a zone; `otherwise` where there is none."""
    if not iso:
        return otherwise
    moment = datetime.fromisoformat(iso)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _query(resource: Resource) -> str:
    found = resource["identifier"]
    one = found[0] if isinstance(found, list) else found
    return f"identifier={quote(one['system'] + '|' + one['value'], safe=':')}"
