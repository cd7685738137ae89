"""The station's memory: one SQLite file, one owning connection, one writer thread.

    future = store.submit(lambda connection: records.add(connection, record))

`submit` returns at once; the future resolves after the commit that made the operation
durable. Many operations share one commit (group commit), each in a savepoint of its own.
"""

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from common import records
from common.config import setting
from common.pictures import Pictures
from common.ports import Clock
from common.retention import Retention, RetentionSettings
from common.store_commit import Outcome, Waiting, is_storage_failure, run_together
from common.store_file import StoreError, boot_id, lock, open_file

Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection], Result]

LOOK_UP_S = 1.0
"""How often an idle writer looks whether upkeep is due."""


class StoreRefused(StoreError):
    """The operation was not taken: the queue is full or the store is closed."""


class StoreUnavailable(StoreError):
    """The disk is full or failing; nothing of the operation was kept."""


@dataclass(frozen=True)
class StoreSettings:
    """Limits of the station's file and of what waits for it."""

    max_bytes: int = setting(1 << 30, low=1 << 20, unit="bytes")
    queue_operations: int = setting(10_000, low=1)
    queue_bytes: int = setting(64 << 20, low=1 << 10, unit="bytes")
    """Of the sizes named in `submit`; bounds the memory that waiting pictures take."""
    group_operations: int = setting(100, low=1, high=1000)
    group_ms: float = setting(50.0, low=0.0, high=1000.0, unit="ms")
    """How long a commit waits for company; longer spares flash, shorter resolves sooner."""
    upkeep_s: float = setting(60.0, low=1.0, unit="s")
    retention: RetentionSettings = field(default_factory=RetentionSettings)


class Store:
    """Owns the file at `path`; raises StoreError at once when it cannot be opened."""

    def __init__(self, path: Path, clock: Clock, settings: StoreSettings | None = None) -> None:
        self.path, self.clock = path, clock
        self.settings = settings or StoreSettings()
        self.pictures = Pictures(path.parent / "pictures")
        self.epoch = self.boot_id = ""
        self.replaced: Path | None = None
        """Where a damaged file was moved to at start; None when the file was sound."""
        self.refused = 0
        """Operations not taken since start: queue full, or closed."""
        self.failed = 0
        """Operations taken whose future failed since start."""
        self.healthy = True
        """Whether the last commit reached the disk."""
        self.last_error = ""
        self._queue: queue.Queue[Waiting | None] = queue.Queue(self.settings.queue_operations)
        self._waiting_bytes, self._closing = 0, False
        self._mutex = threading.Lock()
        self._upkeep: list[Operation[Any]] = []
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="store", daemon=True
        )
        self._thread.start()
        opened.result()

    def submit(self, operation: Operation[Result], size: int = 0) -> Future[Result]:
        """Have `operation(connection)` run in the writer thread; never blocks.

        The future gives its result after the commit, or fails: with StoreRefused when the
        queue is full, StoreUnavailable when the disk is, else with the operation's own
        error. `size` (bytes) is what the operation holds in memory. An operation may run
        again after a lost transaction, so its only effects are on the connection
        and on files it names; it leaves BEGIN and COMMIT to the store.
        """
        future: Future[Result] = Future()
        with self._mutex:
            refusal = self._why_refused(size)
            if not refusal:
                self._waiting_bytes += size
                self._queue.put_nowait(Waiting(operation, future, size))
                return future
            self.refused += 1
        future.set_exception(StoreRefused(f"{self.path}: {refusal}"))
        return future

    def _why_refused(self, size: int) -> str:
        if self._closing:
            return "the store is closed"
        if self._queue.full():
            return f"{self.settings.queue_operations} operations wait already"
        if size and self._waiting_bytes + size > self.settings.queue_bytes:
            return f"{self._waiting_bytes} bytes wait already"
        return ""

    def add_upkeep(self, operation: Operation[Any]) -> None:
        """Have `operation` run with every upkeep: its truth value asks for another soon."""
        self._upkeep.append(operation)

    def close(self, timeout_s: float = 10.0) -> None:
        """Commit what waits, then close the file."""
        with self._mutex:
            closing, self._closing = self._closing, True
        if not closing:
            with suppress(queue.Full):  # the thread looks at _closing by itself, too
                self._queue.put_nowait(None)
        self._thread.join(timeout_s)

    # The writer thread.

    def _run(self, opened: Future[None]) -> None:
        try:
            descriptor = lock(self.path)
        except StoreError as error:
            opened.set_exception(error)
            return
        try:
            connection = self._open()
        except (StoreError, sqlite3.Error, OSError) as error:
            os.close(descriptor)
            known = isinstance(error, StoreError)
            opened.set_exception(error if known else StoreError(f"{self.path}: {error}"))
            return
        opened.set_result(None)
        try:
            self._serve(connection)
        finally:
            self._abandon_queue()
            connection.close()
            os.close(descriptor)

    def _open(self) -> sqlite3.Connection:
        limit, retention = self.settings.max_bytes, self.settings.retention
        found = open_file(self.path, self.clock, limit)
        connection, self.epoch, self.replaced = found.connection, found.epoch, found.replaced
        try:
            self.boot_id = boot_id(connection)
            self.pictures.prepare(connection)
            if self.replaced:
                self._say_replaced(connection, found.damage)
        except BaseException:
            connection.close()
            raise
        self._upkeep.append(Retention(self.pictures, retention, self.clock, limit).run)
        return connection

    def _say_replaced(self, connection: sqlite3.Connection, damage: str) -> None:
        body = {"moved_to": str(self.replaced), "damage": damage, "epoch": self.epoch}
        wall, monotonic = self.clock.wall(), self.clock.monotonic()
        records.add(
            connection,
            records.Record("store", "replaced", wall, monotonic, self.boot_id, body),
        )

    def _serve(self, connection: sqlite3.Connection) -> None:
        due = self.clock.monotonic() + self.settings.upkeep_s
        while True:
            batch = self._collect()
            if batch:
                self._commit(connection, batch)
            elif self._closing and self._queue.empty():
                return
            now = self.clock.monotonic()
            due = due if self.healthy else min(due, now + LOOK_UP_S)
            if now >= due:
                more = self._keep_up(connection)
                due = now + (LOOK_UP_S if more else self.settings.upkeep_s)

    def _collect(self) -> list[Waiting]:
        """The first operation that comes, and what joins it within `group_ms`."""
        batch: list[Waiting] = []
        timeout = 0.0 if self._closing else LOOK_UP_S
        end = 0.0  # of the group, in the process's own time: the clock may be a held one
        while len(batch) < self.settings.group_operations:
            try:
                waiting = self._queue.get(timeout=max(timeout, 0.0))
            except queue.Empty:
                break
            if waiting is None:
                break
            if not batch:
                end = time.monotonic() + self.settings.group_ms / 1000
            batch.append(waiting)
            timeout = end - time.monotonic()
        with self._mutex:
            self._waiting_bytes -= sum(waiting.size for waiting in batch)
        return [waiting for waiting in batch if waiting.future.set_running_or_notify_cancel()]

    def _commit(self, connection: sqlite3.Connection, batch: list[Waiting]) -> None:
        changes = connection.total_changes
        outcomes = run_together(connection, batch)
        if connection.total_changes > changes:
            self.healthy = not any(is_storage_failure(o.failure) for o in outcomes)
        for outcome in outcomes:
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        failure = outcome.failure
        if failure is None:
            outcome.future.set_result(outcome.result)
            return
        if is_storage_failure(failure):
            self.healthy = False
            failure = StoreUnavailable(f"{self.path}: not stored ({failure})")
            failure.__cause__ = outcome.failure
        self.failed += 1
        self.last_error = str(failure)
        outcome.future.set_exception(failure)

    def _keep_up(self, connection: sqlite3.Connection) -> bool:
        tasks = [Waiting(operation, Future()) for operation in self._upkeep]
        for task in tasks:
            self._commit(connection, [task])
        return any(not t.future.exception() and t.future.result() for t in tasks)

    def _abandon_queue(self) -> None:
        """Nothing waits for ever should this thread end by a bug."""
        with self._mutex:
            self._closing = True
        with suppress(queue.Empty):
            while True:
                waiting = self._queue.get_nowait()
                if waiting and waiting.future.set_running_or_notify_cancel():
                    waiting.future.set_exception(
                        StoreError(f"{self.path}: the store has ended")
                    )
