"""The station's memory: one SQLite file, one owning connection, one writer thread.

    future = store.submit(lambda connection: records.add(connection, record))

`submit` returns at once; the future resolves after the commit that made the operation
durable. Many operations share one commit (group commit), and one that fails costs no other
anything. On a full disk the old yields to the new, lowest class first.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from common.config import setting
from common.pictures import Pictures
from common.ports import Clock
from common.retention import Retention, RetentionSettings
from common.storage.commit import Waiting, run_together
from common.storage.epoch import MarkFile
from common.storage.failures import is_damage, is_full, is_storage_failure
from common.storage.file import StoreError, lock, suspect
from common.storage.refusals import DISK, INVALID, QUEUE, Refusals
from common.storage.space import Reserve, bound_log, set_limit, work_off_log
from common.storage.start import start
from common.storage.ticket import Ticket, begin, settle
from common.storage.waiting import Queue

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
    group_ms: float = setting(1000.0, low=0.0, high=1000.0, unit="ms")
    """How long a commit waits for company, unless somebody waits for it; spares the flash."""
    upkeep_s: float = setting(60.0, low=1.0, unit="s")
    reserve_bytes: int = setting(8 << 20, low=0, unit="bytes")
    """Taken from the disk beforehand, to go on working when others have filled it."""
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
        self.damage = ""
        """What was wrong with the file at start; empty when it was sound."""
        self.suspected = ""
        """What was found wrong with it since: the next start replaces it."""
        self.failed = 0
        """Operations taken whose future failed since start."""
        self.healthy = True
        """Whether the last commit reached the disk."""
        self.last_error = ""
        self._queue = Queue(self.settings.queue_operations, self.settings.queue_bytes)
        self._hurry = self._queue.hurry
        self._refusals = Refusals()
        self._reserve = Reserve(path, self.settings.reserve_bytes)
        self._mark = MarkFile(path)
        self._relieving = False
        self._at_hand: list[Waiting] = []
        self._upkeep: list[Operation[Any]] = []
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="store", daemon=True
        )
        self._thread.start()
        opened.result()

    def submit(
        self, operation: Operation[Result], size: int = 0, *, of_class: str = ""
    ) -> Future[Result]:
        """Have `operation(connection)` run in the writer thread; never blocks.

        The future gives its result after the commit, or fails: with StoreRefused when the
        queue is full, StoreUnavailable when the disk is, else with the operation's own
        error. `size` (bytes) is what the operation holds in memory; `of_class` is the class
        of the events in it: what is refused of it is told later, and alarm and audit do not
        wait for company. An operation may run again, when another of its group has failed,
        so its only effects are on the connection and on files it names; it leaves BEGIN
        and COMMIT to the store.
        """
        future: Future[Result] = Ticket(self._hurry)
        refusal = self._queue.put(Waiting(operation, future, size, of_class))
        if refusal:
            self._refusals.add(of_class, QUEUE)
            future.set_exception(StoreRefused(f"{self.path}: {refusal}"))
        return future

    @property
    def refused(self) -> int:
        """Operations not taken since start: queue full, or closed."""
        return self._queue.refused

    def hurry(self) -> None:
        """Commit what waits now: so much of it that company is no longer worth the wait."""
        self._queue.hurry()

    def add_upkeep(self, operation: Operation[Any]) -> None:
        """Have `operation` run with every upkeep: its truth value asks for another soon."""
        self._upkeep.append(operation)

    def close(self, timeout_s: float = 10.0) -> None:
        """Commit what waits, then close the file."""
        self._queue.close()
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
        except BaseException as error:  # noqa: BLE001 - whoever opens must not wait for ever
            os.close(descriptor)
            plain = isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError)
            opened.set_exception(StoreError(f"{self.path}: {error}") if plain else error)
            return
        opened.set_result(None)
        try:
            self._serve(connection)
        except BaseException as error:
            ended = f"{self.path}: the store has ended ({error}); restart the station"
            self.healthy, self.last_error = False, ended
            raise
        finally:
            self._abandon()
            connection.close()
            self._mark.close()
            os.close(descriptor)

    def _open(self) -> sqlite3.Connection:
        limit, reserve = self.settings.max_bytes, self._reserve
        started = start(self.path, self.clock, limit, self.pictures, reserve)
        opened, self.boot_id = started.opened, started.boot_id
        self.epoch, self.replaced, self.damage = opened.epoch, opened.replaced, opened.damage
        bound_log(opened.connection, self.settings.reserve_bytes)
        retention = Retention(self.pictures, self.settings.retention, self.clock)
        self._upkeep += [retention.run, self._refusals.write]
        reserve.take()
        return opened.connection

    def _serve(self, connection: sqlite3.Connection) -> None:
        due = self.clock.monotonic() + self.settings.upkeep_s
        most, window_s = self.settings.group_operations, self.settings.group_ms / 1000
        while not self._queue.ended:
            self._at_hand = begin(self._queue.take(most, window_s, LOOK_UP_S))
            self._commit(connection, self._at_hand)
            now = self.clock.monotonic()
            if not self.healthy or self._reserve.gone:
                due = min(due, now + LOOK_UP_S)
            if now >= due:
                more = self._keep_up(connection)
                due = now + (LOOK_UP_S if more else self.settings.upkeep_s)
        self._commit(connection, [Waiting(self._refusals.write, Ticket())])

    def _commit(self, connection: sqlite3.Connection, batch: list[Waiting]) -> None:
        changes = connection.total_changes
        failed = _failed(run_together(connection, batch))
        for relieve in () if self._relieving else (self._give_reserve, self._keep_up):
            full = [waiting for waiting in failed if is_full(waiting.failure)]
            if full:
                relieve(connection)
                run_together(connection, full)
                failed = _failed(batch)
        if connection.total_changes > changes:
            self.healthy = not any(is_storage_failure(waiting.failure) for waiting in failed)
            self._mark.keep(connection)
        for waiting in failed:
            self._note(waiting)
        settle(batch)

    def _give_reserve(self, connection: sqlite3.Connection) -> None:
        self._reserve.give()
        set_limit(connection, 0)
        work_off_log(connection)

    def _note(self, waiting: Waiting) -> None:
        """Count what has failed, and say it in the store's words where that is to blame."""
        failure = waiting.failure
        if is_damage(failure):
            self.suspected = str(failure)
            suspect(self.path, self.suspected)
        if is_storage_failure(failure):
            self.healthy = False
            waiting.failure = StoreUnavailable(f"{self.path}: not stored ({failure})")
            waiting.failure.__cause__ = failure
        self._refusals.add(
            waiting.of_class, DISK if waiting.failure is not failure else INVALID
        )
        self.failed += 1
        self.last_error = str(waiting.failure)

    def _keep_up(self, connection: sqlite3.Connection) -> bool:
        self._reserve.take()
        set_limit(connection, 0 if self._reserve.gone else self.settings.max_bytes)
        tasks = [Waiting(operation, Ticket()) for operation in self._upkeep]
        self._relieving = True
        for task in tasks:
            self._commit(connection, [task])
            if task.operation == self._refusals.write and task.failure is None:
                self._refusals.written()
        self._relieving = False
        return any(not task.failure and task.result for task in tasks)

    def _abandon(self) -> None:
        """Nothing waits for ever should this thread end by a bug."""
        self._queue.close()
        left = [waiting for waiting in self._at_hand if not waiting.future.done()]
        left += begin(self._queue.take(self.settings.queue_operations, 0.0, 0.0))
        for waiting in left:
            waiting.failure = StoreError(f"{self.path}: the store has ended")
        settle(left)


def _failed(batch: list[Waiting]) -> list[Waiting]:
    return [waiting for waiting in batch if waiting.failure is not None]
