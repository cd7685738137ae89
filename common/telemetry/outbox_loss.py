"""What the outbox could not hold: chosen, counted, and told to whom it was for.

Loss is data: a receiver that sees a gap in the sequence can account for it.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from common.records import count_drop
from common.telemetry.outbox_rows import NEVER_DROPPED, PENDING, PRIORITIES


@dataclass(frozen=True, slots=True)
class Stub:
    """A row without its payload."""

    seq: int
    event: int
    sink: str
    of_class: str
    size: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Dropped rows of which the sink has not been told."""

    sink: str
    of_class: str
    reason: str
    count: int
    size: int
    first: int
    last: int
    """The events dropped lie between `first` and `last`; other classes may, too."""


def lowest(connection: sqlite3.Connection, limit: int) -> list[Stub]:
    """The oldest rows of the lowest class there is; audit is not among them."""
    values = connection.execute(
        "SELECT seq, event, sink, class, bytes FROM outbox WHERE priority = (SELECT"
        " max(priority) FROM outbox_size WHERE events > 0 AND priority <> ?)"
        " ORDER BY seq LIMIT ?",
        (PRIORITIES[NEVER_DROPPED], limit),
    )
    return [Stub(*value) for value in values]


def older(
    connection: sqlite3.Connection,
    of_class: str,
    *,
    machine_boot: str,
    monotonic: float,
    wall_time: float,
    limit: int,
) -> list[Stub]:
    """Rows of a class among its oldest `limit` from before the given time.

    Those of this machine boot are judged by monotonic time: a clock set wrong must not
    empty the outbox.
    """
    values = connection.execute(
        "SELECT seq, event, sink, class, bytes FROM (SELECT * FROM outbox"
        " WHERE priority = ? ORDER BY seq LIMIT ?)"
        " WHERE CASE WHEN boot_id LIKE ? THEN monotonic < ? ELSE wall_time < ? END",
        (PRIORITIES[of_class], limit, machine_boot + "-%", monotonic, wall_time),
    )
    return [Stub(*value) for value in values]


def note_lost(
    connection: sqlite3.Connection, dropped: Sequence[Stub], reason: str, wall_time: float
) -> None:
    """Count rows of one sink and class as dropped, and as something to tell the sink."""
    sink, of_class = dropped[0].sink, dropped[0].of_class
    freed, events = sum(row.size for row in dropped), [row.event for row in dropped]
    count_drop(
        connection, f"outbox:{sink}", of_class, reason, wall_time, count=len(events), size=freed
    )
    connection.execute(
        "INSERT INTO lost(sink, class, reason, count, bytes, first, last)"
        " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " first = CASE count WHEN 0 THEN excluded.first ELSE min(first, excluded.first) END,"
        " last = CASE count WHEN 0 THEN excluded.last ELSE max(last, excluded.last) END,"
        " count = count + excluded.count, bytes = bytes + excluded.bytes",
        (sink, of_class, reason, len(events), freed, min(events), max(events)),
    )


def untold(connection: sqlite3.Connection) -> list[Loss]:
    """Losses to tell now: where an earlier telling still waits, they add up first."""
    values = connection.execute(
        "SELECT sink, class, reason, count, bytes, first, last FROM lost WHERE count > 0"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE seq = told AND state = ?)",
        (PENDING,),
    )
    return [Loss(*value) for value in values.fetchall()]


def note_told(connection: sqlite3.Connection, loss: Loss, seq: int) -> None:
    """`loss` is in the outbox as row `seq`: begin to count anew."""
    connection.execute(
        "UPDATE lost SET count = 0, bytes = 0, told = ?"
        " WHERE sink = ? AND class = ? AND reason = ?",
        (seq, loss.sink, loss.of_class, loss.reason),
    )
