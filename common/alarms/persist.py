"""Alarms in the station's file: the present state of each, a record and an event per change.

State, record, the audit row of what a person did, and the event that leaves are one
transaction. Where only the event is refused (a full outbox), it alone waits: history on
the station is no hostage of the way out. A change that the store refuses (full queue, full
disk) is kept here and tried again, so that a restart never finds an alarm normal that was
not.
"""

import itertools
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from common import audit, records
from common.alarms import document
from common.alarms.alarm import PROCESS, Alarm, Change
from common.alarms.board import AlarmBoard
from common.alarms.definition import AlarmDefinition
from common.alarms.document import Row
from common.alarms.shelving import Moment
from common.canonical import canonical_json, read_object
from common.storage.failures import StoreError
from common.store import Store
from common.telemetry.outbox import MQTT, Message, Outbox, OutboxFull

ALARM_EVENT = "lineside.alarm.v1"
KEPT_CHANGES = 10_000
"""Of what the store refuses. Beyond it the oldest history goes, and is counted; never the
present state of an alarm, nor what a person did."""
TRIED_AT_ONCE = 500
log = logging.getLogger("lineside.alarms")


@dataclass(frozen=True, slots=True)
class _Waiting:
    number: int
    """Order of happening, also of those that come back refused."""
    change: Change
    monotonic: float
    stored: bool = False
    """Only its event is missing."""


class StoredAlarms:
    """Keeps a board's alarms in `store`, and tells of changes through `outbox`, if any."""

    def __init__(
        self, store: Store, outbox: Outbox | None = None, sinks: tuple[str, ...] = (MQTT,)
    ) -> None:
        self._store, self._outbox, self._sinks = store, outbox, sinks
        self._boot = machine_boot(store)
        self._mutex = threading.Lock()
        self._numbers = itertools.count()
        self._kept: list[_Waiting] = []
        self._lost = 0
        """Changes given up and not yet counted in the store."""

    def changed(self, change: Change) -> None:
        """Store and tell it, or keep it while older changes wait."""
        with self._mutex:
            number, monotonic = next(self._numbers), self._store.clock.monotonic()
            waiting = _Waiting(number, change, monotonic)
            if self._kept:
                self._keep([waiting])
                return
        self._submit([waiting])

    def settled(self) -> "Future[None]":
        """Done once the disk has answered for every change until now."""
        asked = self._store.submit(lambda _: None)
        self._store.hurry()
        return asked

    def flush(self) -> None:
        """Give the store the oldest of what it does not have yet; returns at once."""
        with self._mutex:
            self._kept.sort(key=lambda waiting: waiting.number)
            batch, self._kept = self._kept[:TRIED_AT_ONCE], self._kept[TRIED_AT_ONCE:]
            lost, self._lost = self._lost, 0
        if batch or lost:
            self._submit(batch, lost)

    def _submit(self, batch: Sequence[_Waiting], lost: int = 0, *, tell: bool = True) -> None:
        def done(future: Future[None]) -> None:
            error = None if future.cancelled() else future.exception()
            if isinstance(error, OutboxFull):
                self._submit(batch, lost, tell=False)
                return
            if error is not None and not isinstance(error, StoreError | sqlite3.Error):
                self._sift(batch, lost, error, tell=tell)
                return
            with self._mutex:
                if future.cancelled() or error is not None:
                    self._lost += lost
                    self._keep(batch)
                elif not tell:
                    self._keep([replace(waiting, stored=True) for waiting in batch])

        write = partial(self._write, batch, lost, tell=tell)
        self._store.submit(write).add_done_callback(done)

    def _sift(
        self, batch: Sequence[_Waiting], lost: int, error: BaseException, *, tell: bool
    ) -> None:
        """One of a batch cannot be stored ever: give it up, and none that is sound with it."""
        if len(batch) == 1:
            log.error("alarm %s: not stored: %s", batch[0].change.alarm.definition.id, error)
            with self._mutex:
                self._lost += lost + 1
            return
        for number, waiting in enumerate(batch):
            self._submit([waiting], 0 if number else lost, tell=tell)

    def _keep(self, batch: Sequence[_Waiting]) -> None:
        self._kept += batch
        excess = len(self._kept) - KEPT_CHANGES
        if excess > 0:
            # A few more than needed, so that the next hundreds need not do it again.
            given_up = set(itertools.islice(self._least(), excess + TRIED_AT_ONCE))
            self._kept = [w for w in self._kept if w.number not in given_up]
            self._lost += len(given_up)

    def _least(self) -> Iterator[int]:
        """Numbers of what may be given up, the oldest first."""
        self._kept.sort(key=lambda waiting: waiting.number)
        newest = {waiting.change.alarm.definition.id: waiting.number for waiting in self._kept}
        present = set(newest.values())
        for waiting in self._kept:
            if waiting.change.deed.user is None and waiting.number not in present:
                yield waiting.number

    # ---------------------------------------------------------------- in the store's thread

    def _write(
        self,
        batch: Sequence[_Waiting],
        lost: int,
        connection: sqlite3.Connection,
        *,
        tell: bool,
    ) -> None:
        """Store and tell a batch; raises OutboxFull where the telling alone is refused."""
        for waiting in batch:
            if not waiting.stored:
                self._record(connection, waiting)
        if lost:
            wall = self._store.clock.wall()
            records.count_drop(connection, "record", "alarm", "space", wall, count=lost)
        if tell and self._outbox is not None and self._sinks:
            for waiting in batch:
                self._outbox.append(connection, self._message(waiting.change))

    def _record(self, connection: sqlite3.Connection, waiting: _Waiting) -> None:
        change = waiting.change
        alarm_id, deed = change.alarm.definition.id, change.deed
        save(connection, change.alarm, self._boot)
        records.add(
            connection,
            records.Record(
                kind="alarm",
                subject=alarm_id,
                wall_time=change.wall_time,
                monotonic=waiting.monotonic,
                boot_id=self._store.boot_id,
                body=told(change),
            ),
        )
        if deed.user is not None:
            act = audit.Act(deed.user.name, deed.user.role, deed.action, alarm_id, deed.reason)
            audit.append(connection, act, change.wall_time)

    def _message(self, change: Change) -> Message:
        subject = f"alarm/{change.alarm.definition.id}"
        return Message(
            "alarm", ALARM_EVENT, subject, told(change), change.wall_time, self._sinks
        )


def told(change: Change) -> dict[str, Any]:
    """A change as history and other systems get it."""
    alarm, deed = change.alarm, change.deed
    return {
        **document.body(alarm),
        "alarm_id": alarm.definition.id,
        "state": alarm.state.name.value,
        "was": change.was.value,
        "action": deed.action,
        "by": deed.user.name if deed.user else PROCESS,
        "reason": deed.reason,
        "priority": alarm.priority,
        "revision": alarm.revision,
    }


def machine_boot(store: Store) -> str:
    """The boot of the machine within which monotonic times compare."""
    return store.boot_id.rsplit("-", 1)[0]


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
    clock = store.clock
    now = Moment(clock.wall(), clock.monotonic(), machine_boot(store))
    stored = store.submit(partial(load, now=now)).result()
    return AlarmBoard(definitions, clock, StoredAlarms(store, outbox, sinks), stored)


def save(connection: sqlite3.Connection, alarm: Alarm, boot: str = "") -> None:
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
            alarm.priority,
            alarm.revision,
            alarm.changed_at,
            canonical_json({**document.body(alarm), "boot": boot}),
        ),
    )


def load(connection: sqlite3.Connection, now: Moment) -> list[Alarm]:
    """All alarms as last stored; delays under way begin anew."""
    found = [
        Row(alarm_id, state, priority, revision, wall_time, read_object(body))
        for alarm_id, state, priority, revision, wall_time, body in connection.execute(
            "SELECT alarm_id, state, priority, revision, wall_time, body FROM alarms"
        )
    ]
    last = max([records.newest_wall(connection), *(row.wall_time for row in found)])
    return [document.restored(row, now, last) for row in found]
