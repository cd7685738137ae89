"""The life of one alarm after ISA-18.2, as pure functions (DOMAIN E1).

           abnormal ≥ on delay              acknowledge
    NORM ───────────────────────► UNACK ─────────────────► ACKED
     ▲                              │                        │
     │ acknowledge     normal ≥ off delay          normal ≥ off delay
     │                              ▼                        ▼
     └──────────────────────────  RTNUN                    NORM
                           (latched: LATCHED_UNACK)   (latched: LATCHED_ACK)

A latched alarm goes LATCHED_UNACK ─ acknowledge ► LATCHED_ACK ─ reset ► NORM. Whenever the
process is abnormal again for the on delay, an alarm that has returned is UNACK anew.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from common import config
from common.config import setting
from common.errors import ConfigError


class State(StrEnum):
    """The states of an alarm, by their ISA-18.2 meaning."""

    NORM = "NORM"
    UNACK = "UNACK"
    """Abnormal, nobody has taken note: sounds and flashes."""
    ACKED = "ACKED"
    RTNUN = "RTNUN"
    """Normal again, but nobody has taken note."""
    LATCHED_UNACK = "LATCHED_UNACK"
    """Normal again; held for a person to take note and reset."""
    LATCHED_ACK = "LATCHED_ACK"
    """Normal again, noted; held for a person to reset."""


ABNORMAL = (State.UNACK, State.ACKED)
UNACKNOWLEDGED = (State.UNACK, State.RTNUN, State.LATCHED_UNACK)


@dataclass(frozen=True)
class AlarmDefinition:
    """What an operator needs to know of an alarm.

    Without a consequence and a response it is an event, not an alarm (ISA-18.2
    rationalisation); such a definition is refused.
    """

    id: str = setting()
    priority: int = setting(low=1, high=4)
    """1 critical, 2 high, 3 medium, 4 low or technical."""
    text: str = setting()
    """What is wrong, as the operator shall read it."""
    consequence: str = setting()
    """What happens if nobody acts."""
    response: str = setting()
    """What the operator does."""
    on_delay_s: float = setting(0.0, low=0.0, high=86_400.0, unit="s")
    off_delay_s: float = setting(0.0, low=0.0, high=86_400.0, unit="s")
    latched: bool = setting(default=False)
    """Held after the process is normal again, until a person resets it."""
    role: str = setting("operator")
    """Who responds."""

    def __post_init__(self) -> None:
        for name in ("id", "text", "consequence", "response", "role"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty: without it this is no alarm but an event")


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Where an alarm is in its life."""

    name: State = State.NORM
    pending_since: float | None = None
    """Since when (monotonic s) the process says otherwise than `name`; None: it does not."""


def step(
    definition: AlarmDefinition, state: AlarmState, active: bool, now_monotonic: float
) -> AlarmState:
    """The state after the process was seen abnormal (`active`) or normal at this time."""
    if active == (state.name in ABNORMAL):
        return replace(state, pending_since=None)
    since = now_monotonic if state.pending_since is None else state.pending_since
    delay = definition.on_delay_s if active else definition.off_delay_s
    if now_monotonic - since < delay:
        return replace(state, pending_since=since)
    return AlarmState(State.UNACK if active else _returned(definition, state.name))


def _returned(definition: AlarmDefinition, name: State) -> State:
    if name is State.ACKED:
        return State.LATCHED_ACK if definition.latched else State.NORM
    return State.LATCHED_UNACK if definition.latched else State.RTNUN


_ACKNOWLEDGED = {
    State.UNACK: State.ACKED,
    State.RTNUN: State.NORM,
    State.LATCHED_UNACK: State.LATCHED_ACK,
}


def acknowledge(state: AlarmState) -> AlarmState:
    """The state after a person took note; unchanged where there is nothing to note."""
    return replace(state, name=_ACKNOWLEDGED.get(state.name, state.name))


def reset(state: AlarmState) -> AlarmState:
    """The state after a person released a latched alarm.

    Unchanged before it is acknowledged, and while the process is abnormal again.
    """
    if state.name is State.LATCHED_ACK and state.pending_since is None:
        return AlarmState()
    return state


def load_definitions(path: Path) -> dict[str, AlarmDefinition]:
    """The alarms of alarms.toml, one table per id.

    Raises ConfigError where one lacks what makes it an alarm.
    """
    tables = config.read_toml(path)
    return {alarm_id: _definition(alarm_id, tables[alarm_id], path) for alarm_id in tables}


def _definition(alarm_id: str, table: Any, path: Path) -> AlarmDefinition:
    if not isinstance(table, dict) or "id" in table:
        raise ConfigError(
            f"{path}: {alarm_id} must be a table [{alarm_id}] without an id of its own"
        )
    return config.from_table(AlarmDefinition, {**table, "id": alarm_id}, path, alarm_id)
