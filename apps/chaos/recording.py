"""The station's own code at work on a recorded disk: commits, events, records, receipts."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from apps.chaos.disk import Operation, Recorder
from apps.chaos.foreign import connect
from common import records
from common.clock import HeldClock
from common.storage import file as store_file
from common.storage.commit import Waiting, run_together
from common.storage.epoch import MarkFile
from common.storage.file import open_file
from common.telemetry import outbox_rows as rows
from common.telemetry.message import Message
from common.telemetry.outbox import Outbox
from common.telemetry.outbox_rows import MQTT

GROUPS = 120
"""Commits of one recorded run."""
DELIVERED_SHARE = 0.3
REFUSED_SHARE = 0.02
MAX_BYTES = 64 << 20
FILE, KIND, TYPE = "station.sqlite", "chaos", "lineside.chaos.event.v1"


@dataclass(slots=True)
class Mark:
    """After `at` operations of the disk: events accepted, or about to be deleted."""

    at: int
    accepted: list[str] = field(default_factory=list)
    doomed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Recording:
    """What a disk was told to do, and what its user was promised meanwhile."""

    tape: list[Operation]
    marks: list[Mark]


class Refusal(Exception):
    """An operation of the workload that fails on purpose, within its group."""


def record(folder: Path, change: str, rng: random.Random) -> Recording:
    """Let a store work in `folder`, with `change` (a PRAGMA) made to it, and tape its disk."""
    recorder, clock = Recorder(f"recorder-{id(rng)}"), HeldClock()
    with instead_of_sqlite3(recorder):
        opened = open_file(folder / FILE, clock, MAX_BYTES)
        recorder.note(folder / f"{FILE}.mark", synced=True)
    with closing(opened.connection) as connection:
        connection.execute(change)
        workload = _Workload(connection, recorder, rng)
        outbox = Outbox(source="urn:chaos", epoch=opened.epoch, boot_id="boot-1", clock=clock)
        for _ in range(GROUPS):
            clock.sleep(0.1)
            workload.commit(outbox, clock)
            if rng.random() < DELIVERED_SHARE:
                workload.deliver(rng.randint(1, 40))
            workload.keep_mark(folder)
    recorder.unregister()
    return Recording(recorder.tape, workload.marks)


@contextmanager
def instead_of_sqlite3(recorder: Recorder) -> Iterator[None]:
    """`open_file` opens on the recorder: the PRAGMAs, checks and schema are its own."""
    ours, store_file._connect = (
        store_file._connect,
        lambda path: connect(path, recorder.name),
    )
    try:
        yield
    finally:
        store_file._connect = ours


class _Workload:
    """A station's traffic: groups of events with their records, and receipts."""

    def __init__(
        self, connection: sqlite3.Connection, recorder: Recorder, rng: random.Random
    ) -> None:
        self._connection, self._recorder, self._rng = connection, recorder, rng
        self.marks: list[Mark] = []

    def commit(self, outbox: Outbox, clock: HeldClock) -> None:
        size = self._rng.choice((1, 2, 5, 10, 40))
        batch = [Waiting(self._event(outbox, clock), Future()) for _ in range(size)]
        done = run_together(self._connection, batch)
        accepted = [waiting.result for waiting in done if waiting.failure is None]
        self.marks.append(Mark(len(self._recorder.tape), accepted=accepted))

    def _event(self, outbox: Outbox, clock: HeldClock) -> Callable[[sqlite3.Connection], str]:
        of_class = self._rng.choice(list(rows.PRIORITIES))
        text = self._rng.randbytes(self._rng.randint(4, 250)).hex()
        refused = self._rng.random() < REFUSED_SHARE

        def operation(connection: sqlite3.Connection) -> str:
            message = Message(of_class, TYPE, "part", {"text": text}, clock.wall())
            event_id = outbox.append(connection, message)
            record = records.Record(
                KIND, event_id, clock.wall(), clock.monotonic(), "boot-1", {"text": text}
            )
            records.add(connection, record)
            if refused:
                raise Refusal
            return event_id

        return operation

    def keep_mark(self, folder: Path) -> None:
        """As the store does it after a commit: beside SQLite, and not synced again."""
        with closing(MarkFile(folder / FILE)) as mark:
            mark.keep(self._connection)
        self._recorder.note(folder / f"{FILE}.mark")

    def deliver(self, limit: int) -> None:
        """A receipt has come: the rows it names are deleted."""
        found = rows.pending(self._connection, MQTT, limit)
        doomed = [f"{row.epoch}-{row.event}" for row in found]
        self.marks.append(Mark(len(self._recorder.tape), doomed=doomed))
        seqs = [row.seq for row in found]
        run_together(
            self._connection,
            [Waiting(lambda connection: rows.confirm(connection, seqs), Future())],
        )
