"""All alarms of one station: what the process says, what people did, what is kept.

Safe to use from several threads: the loop sets, a timer ticks, the API acknowledges.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from common.alarms.engine import (
    ABNORMAL,
    UNACKNOWLEDGED,
    AlarmDefinition,
    AlarmState,
    State,
    acknowledge,
    reset,
    step,
)
from common.ports import Clock

NORMAL = AlarmState()
PROCESS = "process"
"""Who changed an alarm, where it was no person."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm with its present or last occurrence."""

    definition: AlarmDefinition
    state: AlarmState = NORMAL
    changed_at: float = 0.0
    """When it came into this state: wall time, UTC s; 0 is never."""
    revision: int = 0
    """Counts its changes: of two stored states the higher is the later."""
    detail: str = ""
    """What was seen, e.g. the value and its limit."""
    active_since: float | None = None
    """Start of the occurrence: wall time, UTC s."""
    ack_user: str = ""
    ack_time: float | None = None


class AlarmKeeper(Protocol):
    """Keeps alarms over a restart. Neither method waits for the disk nor raises."""

    def changed(self, alarm: Alarm, was: State, by: str) -> None:
        """`alarm` has left the state `was`."""

    def flush(self) -> None:
        """Try again what could not be kept before."""


class AlarmBoard:
    """Holds the alarms of `definitions`, beginning with the `stored` ones where there are."""

    def __init__(
        self,
        definitions: Mapping[str, AlarmDefinition],
        clock: Clock,
        keeper: AlarmKeeper,
        stored: Iterable[Alarm] = (),
    ) -> None:
        self._clock, self._keeper = clock, keeper
        self._mutex = threading.RLock()
        self._alarms = {name: Alarm(definition) for name, definition in definitions.items()}
        self._active = dict.fromkeys(self._alarms, False)
        for alarm in stored:
            self._restore(alarm)

    def _restore(self, alarm: Alarm) -> None:
        alarm_id, state = alarm.definition.id, AlarmState(alarm.state.name)
        if alarm_id in self._alarms:
            # Until the process is heard of again, what was abnormal still is.
            self._active[alarm_id] = state.name in ABNORMAL
            definition = self._alarms[alarm_id].definition
            alarm = replace(alarm, definition=definition)
        else:
            # No longer defined, so nothing will ever set it: it returns to normal by
            # itself, but not out of the list before a person has taken note.
            self._active[alarm_id] = False
        self._alarms[alarm_id] = replace(alarm, state=state)

    def set(self, alarm_id: str, active: bool, detail: str = "") -> None:
        """The process is abnormal, or normal again; raises KeyError for an unknown alarm."""
        with self._mutex:
            self._active[alarm_id] = active
            if active and detail:
                self._alarms[alarm_id] = replace(self._alarms[alarm_id], detail=detail)
            self._follow(alarm_id, self._clock.monotonic())

    def tick(self, now: float | None = None) -> None:
        """Let delays run out; to be called a few times a second (`now` in monotonic s)."""
        with self._mutex:
            moment = self._clock.monotonic() if now is None else now
            for alarm_id in self._alarms:
                self._follow(alarm_id, moment)
        self._keeper.flush()

    def acknowledge(self, alarm_id: str, user: str) -> bool:
        """`user` has taken note; False where there was nothing to take note of."""
        with self._mutex:
            return self._become(alarm_id, acknowledge(self._alarms[alarm_id].state), user)

    def reset(self, alarm_id: str, user: str) -> bool:
        """`user` releases a latched alarm; False where that is not yet, or not, possible."""
        with self._mutex:
            return self._become(alarm_id, reset(self._alarms[alarm_id].state), user)

    def summary(self) -> list[Alarm]:
        """Alarms that are not normal: unacknowledged first, by priority, then the newest."""
        with self._mutex:
            found = [a for a in self._alarms.values() if a.state.name is not State.NORM]
        return sorted(
            found,
            key=lambda alarm: (
                alarm.state.name not in UNACKNOWLEDGED,
                alarm.definition.priority,
                -alarm.changed_at,
            ),
        )

    def _follow(self, alarm_id: str, now: float) -> None:
        alarm = self._alarms[alarm_id]
        state = step(alarm.definition, alarm.state, self._active[alarm_id], now)
        self._become(alarm_id, state, PROCESS)

    def _become(self, alarm_id: str, state: AlarmState, by: str) -> bool:
        alarm = self._alarms[alarm_id]
        was = alarm.state.name
        if state.name is was:
            self._alarms[alarm_id] = replace(alarm, state=state)
            return False
        wall = self._clock.wall()
        alarm = replace(alarm, state=state, changed_at=wall, revision=alarm.revision + 1)
        if state.name is State.UNACK:
            alarm = replace(alarm, active_since=wall, ack_user="", ack_time=None)
        elif by != PROCESS:
            alarm = replace(alarm, ack_user=by, ack_time=wall)
        self._alarms[alarm_id] = alarm
        self._keeper.changed(alarm, was, by)
        return True
