"""The outbox as a table: put in, look up what is next, settle what became of it.

All functions run on a connection that the caller owns; those that change something, in
`Store.submit`.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PRIORITIES = {"alarm": 0, "audit": 1, "verdict": 2, "metric": 3, "sample": 4}
"""Class → order of sending; what goes last is dropped first."""
NEVER_DROPPED = "audit"
PENDING, DEAD = "pending", "dead"
LAST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class NewRow:
    """One event for one sink, to be stored."""

    epoch: str
    event: int
    """The event's sequence within its epoch."""
    sink: str
    of_class: str
    wall_time: float
    monotonic: float
    boot_id: str
    payload: bytes
    """The event's JSON."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event waiting for one sink."""

    seq: int
    epoch: str
    event: int
    of_class: str
    payload: bytes
    sound: bool
    """Whether the payload still has the checksum it was stored with."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that its sink refused for good; kept until revived or dropped."""

    seq: int
    epoch: str
    event: int
    sink: str
    of_class: str
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one sink."""

    count: int
    oldest_wall_time: float | None
    """UTC, seconds since 1970; None when nothing waits."""
    dead: int


def insert(connection: sqlite3.Connection, row: NewRow) -> int:
    """Store `row` and give its seq; raises KeyError for an unknown class."""
    cursor = connection.execute(
        "INSERT INTO outbox(epoch, event, sink, class, priority, wall_time, monotonic, boot_id,"
        " crc32, bytes, payload) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.epoch,
            row.event,
            row.sink,
            row.of_class,
            PRIORITIES[row.of_class],
            row.wall_time,
            row.monotonic,
            row.boot_id,
            zlib.crc32(row.payload),
            len(row.payload),
            row.payload,
        ),
    )
    return int(cursor.lastrowid or 0)


def pending(
    connection: sqlite3.Connection,
    sink: str,
    limit: int,
    *,
    after: Mapping[str, int] | None = None,
    upto: int = LAST,
    classes: Iterable[str] = tuple(PRIORITIES),
) -> list[Row]:
    """What `sink` gets next: by priority of class, then oldest first.

    `after` (class → seq) and `upto` bound the rows looked at: a sender keeps its place
    with the one and tells live from backlog with the other.
    """
    found: list[Row] = []
    for of_class in sorted(classes, key=PRIORITIES.__getitem__):
        if len(found) >= limit:
            break
        values = connection.execute(
            "SELECT seq, epoch, event, class, payload, crc32 FROM outbox WHERE sink = ? AND state = ?"
            " AND priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (
                *(sink, PENDING, PRIORITIES[of_class]),
                *((after or {}).get(of_class, 0), upto, limit - len(found)),
            ),
        )
        found += [
            Row(seq, epoch, event, name, payload, sound=zlib.crc32(payload) == crc32)
            for seq, epoch, event, name, payload, crc32 in values
        ]
    return found


def newest(connection: sqlite3.Connection) -> int:
    """The highest seq given so far; later rows have a higher one."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return int(row[0]) if row else 0


def confirm(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Delete rows that have arrived."""
    connection.executemany("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq in seqs])


def bury(connection: sqlite3.Connection, seqs: Iterable[int], reason: str) -> None:
    """Make rows dead letters: refused for good, sent no more, listed with the reason."""
    connection.executemany(
        "UPDATE outbox SET state = ?, reason = ? WHERE seq = ?",
        [(DEAD, reason, seq) for seq in seqs],
    )


def revive(connection: sqlite3.Connection, sink: str) -> int:
    """Let all dead letters of `sink` be sent again, once their cause is mended."""
    cursor = connection.execute(
        "UPDATE outbox SET state = ?, reason = '' WHERE sink = ? AND state = ?",
        (PENDING, sink, DEAD),
    )
    return cursor.rowcount


def dead_letters(connection: sqlite3.Connection, limit: int = 100) -> list[DeadLetter]:
    """The newest dead letters of all sinks, newest first."""
    values = connection.execute(
        "SELECT seq, epoch, event, sink, class, reason, payload FROM outbox WHERE state = 'dead'"
        " ORDER BY seq DESC LIMIT ?",  # spelled out: only so is its partial index used
        (limit,),
    )
    return [DeadLetter(*value) for value in values]


def backlog(connection: sqlite3.Connection, sink: str) -> Backlog:
    """How much waits for `sink`, and since when; no scan, however much it is."""
    states = "SELECT state, total(events) FROM outbox_size WHERE sink = ? GROUP BY state"
    counts = {state: int(count) for state, count in connection.execute(states, (sink,))}
    oldest: tuple[int, float] | None = None
    for priority in PRIORITIES.values():
        first = connection.execute(
            "SELECT seq, wall_time FROM outbox WHERE sink = ? AND state = ? AND priority = ?"
            " ORDER BY seq LIMIT 1",
            (sink, PENDING, priority),
        ).fetchone()
        if first and (oldest is None or first < oldest):
            oldest = first
    return Backlog(counts.get(PENDING, 0), oldest[1] if oldest else None, counts.get(DEAD, 0))


def size(connection: sqlite3.Connection) -> int:
    """Bytes of all payloads in the outbox, dead letters included."""
    row = connection.execute("SELECT total(bytes) FROM outbox_size").fetchone()
    return int(row[0])
