"""What a station keeps of its work: one row per verdict, fault, alarm change, …

All functions run inside `Store.submit`, on the connection that the store owns.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.canonical import canonical_json
from common.storage.file import StoreError


class DuplicateRecord(StoreError):
    """The part already has its verdict in this start of the station."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record, as written and as read back."""

    kind: str
    """E.g. "verdict", "fault", "alarm", "store"."""
    subject: str
    """What it is about. Of a verdict: the sample's id, unique within one start of the
    station. Never the PLC's part number alone: it wraps, and the second part 4711 would
    be refused as a repetition."""
    wall_time: float
    """UTC, seconds since 1970."""
    monotonic: float
    """Seconds; comparable within one machine boot."""
    boot_id: str
    """`Store.boot_id` of the start that wrote it."""
    body: Mapping[str, Any]
    """JSON values only."""
    picture: str | None = None
    """Name under pictures/; None when none was taken. The file may have been deleted since."""
    seq: int = 0
    """Order of writing, from 1; 0 while it is not stored."""


def add(connection: sqlite3.Connection, record: Record) -> int:
    """Store `record` and give its seq; raises DuplicateRecord for a second verdict."""
    try:
        cursor = connection.execute(
            "INSERT INTO records(kind, subject, wall_time, monotonic, boot_id, body, picture)"
            " VALUES(?, ?, ?, ?, ?, ?, ?)",
            (
                record.kind,
                record.subject,
                record.wall_time,
                record.monotonic,
                record.boot_id,
                canonical_json(record.body),
                record.picture,
            ),
        )
    except sqlite3.IntegrityError as error:
        if "records.subject" not in str(error):
            raise
        raise DuplicateRecord(
            f"{record.subject}: has a verdict already in start {record.boot_id}"
        ) from error
    return int(cursor.lastrowid or 0)


def newest_wall(connection: sqlite3.Connection) -> float:
    """When the newest record was written (wall, UTC s); 0 where there is none."""
    found = connection.execute("SELECT wall_time FROM records ORDER BY seq DESC LIMIT 1")
    return float((found.fetchone() or (0.0,))[0])


@dataclass(frozen=True, slots=True)
class Label:
    """A person's judgement of a record, kept beside the machine's."""

    record_seq: int
    wall_time: float
    user: str
    label: str
    reason: str


def overrule(connection: sqlite3.Connection, label: Label) -> int:
    """Store a person's label for a record and give its seq; the record stays as it is."""
    try:
        cursor = connection.execute(
            "INSERT INTO labels(record_seq, wall_time, user, label, reason)"
            " VALUES(?, ?, ?, ?, ?)",
            (label.record_seq, label.wall_time, label.user, label.label, label.reason),
        )
    except sqlite3.IntegrityError as error:
        raise StoreError(f"record {label.record_seq}: is not in the store") from error
    return int(cursor.lastrowid or 0)


def count_drop(
    connection: sqlite3.Connection,
    what: str,
    of_class: str,
    reason: str,
    wall_time: float,
    *,
    count: int,
    size: int = 0,
) -> None:
    """Count deleted things (`size` in bytes) in the drops table: loss is data."""
    connection.execute(
        "INSERT INTO drops VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " count = count + excluded.count, bytes = bytes + excluded.bytes,"
        " wall_time = excluded.wall_time",
        (what, of_class, reason, count, size, wall_time),
    )


def record_kinds(connection: sqlite3.Connection) -> list[str]:
    """The kinds of records there are."""
    # Hops from kind to kind in the index; DISTINCT would walk through every row.
    rows = connection.execute(
        "WITH RECURSIVE kinds(kind) AS (SELECT min(kind) FROM records UNION ALL"
        " SELECT (SELECT min(kind) FROM records WHERE kind > kinds.kind) FROM kinds"
        " WHERE kinds.kind IS NOT NULL) SELECT kind FROM kinds WHERE kind IS NOT NULL"
    )
    return [row[0] for row in rows]
