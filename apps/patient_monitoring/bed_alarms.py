"""The alarms of a ward: the table of alarms.toml, with one of each `bed_…` for every bed."""

from collections.abc import Sequence

from apps.patient_monitoring.config import APP
from apps.patient_monitoring.domain import Priority
from apps.patient_monitoring.protocol import CHART
from common.alarms.definition import AlarmDefinition, at_place, load_definitions

PER_BED = "bed_"
RISK, EXTREME, TECHNICAL, ADVICE = "bed_risk", "bed_extreme", "bed_technical", "bed_advice"
IDENTITY, CLOCK = "bed_identity", "bed_clock"
UNMONITORED = "ward_unmonitored"
BOARD_PRIORITY = {Priority.HIGH: 1, Priority.MEDIUM: 2, Priority.LOW: 3}
"""IEC 60601-1-8 → the alarm engine's; technical alarms are 4 there, and low here."""
WITHIN_S = {
    BOARD_PRIORITY[one.priority]: one.within_s for one in CHART.values() if one.within_s
}
"""Of a risk: by when somebody is at the bed, by the priority that the chart gives."""
IEC_PRIORITY = {1: Priority.HIGH, 2: Priority.MEDIUM, 3: Priority.LOW, 4: Priority.LOW}


def alarm_of(kind: str, bed: str) -> str:
    """The alarm's id, e.g. "bed_risk/12"."""
    return f"{kind}/{bed}"


def bed_of(alarm_id: str) -> str:
    """The bed that an alarm is about; empty for one of the whole ward."""
    kind, _, bed = alarm_id.partition("/")
    return bed if kind.startswith(PER_BED) else ""


def definitions(beds: Sequence[str]) -> dict[str, AlarmDefinition]:
    """Every alarm that this gateway can have, by id; raises ConfigError."""
    found: dict[str, AlarmDefinition] = {}
    for name, one in load_definitions(APP / "alarms.toml").items():
        if not name.startswith(PER_BED):
            found[name] = one
            continue
        for bed in beds:
            alarm_id = alarm_of(name, bed)
            found[alarm_id] = at_place(one, alarm_id, f"Bed {bed}")
    return found
