"""A work order as a CMMS reads it, and as the station keeps it.

The fields are those that maintenance systems share (SAP's notification, ISO 14224): one
document, the same for HTTP and MQTT.
"""

from dataclasses import asdict
from typing import Any

from apps.predictive_maintenance.config import Machine
from apps.predictive_maintenance.domain import Outlook, Verdict
from apps.predictive_maintenance.orders import OVERHEATING, Entry, Order
from apps.predictive_maintenance.zones import EDITION
from common.errors import ConfigError
from common.telemetry.event import iso_time

SCHEMA = "lineside.maintenance.order/1"
SHORT = 40
"""Characters of a short text in most systems."""
ACTIONS = {
    Verdict.STOP: "Stop the machine as soon as that is safe and inspect it before a restart.",
    Verdict.PLAN: "Plan an inspection; have the part ready before the machine is stopped.",
}
CHECKS = {
    "bearing": "Check the bearing: lubrication, noise, temperature; be ready to replace it.",
    "rotor and mounting": "Check balance, alignment, foundation bolts and coupling.",
    "bearing temperature": "Check lubrication, cooling and load of the bearing.",
}
SAFETY = "Lock out and tag out before any work; the machine may start from afar."


def document(order: Order, machine: Machine, station: str) -> dict[str, Any]:
    """The order for a CMMS; `external_ref` is the same for ever, `revision` only rises."""
    stop = order.verdict is Verdict.STOP
    return {
        "schema": SCHEMA,
        "external_ref": f"{station}/{order.key}",
        "revision": order.revision,
        "status": "OPEN" if order.is_open else "CLOSED",
        "notification_type": "M2" if stop else "M1",
        "equipment_id": order.asset,
        "equipment": machine.name,
        "component": order.component,
        "failure_mode": order.family,
        "cause_code": None,
        "detection_method": "condition monitoring",
        "reported_by": station,
        "priority": order.priority,
        "breakdown": False,
        "malfunction_start": iso_time(order.opened),
        "created_at": iso_time(order.opened),
        "changed_at": iso_time(order.changed),
        "required_end": iso_time(order.due),
        "short_text": _short(order),
        "long_text": _long(order),
        "recommended_action": f"{ACTIONS[order.verdict]} {CHECKS[order.component]}",
        "safety_notes": SAFETY,
        "severity_zone": f"{EDITION} zone {order.zone}" if order.zone else None,
        "confidence": _confidence(order),
        "rul": _remaining(order.outlook),
        "evidence": [asdict(entry) for entry in order.evidence],
        "closed_by": order.closed_by or None,
        "closed_reason": order.closed_reason or None,
    }


def _short(order: Order) -> str:
    what = "overheating" if order.family == OVERHEATING else order.component
    return f"{order.verdict.value.upper()}: {order.asset} {what}"[:SHORT]


def _long(order: Order) -> str:
    lines = [f"{iso_time(entry.wall_time)} {entry.sentence}" for entry in order.evidence]
    return "\n".join(lines)


def _confidence(order: Order) -> str:
    kinds = {entry.kind for entry in order.evidence} - {"agreement"}
    return "one sign" if len(kinds) < 2 else f"{len(kinds)} signs that agree"


def _remaining(outlook: Outlook | None) -> dict[str, Any] | None:
    if outlook is None:
        return None
    latest = outlook.hours_high
    return {
        "p05": round(outlook.hours_low, 1),
        "p50": round(outlook.hours, 1),
        "p95": round(latest, 1) if latest < float("inf") else None,
        "unit": "h",
        "method": f"trend of {outlook.kind} to {outlook.limit:.3g} (Theil and Sen)",
    }


def kept(order: Order) -> dict[str, Any]:
    """All of an order as JSON, for the station's own file."""
    body = asdict(order) | {"verdict": order.verdict.value}
    if order.outlook is not None and order.outlook.hours_high == float("inf"):
        body["outlook"]["hours_high"] = None
    return body


def restored(body: dict[str, Any]) -> Order:
    """The order of `kept`; raises ConfigError for what is none."""
    try:
        values = dict(body)
        values["verdict"] = Verdict(values["verdict"])
        values["evidence"] = tuple(Entry(**entry) for entry in values["evidence"])
        values["outlook"] = outlook_from(values["outlook"])
        return Order(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"a stored work order cannot be read: {error}") from error


def outlook_from(body: dict[str, Any] | None) -> Outlook | None:
    """An outlook from JSON, where an end that never comes is null."""
    if body is None:
        return None
    high = body["hours_high"]
    return Outlook(**{**body, "hours_high": float("inf") if high is None else high})
