"""Events as FHIR R4 transactions, and the way to the EHR that takes them.

A transaction is gone only when the server's answer is one to a transaction: 200 from
something else on the way is no delivery. What the server refuses about its content is for
good; what is wrong with the server, the way or our credentials is tried again.
"""

import json
from typing import Any

import httpx

from apps.patient_monitoring.outgoing import fhir_alarms, fhir_measured
from apps.patient_monitoring.outgoing.events import (
    ALARM_EVENT,
    AUDIT_EVENT,
    MEASURED,
    PHYSIOLOGICAL,
    about,
)
from apps.patient_monitoring.outgoing.fhir_audit import audit_event
from apps.patient_monitoring.outgoing.fhir_base import (
    Resource,
    Teller,
    full_url,
    put,
    transaction,
)
from apps.patient_monitoring.outgoing.settings import FhirSettings
from apps.patient_monitoring.outgoing.who import Who
from common.canonical import canonical_json
from common.telemetry.courier import TAKEN, Answer
from common.telemetry.drain import Verdict
from common.telemetry.event import Event
from common.telemetry.http_post import HttpPost

JSON = "application/fhir+json"
CONTENT = (400, 409, 410, 412, 413, 415, 422)
"""Statuses that are about what was sent."""
LONGEST_REASON = 300


def render(event: Event, settings: FhirSettings, who: Who) -> Resource | None:
    """The transaction of an event; None where there is nothing in it for a record."""
    found = _entries(event, settings, who)
    return transaction(event, found) if found else None


def _entries(event: Event, settings: FhirSettings, who: Who) -> list[Resource]:
    free_text, system = settings.free_text, settings.patient_system
    if event.type == AUDIT_EVENT:
        resource = audit_event(Teller(event, who("")), free_text=free_text)
        return [put(full_url(event, "audit"), resource)]
    if event.type in MEASURED and event.data.get("patient"):
        return fhir_measured.entries(Teller(event, who(str(event.data["patient"])), system))
    whose = about(event)
    if event.type != ALARM_EVENT or whose.get("kind") not in PHYSIOLOGICAL:
        return []
    if not whose.get("patient"):
        return []
    teller = Teller(event, who(str(whose["patient"])), system)
    return fhir_alarms.entries(teller, free_text=free_text)


class Fhir:
    """Posts transactions to one server; raises ConfigError for unusable TLS files."""

    def __init__(self, settings: FhirSettings, who: Who) -> None:
        self.name, self._settings, self._who = settings.url, settings, who
        self._server = HttpPost(settings)

    def render(self, event: Event) -> Resource | None:
        """The transaction of an event; None where there is nothing in it for a record."""
        return render(event, self._settings, self._who)

    def send(self, message: Resource) -> Answer:
        """Post it, and read the answer."""
        body = canonical_json(message).encode()
        response = self._server.post(body, {"Content-Type": JSON, "Accept": JSON})
        return response if isinstance(response, Answer) else self._judged(response, message)

    def probe(self) -> None:
        """The next transaction tells: a record is told something every few minutes."""

    def close(self) -> None:
        """End the connections."""
        self._server.close()

    def _judged(self, response: httpx.Response, message: Resource) -> Answer:
        status = self._server.status(response)
        if response.is_success:
            if _answers(response, len(message["entry"])):
                return TAKEN
            return Answer(Verdict.LATER, f"{status}, but that is no answer to a transaction")
        if response.status_code in CONTENT:
            return Answer(Verdict.NEVER, f"{status} {_outcome(response)}".strip())
        return self._server.put_off(response)


def _answers(response: httpx.Response, entries: int) -> bool:
    found = _object(response)
    answered = found.get("resourceType") == "Bundle" and found.get("type")
    return answered == "transaction-response" and len(found.get("entry", ())) == entries


def _outcome(response: httpx.Response) -> str:
    """What an OperationOutcome says, in one line."""
    issues = _object(response).get("issue", ())
    told = [
        str(
            issue.get("diagnostics")
            or issue.get("details", {}).get("text")
            or issue.get("code")
        )
        for issue in issues
        if isinstance(issue, dict)
    ]
    return " ".join("; ".join(told).split())[:LONGEST_REASON]


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
