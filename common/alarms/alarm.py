"""The nouns of the alarm system: an alarm, a change of it, and the answer to a command."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from common.alarms.definition import AlarmDefinition
from common.alarms.engine import ABNORMAL, AlarmState, State
from common.users import User

PROCESS = "process"
"""Who changed an alarm, where it was no person."""
NORMAL = AlarmState()


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm with its present or last occurrence."""

    definition: AlarmDefinition
    state: AlarmState = NORMAL
    changed_at: float = 0.0
    """When it came into the state that people see: wall time, UTC s; 0 is never."""
    revision: int = 0
    """Counts its changes: of two stored states the higher is the later."""
    detail: str = ""
    """What was seen, e.g. the value and its limit."""
    occurrence: int = 0
    """Counts how often the process became abnormal."""
    active_since: float | None = None
    """Start of the occurrence: wall time, UTC s."""
    returned_at: float | None = None
    """When the process was normal again: wall time, UTC s; None while it is not."""
    ack_user: str = ""
    ack_time: float | None = None
    ack_comment: str = ""
    raised_to: int | None = None
    """The more urgent priority that the process gave this occurrence."""
    first_out: str = ""
    """The alarm of its group that came first, perhaps itself; empty outside of groups."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the app says of the occurrence, e.g. whom it concerns; JSON values only."""

    @property
    def priority(self) -> int:
        """1 is the highest."""
        return self.raised_to or self.definition.priority


@dataclass(frozen=True, slots=True)
class Deed:
    """What changed an alarm: a command and who gave it, or the process and its timers."""

    action: str = PROCESS
    """Also the action in the audit trail."""
    user: User | None = None
    reason: str = ""


BY_PROCESS = Deed()


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm after something happened to it."""

    alarm: Alarm
    was: State
    """The state that people saw before."""
    wall_time: float
    deed: Deed = BY_PROCESS

    @property
    def annunciated(self) -> bool:
        """Whether the alarm began to ask for attention."""
        return self.was is not State.UNACK and self.alarm.state.name is State.UNACK


class Why(StrEnum):
    """Why a command changed nothing."""

    UNKNOWN = "unknown alarm"
    CHANGED = "changed since it was looked at"
    NOTHING = "nothing to do"
    NOT_YET = "not yet possible"
    NOT_PERMITTED = "not permitted"
    NO_REASON = "reason missing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to."""

    why: Why | None = None
    """None: the alarm was changed."""
    text: str = ""
    """The reason in plain words, for who asked."""

    @property
    def changed(self) -> bool:
        """Whether the command was carried out."""
        return self.why is None


DONE = Outcome()


class AlarmKeeper(Protocol):
    """Keeps alarms over a restart. No method waits for the disk nor raises."""

    def changed(self, change: Change) -> None:
        """Keep a change, and audit it where a person made it."""

    def flush(self) -> None:
        """Try again what could not be kept before."""

    def settled(self) -> "Future[None]":
        """Done once the disk has answered for every change until now."""


def same(before: Alarm, after: Alarm) -> bool:
    """Whether nothing happened that a restart or a reader must know of."""
    one, other = before.state, after.state
    return (
        one.life is other.life
        and one.hidden == other.hidden
        and before.raised_to == after.raised_to
    )


def stamped(before: Alarm, after: Alarm, wall: float) -> Alarm:
    """`after` with the times of day of what happened to it (wall: UTC s)."""
    after = replace(after, revision=before.revision + 1)
    if after.state.name is not before.state.name:
        after = replace(after, changed_at=wall)
    was, is_now = before.state.life in ABNORMAL, after.state.life in ABNORMAL
    if is_now and not was:
        return replace(
            after, occurrence=before.occurrence + 1, active_since=wall, returned_at=None,
            ack_user="", ack_time=None, ack_comment="", first_out="",
        )  # fmt: skip
    return replace(after, returned_at=wall) if was and not is_now else after
