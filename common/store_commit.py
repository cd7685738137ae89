"""Group commit: many operations, one transaction, each answerable for itself alone."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from common.store_file import DAMAGED, primary_code

STORAGE_FAILED = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    *DAMAGED,
)
"""The disk or the file, not the operation, is to blame."""


@dataclass(slots=True)
class Waiting:
    """An operation in the queue; `size` in bytes is what it holds in memory."""

    operation: Callable[[sqlite3.Connection], Any]
    future: Future[Any]
    size: int = 0


@dataclass(slots=True)
class Outcome:
    """What an operation came to, told to its future only after the commit."""

    future: Future[Any]
    result: Any = None
    failure: Exception | None = None


def run_together(connection: sqlite3.Connection, batch: list[Waiting]) -> list[Outcome]:
    """The outcomes of all operations, durable; one by one when the transaction is lost.

    SQLite drops the whole transaction when the disk is full, so an operation that is too
    big for the space left would otherwise take its neighbours along.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        return [Outcome(waiting.future, failure=error) for waiting in batch]
    try:
        outcomes = [_alone(connection, waiting) for waiting in batch]
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(connection)
        if len(batch) == 1:
            return [Outcome(batch[0].future, failure=error)]
        return [run_together(connection, [waiting])[0] for waiting in batch]
    except BaseException:
        _roll_back(connection)
        raise
    return outcomes


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite itself may have ended it
        connection.execute("ROLLBACK")


def _alone(connection: sqlite3.Connection, waiting: Waiting) -> Outcome:
    connection.execute("SAVEPOINT operation")
    try:
        result = waiting.operation(connection)
    except Exception as error:
        if is_storage_failure(error) and not isinstance(error, OSError):
            raise
        connection.execute("ROLLBACK TO operation")
        connection.execute("RELEASE operation")
        return Outcome(waiting.future, failure=error)
    connection.execute("RELEASE operation")
    return Outcome(waiting.future, result)


def is_storage_failure(error: Exception | None) -> bool:
    """Whether the disk failed and not the operation: also a picture's OSError."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) in STORAGE_FAILED
    return isinstance(error, OSError)
