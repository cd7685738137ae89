"""What screens read of a station's file: a connection of their own that cannot write.

with closing(open_readonly(path)) as connection:
    recent = latest(connection, "verdict", limit=20)
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.audit import SELECT_AUDIT, AuditRow
from common.canonical import read_object
from common.records import Label, Record, record_kinds
from common.storage.file import StoreError

SELECT_RECORDS = (
    "SELECT kind, subject, wall_time, monotonic, boot_id, body, picture, seq FROM records"
)


def open_readonly(path: Path, timeout_s: float = 2.0) -> sqlite3.Connection:
    """A reading connection to a station's file; raises StoreError when there is none.

    The station goes on writing; keep no result half read, an open read holds up its log.
    Where somebody else holds the file locked, it waits for `timeout_s`.
    """
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            isolation_level=None,
            timeout=timeout_s,
        )
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read ({error}); did the station run?") from error
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("SELECT value FROM meta LIMIT 1").fetchall()
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"{path}: is no station's file ({error})") from error
    return connection


def latest(
    connection: sqlite3.Connection, kind: str, since_seq: int = 0, limit: int = 100
) -> list[Record]:
    """The newest `limit` records of a kind written after `since_seq`, oldest first."""
    rows = connection.execute(
        SELECT_RECORDS + " WHERE kind = ? AND seq > ? ORDER BY seq DESC LIMIT ?",
        (kind, since_seq, limit),
    ).fetchall()
    return [_record(row) for row in reversed(rows)]


def between(
    connection: sqlite3.Connection, kind: str, start: float, end: float
) -> list[Record]:
    """Records of a kind with start <= wall time < end (UTC, s), oldest first."""
    rows = connection.execute(
        SELECT_RECORDS
        + " WHERE kind = ? AND wall_time >= ? AND wall_time < ? ORDER BY wall_time, seq",
        (kind, start, end),
    )
    return [_record(row) for row in rows]


def record(connection: sqlite3.Connection, seq: int) -> Record | None:
    """One record by its seq; None when it is not, or no longer, kept."""
    row = connection.execute(SELECT_RECORDS + " WHERE seq = ?", (seq,)).fetchone()
    return _record(row) if row else None


def _record(row: tuple[Any, ...]) -> Record:
    kind, subject, wall_time, monotonic, boot_id, body, picture, seq = row
    return Record(kind, subject, wall_time, monotonic, boot_id, read_object(body), picture, seq)


def count_kinds(connection: sqlite3.Connection, start: float, end: float) -> dict[str, int]:
    """Records by kind with start <= wall time < end (UTC, s)."""
    counts = {}
    for kind in record_kinds(connection):
        count = connection.execute(
            "SELECT count(*) FROM records WHERE kind = ? AND wall_time >= ? AND wall_time < ?",
            (kind, start, end),
        ).fetchone()[0]
        if count:
            counts[kind] = int(count)
    return counts


def labels(connection: sqlite3.Connection, record_seq: int) -> list[Label]:
    """What people said of a record, oldest first."""
    rows = connection.execute(
        "SELECT record_seq, wall_time, user, label, reason FROM labels WHERE record_seq = ?"
        " ORDER BY seq",
        (record_seq,),
    )
    return [Label(*row) for row in rows]


def audit_tail(connection: sqlite3.Connection, limit: int = 50) -> list[AuditRow]:
    """The newest audit rows, oldest first."""
    rows = connection.execute(SELECT_AUDIT + " ORDER BY seq DESC LIMIT ?", (limit,)).fetchall()
    return [AuditRow(*row) for row in reversed(rows)]


@dataclass(frozen=True, slots=True)
class Drop:
    """What was deleted, in total: by retention, by quota, for want of space."""

    what: str
    """"record", "picture" or "outbox:<sink>"."""
    of_class: str
    reason: str
    """"age" or "space"."""
    count: int
    size: int
    """Bytes, where known."""
    wall_time: float
    """Of the last one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Operations with events in them that the store did not take, in total."""

    of_class: str
    reason: str
    """"queue", "disk" or "invalid"."""
    count: int


def refusals(connection: sqlite3.Connection) -> list[Refusal]:
    """All that was refused so far: it never became an event, and was not dropped as one."""
    rows = connection.execute("SELECT class, reason, count FROM refused ORDER BY class, reason")
    return [Refusal(*row) for row in rows]


def drops(connection: sqlite3.Connection) -> list[Drop]:
    """All deletions so far."""
    return [Drop(*row) for row in connection.execute("SELECT * FROM drops")]


def epoch(connection: sqlite3.Connection) -> str:
    """Which file this is: a new one after a loss has another epoch."""
    return str(connection.execute("SELECT value FROM meta WHERE key='epoch'").fetchone()[0])
