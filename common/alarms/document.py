"""An alarm as JSON: one spelling for what is stored, told to others and shown.

Also the way back after a restart. Monotonic times end with a boot of the machine, so the
marks of timers are found again from wall times; where those cannot be right, the timer is
taken as run out: a shelving ends and an acknowledged alarm sounds, never the reverse.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from common.alarms import shelving
from common.alarms.alarm import Alarm
from common.alarms.definition import NEEDED, AlarmDefinition
from common.alarms.engine import ABNORMAL, HIDDEN, AlarmState, Hiding, State
from common.alarms.shelving import Moment

_DEFINED = tuple(f.name for f in fields(AlarmDefinition) if f.name not in ("id", "priority"))
_KEPT = (
    *("detail", "occurrence", "active_since", "returned_at", "ack_user", "ack_time"),
    *("ack_comment", "raised_to", "first_out", "about"),
)
NOT_RECORDED = "not recorded"
"""For what a file of an earlier version does not know of an alarm."""


def body(alarm: Alarm) -> dict[str, Any]:
    """All of an alarm but id, state, priority and revision, which have columns."""
    return {
        **{name: getattr(alarm.definition, name) for name in _DEFINED},
        **{name: getattr(alarm, name) for name in _KEPT},
        "life": alarm.state.life.value,
        "hidden": [asdict(hiding) for hiding in alarm.state.hidden],
    }


def document(alarm: Alarm) -> dict[str, Any]:
    """An alarm for the screens: `body` with id, state, priority, revision and since."""
    return {
        **body(alarm),
        "id": alarm.definition.id,
        "state": alarm.state.name.value,
        "priority": alarm.priority,
        "revision": alarm.revision,
        "since": alarm.changed_at,
    }


@dataclass(frozen=True, slots=True)
class Row:
    """An alarm as the station's file has it."""

    alarm_id: str
    state: str
    priority: int
    revision: int
    wall_time: float
    body: Mapping[str, Any]


def restored(row: Row, now: Moment, last_wall: float) -> Alarm:
    """The alarm of `row` at a start; `last_wall` is the latest wall time on record."""
    values = row.body
    kept = {name: values[name] for name in _KEPT if name in values}
    definition = _definition(row)
    state = _state(row, now, last_wall)
    return Alarm(definition, state, row.wall_time, row.revision, **kept)


def _definition(row: Row) -> AlarmDefinition:
    values = {name: row.body[name] for name in _DEFINED if name in row.body}
    assumed = {**dict.fromkeys(NEEDED, NOT_RECORDED), "time_to_respond_s": 1.0}
    return AlarmDefinition(
        **{**assumed, **values, "id": row.alarm_id, "priority": row.priority}
    )


def _state(row: Row, now: Moment, last_wall: float) -> AlarmState:
    stored = row.body.get("hidden", ())
    boot = row.body.get("boot", "")
    known = [values for values in stored if values["how"] in HIDDEN]
    hidden = tuple(_hiding(values, boot, now, last_wall) for values in known)
    life = _life(row.body.get("life", row.state)) if len(known) == len(stored) else State.UNACK
    return AlarmState(
        life,
        hidden,
        active_at=_mark(row.body.get("active_since"), now, 0.0) if life in ABNORMAL else None,
        acked_at=_mark(row.body.get("ack_time"), now, math.inf)
        if life is State.ACKED
        else None,
    )


def _life(name: str) -> State:
    """A state that this software does not know is no reason to call the alarm normal."""
    known = name in State.__members__ and name not in HIDDEN
    return State(name) if known else State.UNACK


def _hiding(values: Mapping[str, Any], boot: str, now: Moment, last_wall: float) -> Hiding:
    known = {f.name: values[f.name] for f in fields(Hiding) if f.name in values}
    hiding = Hiding(**{**known, "how": State(values["how"])})
    if hiding.how is not State.SHELVED:
        return hiding
    return shelving.restarted(hiding, boot, now, last_wall)


def _mark(wall: float | None, now: Moment, unknown_s: float) -> float:
    """The monotonic time of what happened at `wall`; `unknown_s` ago if that is ahead."""
    elapsed = unknown_s if wall is None or wall > now.wall else now.wall - wall
    return now.monotonic - elapsed
