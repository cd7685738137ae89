"""What the hospital's security desk is told: who did what, technical alarms, and losses.

Nothing of a patient goes there: no score, no sign, no name, no words that people wrote; a
bed, at most. Those who acted are named, for that is what an audit is for.
"""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from apps.patient_monitoring.outgoing import cef
from apps.patient_monitoring.outgoing.events import (
    ALARM_EVENT,
    AUDIT_EVENT,
    LOSSES,
    TECHNICAL,
    about,
)
from apps.patient_monitoring.outgoing.link import Link, LinkDown, Where, tls_context
from apps.patient_monitoring.outgoing.rfc5424 import (
    ERROR,
    NOTICE,
    WARNING,
    Header,
    frame,
    message,
)
from apps.patient_monitoring.outgoing.settings import CEF, SiemSettings
from common.telemetry.courier import TAKEN, Answer
from common.telemetry.drain import Verdict
from common.telemetry.event import Event

FAILURES = ("refused", "fail", "wrong", "locked", "denied")
"""An action whose name holds one of these did not succeed."""
ALARM_SEVERITY = {1: 9, 2: 7, 3: 5, 4: 4}
"""Board priority → CEF's 0 to 10."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event for the security desk, before it is written in one form or the other."""

    topic: str
    """AUDIT, ALARM or LOSS."""
    signature: str
    name: str
    severity: int
    """CEF's."""
    values: dict[str, str]
    """By CEF's keys."""


def read(event: Event) -> Told | None:
    """What the security desk learns of an event; None: nothing."""
    if event.type == AUDIT_EVENT:
        return _audit(event)
    if event.type == ALARM_EVENT:
        return _alarm(event)
    return _loss(event) if event.type in LOSSES else None


def line(event: Event, told: Told, form: str) -> str:
    """The syslog message."""
    values = {
        "rt": str(round(event.time * 1000)),
        "deviceExternalId": event.source,
        "externalId": event.id,
        "cat": told.topic.lower(),
        **told.values,
    }
    head = cef.Head(_software(), told.signature, told.name, told.severity)
    if form == CEF:
        text, structured = cef.render(head, values), {"eventId": event.id}
    else:
        structured = {"signature": told.signature, **{k: v for k, v in values.items() if v}}
        text = told.name
    header = Header(
        syslog_severity(told.severity), event.time, _host(event), "lineside-ward", told.topic
    )
    return message(header, structured, text)


def syslog_severity(severity: int) -> int:
    """CEF's severity (0 to 10) as syslog's (0 is the gravest)."""
    return ERROR if severity >= 9 else WARNING if severity >= 6 else NOTICE


def failed(action: str) -> bool:
    """Whether what an audit row tells of was refused or went wrong."""
    return any(word in action.lower() for word in FAILURES)


def _audit(event: Event) -> Told:
    data = event.data
    action = str(data["action"])
    wrong = failed(action)
    values = {
        "suser": str(data["user"]),
        "spriv": str(data["role"]),
        "act": action,
        "outcome": "failure" if wrong else "success",
        "cs1Label": "target",
        "cs1": str(data["target"]),
        "cs2Label": "auditHash",
        "cs2": str(data["hash"]),
        "cn1Label": "auditRow",
        "cn1": str(int(data["seq"])),
    }
    return Told("AUDIT", action, f"Audit: {action}", 6 if wrong else 3, values)


def _alarm(event: Event) -> Told | None:
    """Technical alarms; those of a patient's state are nobody's business here."""
    data, whose = event.data, about(event)
    if whose and whose.get("kind") != TECHNICAL:
        return None
    values = {
        "act": str(data["state"]),
        "suser": "" if data["action"] == "process" else str(data["by"]),
        "cs1Label": "alarm",
        "cs1": str(data["alarm_id"]),
        # A bed's fault may be worded with a patient's sign in it; a system's is not.
        "msg": "" if whose.get("patient") else str(data.get("detail", "")),
    }
    severity = ALARM_SEVERITY[int(data["priority"])]
    kind = str(data["alarm_id"]).partition("/")[0]
    return Told("ALARM", kind, f"Alarm: {data['text']}", severity, values)


def _loss(event: Event) -> Told:
    data: dict[str, Any] = dict(event.data)
    values = {
        "cnt": str(int(data.get("count", 0))),
        "cs1Label": "class",
        "cs1": str(data.get("class", "")),
        "reason": str(data.get("reason", "")),
    }
    return Told("LOSS", event.type, "Events were lost before they could be sent", 8, values)


def _host(event: Event) -> str:
    """The station's name: urn:lineside:tenant:site:area:device:app."""
    parts = event.source.split(":")
    return parts[-2] if len(parts) > 1 else event.source


@cache
def _software() -> str:
    return version("lineside")


class Siem:
    """Syslog over TLS to one receiver; raises ConfigError for unusable TLS files.

    Syslog has no answer. A message counts as delivered once the receiver's machine has
    confirmed all of its bytes and the connection still stands: its kernel has it, and
    whether its program does, nobody can know. After any doubt it is sent again.
    """

    def __init__(self, settings: SiemSettings) -> None:
        where = Where(settings.host, settings.port, settings.connect_timeout_s)
        tls = tls_context(where, settings.ca_file, settings.cert_file, settings.key_file)
        self.name, self._settings = f"{where}", settings
        self._link = Link(where, tls)

    def render(self, event: Event) -> bytes | None:
        """One framed syslog message; None for what is not the security desk's."""
        told = read(event)
        return None if told is None else frame(line(event, told, self._settings.form))

    def send(self, message: bytes) -> Answer:
        """Write it and wait until it has arrived."""
        timeout_s = self._settings.write_timeout_s
        try:
            self._link.write(message, timeout_s)
            self._link.arrived(timeout_s)
        except LinkDown as error:
            return Answer(Verdict.LATER, str(error))
        return TAKEN

    def probe(self) -> None:
        """Syslog has no answer, so there is nothing to ask."""

    def close(self) -> None:
        """End the connection."""
        self._link.close()
