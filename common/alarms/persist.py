"""Alarms in the station's file: the present state of each, a record and an event per change.

A change that the store refuses (full queue, full disk) is kept here and tried again, so
that a restart never finds an alarm normal that was not.
"""

import itertools
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from common import records
from common.alarms.board import Alarm, AlarmBoard
from common.alarms.engine import AlarmDefinition, AlarmState, State
from common.canonical import canonical_json, read_object
from common.store import Store
from common.telemetry.outbox import MQTT, Message, Outbox

ALARM_EVENT = "lineside.alarm.v1"
KEPT_CHANGES = 1000
"""Of what the store refuses; beyond it the oldest history goes, never the present state."""


@dataclass(frozen=True, slots=True)
class _Change:
    number: int
    """Order of happening, also of those that come back refused."""
    alarm: Alarm
    was: State
    by: str
    monotonic: float


class StoredAlarms:
    """Keeps a board's alarms in `store`, and tells of changes through `outbox`, if any."""

    def __init__(
        self, store: Store, outbox: Outbox | None = None, sinks: tuple[str, ...] = (MQTT,)
    ) -> None:
        self._store, self._outbox, self._sinks = store, outbox, sinks
        self._mutex = threading.Lock()
        self._numbers = itertools.count()
        self._present: dict[str, Alarm] = {}
        self._changes: deque[_Change] = deque(maxlen=KEPT_CHANGES)

    def changed(self, alarm: Alarm, was: State, by: str) -> None:
        """Keep the new state, a record and an event of it."""
        with self._mutex:
            number = next(self._numbers)
            change = _Change(number, alarm, was, by, self._store.clock.monotonic())
            self._present[alarm.definition.id] = alarm
            self._changes.append(change)
        self.flush()

    def flush(self) -> None:
        """Give the store what it does not have yet; returns at once."""
        with self._mutex:
            present, changes = list(self._present.values()), list(self._changes)
            self._present.clear()
            self._changes.clear()
        # Apart, so that a full outbox, which refuses the event, does not cost the state.
        if present:
            self._submit(
                partial(_save_all, alarms=present), partial(self._keep_states, present)
            )
        if changes:
            self._submit(partial(self._tell_all, changes), partial(self._keep_changes, changes))

    def _submit(
        self, operation: Callable[[sqlite3.Connection], None], keep: Callable[[], None]
    ) -> None:
        def done(future: Future[None]) -> None:
            if future.cancelled() or future.exception() is not None:
                keep()

        self._store.submit(operation).add_done_callback(done)

    def _keep_states(self, alarms: Sequence[Alarm]) -> None:
        with self._mutex:
            for alarm in alarms:
                held = self._present.get(alarm.definition.id)
                if held is None or held.revision < alarm.revision:
                    self._present[alarm.definition.id] = alarm

    def _keep_changes(self, changes: Sequence[_Change]) -> None:
        with self._mutex:
            kept = sorted([*changes, *self._changes], key=lambda change: change.number)
            self._changes = deque(kept, KEPT_CHANGES)

    def _tell_all(self, changes: Sequence[_Change], connection: sqlite3.Connection) -> None:
        for change in changes:
            self._tell(connection, change)

    def _tell(self, connection: sqlite3.Connection, change: _Change) -> None:
        alarm = change.alarm
        body = {
            **_body(alarm),
            "alarm_id": alarm.definition.id,
            "state": alarm.state.name.value,
            "was": change.was.value,
            "by": change.by,
            "priority": alarm.definition.priority,
            "revision": alarm.revision,
        }
        records.add(
            connection,
            records.Record(
                kind="alarm",
                subject=alarm.definition.id,
                wall_time=alarm.changed_at,
                monotonic=change.monotonic,
                boot_id=self._store.boot_id,
                body=body,
            ),
        )
        if self._outbox is not None and self._sinks:
            subject = f"alarm/{alarm.definition.id}"
            self._outbox.append(
                connection,
                Message("alarm", ALARM_EVENT, subject, body, alarm.changed_at, self._sinks),
            )


def stored_board(
    definitions: Mapping[str, AlarmDefinition],
    store: Store,
    outbox: Outbox | None = None,
    sinks: tuple[str, ...] = (MQTT,),
) -> AlarmBoard:
    """A board that goes on where the last start of the station left off.

    Waits for the store once; raises what it raises, for a board that cannot read its past
    would show alarms as normal.
    """
    stored = store.submit(load).result()
    return AlarmBoard(definitions, store.clock, StoredAlarms(store, outbox, sinks), stored)


def _save_all(connection: sqlite3.Connection, alarms: Sequence[Alarm]) -> None:
    for alarm in alarms:
        save(connection, alarm)


def save(connection: sqlite3.Connection, alarm: Alarm) -> None:
    """Store the present state of an alarm, unless a later one is stored already."""
    connection.execute(
        "INSERT INTO alarms(alarm_id, state, priority, revision, wall_time, body)"
        " VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(alarm_id) DO UPDATE SET"
        " state = excluded.state, priority = excluded.priority, revision = excluded.revision,"
        " wall_time = excluded.wall_time, body = excluded.body"
        " WHERE excluded.revision > alarms.revision",
        (
            alarm.definition.id,
            alarm.state.name.value,
            alarm.definition.priority,
            alarm.revision,
            alarm.changed_at,
            canonical_json(_body(alarm)),
        ),
    )


def load(connection: sqlite3.Connection) -> list[Alarm]:
    """All alarms as last stored; delays under way begin anew."""
    rows = connection.execute(
        "SELECT alarm_id, state, priority, revision, wall_time, body FROM alarms"
    )
    return [_alarm(*row) for row in rows]


def _body(alarm: Alarm) -> dict[str, Any]:
    definition = alarm.definition
    return {
        "text": definition.text,
        "consequence": definition.consequence,
        "response": definition.response,
        "on_delay_s": definition.on_delay_s,
        "off_delay_s": definition.off_delay_s,
        "latched": definition.latched,
        "role": definition.role,
        "detail": alarm.detail,
        "active_since": alarm.active_since,
        "ack_user": alarm.ack_user,
        "ack_time": alarm.ack_time,
    }


def _alarm(
    alarm_id: str, state: str, priority: int, revision: int, wall_time: float, body: str
) -> Alarm:
    values = read_object(body)
    definition = AlarmDefinition(
        id=alarm_id,
        priority=priority,
        **{
            name: values[name]
            for name in (
                *("text", "consequence", "response"),
                *("on_delay_s", "off_delay_s", "latched", "role"),
            )
        },
    )
    # A state that this software does not know is no reason to call the alarm normal.
    name = State(state) if state in State.__members__ else State.UNACK
    return Alarm(
        definition,
        AlarmState(name),
        wall_time,
        revision,
        values["detail"],
        values["active_since"],
        values["ack_user"],
        values["ack_time"],
    )
