"""The outbox as a table: put in, look up what is next, settle what became of it.

All functions run on a connection that the caller owns; those that change something, in
`Store.submit`.
"""

import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from common.storage.epoch import number
from common.telemetry.outbox_tally import SEQ, sizes, tally_of

PRIORITIES = {"alarm": 0, "audit": 1, "verdict": 2, "metric": 3, "sample": 4}
"""Class → order of sending; what goes last is dropped first."""
NEVER_DROPPED = "audit"
MQTT, WEBHOOK = "mqtt", "webhook"
EMAIL, PAGER = "email", "pager"
"""Letters to people, and the webhook that calls them."""
HL7, FHIR, SIEM = "hl7", "fhir", "siem"
"""A hospital's: its alarm manager, its record, its security desk."""
SINKS = frozenset((MQTT, WEBHOOK, EMAIL, PAGER, HL7, FHIR, SIEM))
PENDING, DEAD = "pending", "dead"
LAST = (1 << 63) - 1


class Row(NamedTuple):
    """One event waiting for one sink; a tuple because one is made for every event."""

    seq: int
    epoch: str
    event: int
    of_class: str
    payload: bytes
    sound: bool
    """Whether the payload has the checksum it was stored with, and the row's own number."""


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
            # One rotten bit makes a text of a blob, that sqlite3 could not read.
            "SELECT seq, epoch, event, class, CAST(payload AS BLOB), crc32 FROM outbox"
            " WHERE sink = ? AND state = ? AND priority = ? AND seq > ? AND seq <= ?"
            " ORDER BY seq LIMIT ?",
            (
                *(sink, PENDING, PRIORITIES[of_class]),
                *((after or {}).get(of_class, 0), upto, limit - len(found)),
            ),
        )
        found += [
            Row(seq, epoch, event, name, payload, _sound(epoch, event, payload, crc32))
            for seq, epoch, event, name, payload, crc32 in values
        ]
    return found


def _sound(epoch: str, event: int, payload: bytes, crc32: int) -> bool:
    return zlib.crc32(payload) == crc32 and f'"id":"{epoch}-{event}"'.encode() in payload


def newest(connection: sqlite3.Connection) -> int:
    """The highest seq given so far; later rows have a higher one."""
    return number(connection, SEQ)


def confirm(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Delete rows that have arrived: in one statement, five times as fast as one by one."""
    gone = connection.execute(
        "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))"
        " RETURNING sink, state, priority, bytes",
        (json.dumps(list(seqs)),),
    )
    tally = tally_of(connection)
    for sink, state, priority, freed in gone:
        tally.count((sink, state, priority), -1, -freed)
    tally.settle(connection)


def bury(connection: sqlite3.Connection, seqs: Iterable[int], reason: str) -> None:
    """Make rows dead letters: refused for good, sent no more, listed with the reason."""
    moved = connection.execute(
        "UPDATE outbox SET state = ?, reason = ? WHERE seq IN (SELECT value FROM json_each(?))"
        " AND state = ? RETURNING sink, priority, bytes",
        (DEAD, reason, json.dumps(list(seqs)), PENDING),
    )
    _move(connection, moved, PENDING, DEAD)


def revive(connection: sqlite3.Connection, sink: str) -> int:
    """Let all dead letters of `sink` be sent again, once their cause is mended."""
    moved = connection.execute(
        "UPDATE outbox SET state = ?, reason = '' WHERE sink = ? AND state = ?"
        " RETURNING sink, priority, bytes",
        (PENDING, sink, DEAD),
    )
    return _move(connection, moved, DEAD, PENDING)


def _move(
    connection: sqlite3.Connection,
    moved: Iterable[tuple[str, int, int]],
    was: str,
    now: str,
) -> int:
    """Count rows over from one state to another; gives how many."""
    tally, places = tally_of(connection), list(moved)
    for sink, priority, of_bytes in places:
        tally.count((sink, was, priority), -1, -of_bytes)
        tally.count((sink, now, priority), 1, of_bytes)
    tally.settle(connection)
    return len(places)


def dead_letters(connection: sqlite3.Connection, limit: int = 100) -> list[DeadLetter]:
    """The newest dead letters of all sinks, newest first."""
    values = connection.execute(
        "SELECT seq, epoch, event, sink, class, reason, CAST(payload AS BLOB) FROM outbox"
        # "dead" is spelled out: only so is its partial index used.
        " WHERE state = 'dead' ORDER BY seq DESC LIMIT ?",
        (limit,),
    )
    return [DeadLetter(*value) for value in values]


def backlog(connection: sqlite3.Connection, sink: str) -> Backlog:
    """How much waits for `sink`, and since when; no scan, however much it is."""
    counts = Counter[str]()
    for (of_sink, state, _), size in sizes(connection).items():
        counts[state] += size.events if of_sink == sink else 0
    oldest: tuple[int, float] | None = None
    for priority in PRIORITIES.values():
        first = connection.execute(
            "SELECT seq, wall_time FROM outbox WHERE sink = ? AND state = ? AND priority = ?"
            " ORDER BY seq LIMIT 1",
            (sink, PENDING, priority),
        ).fetchone()
        if first and (oldest is None or first < oldest):
            oldest = first
    return Backlog(counts[PENDING], oldest[1] if oldest else None, counts[DEAD])


def size(connection: sqlite3.Connection) -> int:
    """Bytes of all payloads in the outbox, dead letters included."""
    return tally_of(connection).bytes
