"""Group commit: many operations, one transaction, each answerable for itself alone.

What they all change a little, e.g. a count, they share in memory; it is written once,
just before the commit, and forgotten with it:

    tally = shared(connection, Tally)
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from common.storage.failures import is_storage_failure


@dataclass(slots=True, eq=False)
class Waiting:
    """An operation in the queue and, after its commit, what it came to."""

    operation: Callable[[sqlite3.Connection], Any]
    future: Future[Any]
    size: int = 0
    """Bytes that it holds in memory."""
    of_class: str = ""
    """Of the events in it; empty when it has none."""
    result: Any = None
    failure: Exception | None = None


class WrittenLast(Protocol):
    """Made from the connection when first asked for, written before the commit."""

    def __init__(self, connection: sqlite3.Connection) -> None: ...

    def write(self, connection: sqlite3.Connection) -> None:
        """Bring what was gathered into the file."""


Shared = TypeVar("Shared", bound=WrittenLast)


@dataclass(slots=True)
class _Group:
    connection: sqlite3.Connection
    shared: dict[type, Any] = field(default_factory=dict)


_UNDER_WAY: ContextVar[_Group | None] = ContextVar("group commit", default=None)


def shared(connection: sqlite3.Connection, kind: type[Shared]) -> Shared | None:
    """The one `kind` of the group commit under way on `connection`; None outside of one."""
    group = _UNDER_WAY.get()
    if group is None or group.connection is not connection:
        return None
    found: Shared | None = group.shared.get(kind)
    if found is None:
        found = group.shared[kind] = kind(connection)
    return found


def run_together(connection: sqlite3.Connection, batch: list[Waiting]) -> list[Waiting]:
    """Run all and commit; gives `batch` with the result or failure of each, durable.

    An operation that fails is left out, and the others run again without it. When the
    transaction fails each runs by itself: one that is too big for the space left on the
    disk must not take its neighbours along.
    """
    left = batch
    while left:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            for waiting in left:
                waiting.failure = error
            break
        try:
            failed = _attempt(connection, left)
        except Exception as error:  # noqa: BLE001 - what they share may have a bug, too
            if len(left) == 1:
                left[0].failure = error
            else:
                for waiting in left:
                    run_together(connection, [waiting])
            break
        left = [waiting for waiting in left if waiting is not failed] if failed else []
    return batch


def _attempt(connection: sqlite3.Connection, batch: list[Waiting]) -> Waiting | None:
    """Commit all, or none and give the operation that failed of its own fault."""
    group = _Group(connection)
    before = _UNDER_WAY.set(group)
    try:
        for waiting in batch:
            try:
                waiting.result, waiting.failure = waiting.operation(connection), None
            except Exception as error:
                if _is_lost(connection, error):
                    raise
                waiting.failure = error
                return waiting
            if not connection.in_transaction:
                raise sqlite3.OperationalError("the operation has ended the transaction")
        for part in group.shared.values():
            part.write(connection)
        connection.execute("COMMIT")
    finally:
        _UNDER_WAY.reset(before)
        if connection.in_transaction:  # SQLite itself may have ended it
            connection.execute("ROLLBACK")
    return None


def _is_lost(connection: sqlite3.Connection, error: Exception) -> bool:
    """Whether `error` is the file's, not the operation's."""
    return isinstance(error, sqlite3.Error) and (
        is_storage_failure(error) or not connection.in_transaction
    )
