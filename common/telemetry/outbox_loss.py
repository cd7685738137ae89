"""What the outbox could not hold or never got: chosen, counted, and told to whom it was for.

Loss is data: a receiver that sees a gap in the sequence can account for it. Two things are
told apart. A dropped event had its number and was deleted before it was sent. What was
refused never became an event: no number of the sequence is missing for it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar

from common.records import count_drop
from common.telemetry.outbox_rows import MQTT, NEVER_DROPPED, PENDING, PRIORITIES
from common.telemetry.outbox_tally import tally_of

DROPPED = "lineside.telemetry.dropped.v1"
REFUSED = "lineside.telemetry.refused.v1"


@dataclass(frozen=True, slots=True)
class Stub:
    """A row without its payload."""

    seq: int
    epoch: str
    event: int
    sink: str
    of_class: str
    size: int
    boot_id: str
    monotonic: float
    wall_time: float


@dataclass(frozen=True)
class Loss:
    """Dropped rows of which the sink has not been told."""

    TYPE: ClassVar[str] = DROPPED

    sink: str
    epoch: str
    of_class: str
    reason: str
    """"age" or "space"."""
    count: int
    size: int
    first: int
    last: int
    """The events dropped lie between `first` and `last`; other classes may, too."""

    def told(self) -> dict[str, Any]:
        """What the sink is told."""
        return {
            "sink": self.sink,
            "class": self.of_class,
            "reason": self.reason,
            "count": self.count,
            "bytes": self.size,
            "epoch": self.epoch,
            "from": self.first,
            "to": self.last,
        }

    def note_told(self, connection: sqlite3.Connection, seq: int) -> None:
        """It is in the outbox as row `seq`: begin to count anew."""
        connection.execute(
            "UPDATE lost SET count = 0, bytes = 0, told = ?"
            " WHERE sink = ? AND epoch = ? AND class = ? AND reason = ?",
            (seq, self.sink, self.epoch, self.of_class, self.reason),
        )


@dataclass(frozen=True)
class Refusal:
    """Operations with events in them that the store did not take, not told yet."""

    TYPE: ClassVar[str] = REFUSED

    of_class: str
    reason: str
    """"queue", "disk" or "invalid"."""
    count: int
    sink: str = MQTT

    def told(self) -> dict[str, Any]:
        """What the sink is told."""
        return {"class": self.of_class, "reason": self.reason, "count": self.count}

    def note_told(self, connection: sqlite3.Connection, seq: int) -> None:
        """It is in the outbox as row `seq`."""
        connection.execute(
            "UPDATE refused SET told_count = told_count + ?, told = ?"
            " WHERE class = ? AND reason = ?",
            (self.count, seq, self.of_class, self.reason),
        )


def lowest(connection: sqlite3.Connection, limit: int) -> list[Stub]:
    """The oldest rows of the lowest class there is; audit is not among them."""
    tally = tally_of(connection)
    tally.write(connection)  # what is lowest may have come just now
    there = {priority for (_, _, priority), size in tally.sizes.items() if size.events}
    there.discard(PRIORITIES[NEVER_DROPPED])
    return _oldest(connection, max(there), limit) if there else []


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
    return [
        row
        for row in _oldest(connection, PRIORITIES[of_class], limit)
        if (
            row.monotonic < monotonic
            if row.boot_id.startswith(machine_boot + "-")
            else row.wall_time < wall_time
        )
    ]


def _oldest(connection: sqlite3.Connection, priority: int, limit: int) -> list[Stub]:
    """The oldest rows of a priority, whatever their sink and state."""
    found = [
        Stub(*values)
        for sink, state, of_priority in tally_of(connection).sizes
        if of_priority == priority
        for values in connection.execute(
            "SELECT seq, epoch, event, sink, class, bytes, boot_id, monotonic, wall_time"
            " FROM outbox WHERE sink = ? AND state = ? AND priority = ? ORDER BY seq LIMIT ?",
            (sink, state, priority, limit),
        )
    ]
    return sorted(found, key=attrgetter("seq"))[:limit]


def note_lost(
    connection: sqlite3.Connection, dropped: Iterable[Stub], reason: str, wall_time: float
) -> None:
    """Count rows as dropped, and as something to tell their sinks."""
    kind = attrgetter("sink", "epoch", "of_class")
    for _, group in groupby(sorted(dropped, key=kind), kind):
        _note(connection, list(group), reason, wall_time)


def _note(
    connection: sqlite3.Connection, dropped: Sequence[Stub], reason: str, wall_time: float
) -> None:
    """Count rows of one sink, epoch and class."""
    one, events = dropped[0], [row.event for row in dropped]
    count, freed = len(dropped), sum(row.size for row in dropped)
    what = f"outbox:{one.sink}"
    count_drop(connection, what, one.of_class, reason, wall_time, count=count, size=freed)
    connection.execute(
        "INSERT INTO lost(sink, epoch, class, reason, count, bytes, first, last)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " first = CASE count WHEN 0 THEN excluded.first ELSE min(first, excluded.first) END,"
        " last = CASE count WHEN 0 THEN excluded.last ELSE max(last, excluded.last) END,"
        " count = count + excluded.count, bytes = bytes + excluded.bytes",
        (one.sink, one.epoch, one.of_class, reason, count, freed, min(events), max(events)),
    )


def untold(connection: sqlite3.Connection) -> list[Loss | Refusal]:
    """Losses to tell now, oldest first: where an earlier telling waits, they add up."""
    lost = connection.execute(
        "SELECT sink, epoch, class, reason, count, bytes, first, last FROM lost WHERE count > 0"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE seq = told AND state = ?) ORDER BY first",
        (PENDING,),
    ).fetchall()
    refused = connection.execute(
        "SELECT class, reason, count - told_count FROM refused WHERE count > told_count"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE seq = told AND state = ?)",
        (PENDING,),
    ).fetchall()
    return [*(Loss(*values) for values in lost), *(Refusal(*values) for values in refused)]
