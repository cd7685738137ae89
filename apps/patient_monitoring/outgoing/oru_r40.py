"""Alarms as HL7 v2.6 ORU^R40^ORU_R40, the report of an alert of IHE PCD-04 (ACM).

One message per change of an alarm. Its facets are OBX segments of which the last number of
OBX-4 says which: 1 event, 2 source, 3 phase, 4 state, 5 inactivation, 6 priority, 7 type,
8 text. While nothing happens a watchdog says that silence means peace.

Later messages of an occurrence name its first one in OBR-29. The same event gives the same
bytes whenever it is sent: MSH-7 is when it was recorded, MSH-10 is made of its id.
"""

from dataclasses import dataclass
from typing import Any

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.outgoing.er7 import CHARSET, composite, escape, hl7_time, segment
from apps.patient_monitoring.outgoing.events import (
    ADVICE,
    ALARM_EVENT,
    TECHNICAL,
    about,
    acknowledged,
    key,
    occurrence,
    stands,
)
from apps.patient_monitoring.outgoing.settings import COMMIT, Hl7Settings
from apps.patient_monitoring.outgoing.who import Subject, Who
from common.alarms.engine import State
from common.telemetry.event import Event

MDC = "MDC"
PROFILE = ("IHE_PCD_ACM_001", "IHE PCD", "1.3.6.1.4.1.19376.1.6.1.4.1", "ISO")
MONITOR = ("69965", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS", MDC)
ALARM, HIGH, LOW = (
    ("196616", "MDC_EVT_ALARM", MDC), ("196648", "MDC_EVT_HI", MDC),
    ("196670", "MDC_EVT_LO", MDC),
)  # fmt: skip
SOURCE = ("68480", "MDC_ATTR_ALERT_SOURCE", MDC)
PHASE = ("68481", "MDC_ATTR_EVENT_PHASE", MDC)
STATE = ("68482", "MDC_ATTR_ALARM_STATE", MDC)
INACTIVATION = ("68483", "MDC_ATTR_ALARM_INACTIVATION_STATE", MDC)
PRIORITY = ("68484", "MDC_ATTR_ALARM_PRIORITY", MDC)
TYPE = ("68485", "MDC_ATTR_ALERT_TYPE", MDC)
TEXT = ("68546", "MDC_ATTR_ALERT_TEXT", MDC)
ACTIVE = ("196614", "MDC_EVT_ACTIVE", MDC)
TIMEOUT = ("67860", "MDC_ATTR_CONFIRM_TIMEOUT", MDC)
SECONDS = ("264320", "MDC_DIM_SEC", MDC)
NEWS2 = ("NEWS2", "NEWS2 aggregate score", "99LINESIDE")
EXTREMES = {
    "DESATURATION": (LOW, ("150456", "MDC_PULS_OXIM_SAT_O2", MDC)),
    "BRADYCARDIA": (LOW, ("147842", "MDC_ECG_HEART_RATE", MDC)),
    "TACHYCARDIA": (HIGH, ("147842", "MDC_ECG_HEART_RATE", MDC)),
    "APNOEA": (ALARM, ("151562", "MDC_RESP_RATE", MDC)),
}
"""Which event, of which metric; the name of the REFID counts, the numbers differ by year."""
PRIORITIES = {1: "PH", 2: "PM", 3: "PL", 4: "PL"}
PASSIVE = {State.NORM.value, State.RTNUN.value}
HELD = {State.LATCHED_UNACK.value, State.LATCHED_ACK.value}
OFF = {State.OUT_OF_SERVICE.value, State.SUPPRESSED_BY_DESIGN.value}
HIDDEN = {State.SHELVED.value, *OFF}


@dataclass(frozen=True, slots=True)
class Said:
    """A message, and what its answer must name."""

    control_id: str
    text: str
    """Segments, each ended by CR."""


def render(event: Event, settings: Hl7Settings, who: Who) -> Said | None:
    """The message of an alarm's change; None for any other event, and other alarms."""
    whose = about(event)
    if event.type != ALARM_EVENT or "kind" not in whose:
        return None
    control = key(event)
    subject = who(str(whose.get("patient", "")))
    rows = [_header(settings, control, event.recorded_time)]
    if subject.value:
        rows.append(_patient(subject))
    rows += [_place(settings, whose), _request(event), *_facets(event, whose)]
    rows.append(segment("NTE", {1: "1", 2: "L", 3: escape(NOT_A_DEVICE)}))
    return Said(control, "".join(row + "\r" for row in rows))


def watchdog(settings: Hl7Settings, control: str, wall: float) -> Said:
    """Says that this gateway lives, and for how long nobody need worry."""
    at, limit = hl7_time(wall), f"{settings.watchdog_s * 2:g}"
    own = composite(control, "LINESIDE")
    event = {1: "2", 2: "ST", 3: composite(*ACTIVE), 4: "1.0.0.0.1", 11: "R", 14: at}
    timeout = {1: "3", 2: "NM", 3: composite(*TIMEOUT), 4: "1.0.0.0.9", 5: limit,
               6: composite(*SECONDS), 11: "R", 14: at}  # fmt: skip
    rows = [
        _header(settings, control, wall),
        segment("OBR", {1: "1", 3: own, 4: composite(*ALARM), 7: at}),
        segment("OBX", {1: "1", 3: composite(*MONITOR), 4: "1.0.0.0", 11: "X"}),
        segment("OBX", event),
        segment("OBX", timeout),
        segment("NTE", {1: "1", 2: "L", 3: escape(NOT_A_DEVICE)}),
    ]
    return Said(control, "".join(row + "\r" for row in rows))


def _header(settings: Hl7Settings, control: str, wall: float) -> str:
    commit = settings.acknowledgement == COMMIT
    return segment(
        "MSH",
        {
            2: "^~\\&",
            3: escape(settings.sending_application),
            4: escape(settings.sending_facility),
            5: escape(settings.receiving_application),
            6: escape(settings.receiving_facility),
            7: hl7_time(wall),
            9: composite("ORU", "R40", "ORU_R40"),
            10: control,
            11: settings.processing_id,
            12: "2.6",
            15: "AL" if commit else "NE",
            16: "NE" if commit else "AL",
            18: CHARSET,
            21: composite(*PROFILE),
        },
    )


def _patient(subject: Subject) -> str:
    # A name is required; S says that it is kept back on purpose, U that nobody said it.
    kind, name = ("MR", "U") if subject.revealed else ("PI", "S")
    number = composite(subject.value, "", "", subject.authority, kind)
    return segment("PID", {3: number, 5: composite("", "", "", "", "", "", name)})


def _place(settings: Hl7Settings, whose: dict[str, Any]) -> str:
    ward = settings.sending_facility
    return segment("PV1", {2: "I", 3: composite(ward, "", str(whose.get("bed", "")))})


def _request(event: Event) -> str:
    first, where = occurrence(event), (event.source.rpartition(":")[0] or event.source)
    begins = phase(event) == "start"
    own = first if begins else f"{first}/{int(event.data['revision'])}"
    named = ("LINESIDE", where, "URI")
    parent = "" if begins else "^" + composite(first, *named, mark="&")
    return segment(
        "OBR",
        {1: "1", 3: composite(own, *named), 4: composite(*ALARM), 7: hl7_time(event.time),
         29: parent},
    )  # fmt: skip


def _facets(event: Event, whose: dict[str, Any]) -> list[str]:
    data = event.data
    priority, kind = PRIORITIES[int(data["priority"])], alert_type(whose)
    what, source = _event_and_source(whose)
    facets = [
        ("ST", what, escape(str(data["text"]))),
        source,
        ("ST", PHASE, phase(event)),
        ("ST", STATE, alarm_state(event)),
        ("ST", INACTIVATION, inactivation(event)),
        ("ST", PRIORITY, priority),
        ("ST", TYPE, kind),
        ("ST", TEXT, escape(str(data.get("detail", "")))),
    ]
    rows = [segment("OBX", {1: "1", 3: composite(*MONITOR), 4: "1.0.0.0", 11: "X"})]
    for facet, (value_type, code, value, *unit) in enumerate(facets, start=1):
        fields = {1: str(facet + 1), 2: value_type, 3: composite(*code),
                  4: f"1.0.0.0.{facet}", 5: value, 6: "".join(unit), 11: "R",
                  14: hl7_time(event.time)}  # fmt: skip
        if facet == 1:
            fields[8] = f"{priority}~{kind}"
        rows.append(segment("OBX", fields))
    return rows


Facet = tuple[str, tuple[str, ...], str] | tuple[str, tuple[str, ...], str, str]


def _event_and_source(whose: dict[str, Any]) -> tuple[tuple[str, ...], Facet]:
    extreme = next((EXTREMES[one] for one in whose.get("what", ()) if one in EXTREMES), None)
    if extreme:
        return extreme[0], ("CWE", SOURCE, composite(*extreme[1]))
    if whose["kind"] == "risk" and "news2" in whose:
        total, unit = str(int(whose["news2"])), composite("{score}", "{score}", "UCUM")
        if whose.get("complete"):
            return ALARM, ("NM", NEWS2, total, unit)
        return ALARM, ("SN", NEWS2, composite(">=", total), unit)
    return ALARM, ("ST", SOURCE, escape(", ".join(map(str, whose.get("what", ())))))


def alert_type(whose: dict[str, Any]) -> str:
    """SP physiological, ST technical, SA advisory."""
    return {TECHNICAL: "ST", ADVICE: "SA"}.get(str(whose["kind"]), "SP")


def phase(event: Event) -> str:
    """What the change is to the alarm: start, continue, update, end or reset."""
    was, state, action = (event.data[name] for name in ("was", "state", "action"))
    if state == State.UNACK.value and was in PASSIVE | HELD:
        return "start"
    if stands(event):
        return "continue" if was in HIDDEN and state not in HIDDEN else "update"
    if action == "reset_alarm":
        return "reset"
    return "update" if was in PASSIVE | HELD else "end"


def alarm_state(event: Event) -> str:
    """Whether the condition is there: active, latched or inactive."""
    if stands(event):
        return "active"
    return "latched" if event.data["life"] in HELD else "inactive"


def inactivation(event: Event) -> str:
    """What keeps it quiet, if anything."""
    state = event.data["state"]
    if state == State.SHELVED.value:
        return "alarm-paused"
    if state in OFF:
        return "alarm-off"
    return "alert-acknowledged" if acknowledged(event) else "enabled"
