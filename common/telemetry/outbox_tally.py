"""What the transaction under way adds to the outbox: written together, just before the commit.

Every event changes the same few figures: the newest numbers and the size of its class.
Gathered here they cost the file one page in a commit, not several with every event; and a
hundred events in one statement cost half of a hundred statements.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

from common.storage.commit import shared
from common.storage.epoch import EVENTS, number

SEQ = "outbox_seq"
"""Key of the highest seq given so far."""
SIZES = "SELECT key, value FROM meta WHERE key > 'outbox ' AND key < 'outbox!'"
COUNT = (
    "SELECT sink, state, priority, count(*), sum(bytes) FROM outbox"
    " GROUP BY sink, state, priority"
)
ONE = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERTS = {
    count: "INSERT INTO outbox VALUES" + ",".join([ONE] * count) for count in (100, 10, 1)
}
"""By how many rows they take at once; the largest first."""


Place = tuple[str, str, int]
"""Sink, state and priority: what is counted together."""


@dataclass(slots=True)
class Size:
    """How much there is of it."""

    events: int = 0
    bytes: int = 0


RowValues = tuple[int, str, int, str, str, int, float, float, str, int, int, str, str, bytes]
"""A NewRow without the names: who makes many is twice as fast without."""


class NewRow(NamedTuple):
    """One event for one sink, in the order of the table."""

    seq: int
    epoch: str
    event: int
    """The event's sequence within its epoch."""
    sink: str
    of_class: str
    priority: int
    wall_time: float
    monotonic: float
    boot_id: str
    crc32: int
    size: int
    state: str
    reason: str
    payload: bytes
    """The event's JSON."""


_place: Callable[[RowValues], Place] = itemgetter(
    *map(NewRow._fields.index, ("sink", "state", "priority"))
)
_size: Callable[[RowValues], int] = itemgetter(NewRow._fields.index("size"))


class Tally:
    """Rows and counts on top of what is in the file; they go there by `write`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.sequence = number(connection, EVENTS)
        """Of the newest event."""
        self.seq = number(connection, SEQ)
        """Of the newest row."""
        self.sizes = sizes(connection)
        self.bytes = sum(size.bytes for size in self.sizes.values())
        """Of all payloads."""
        self.at_once = False
        """Whether no group commit will write it."""
        self.opened = False
        """Whether this transaction has looked for an epoch to tell of."""
        self._rows: list[RowValues] = []
        self._changed: set[Place] = set()
        self._written = (self.sequence, self.seq)

    def add(self, rows: Sequence[RowValues]) -> None:
        """Put rows into the outbox."""
        self._rows += rows
        for place, alike in groupby(rows, _place):
            sizes = list(map(_size, alike))
            self.count(place, len(sizes), sum(sizes))

    def count(self, place: Place, events: int, size: int) -> None:
        """So many events, of `size` bytes together, have come to a place, or gone from it."""
        counted = self.sizes.get(place)
        if counted is None:
            counted = self.sizes[place] = Size()
        counted.events += events
        counted.bytes += size
        self.bytes += size
        self._changed.add(place)

    def settle(self, connection: sqlite3.Connection) -> None:
        """Have all of it written in time."""
        if self.at_once:
            self.write(connection)

    def write(self, connection: sqlite3.Connection) -> None:
        """Bring all of it into the file."""
        self._write_rows(connection)
        figures = [_figures(place, self.sizes[place]) for place in self._changed]
        if self._written != (self.sequence, self.seq):
            figures += [(EVENTS, str(self.sequence)), (SEQ, str(self.seq))]
        connection.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", figures)
        self._changed.clear()
        self._written = (self.sequence, self.seq)

    def _write_rows(self, connection: sqlite3.Connection) -> None:
        rows, start = self._rows, 0
        for count, insert in INSERTS.items():
            while len(rows) - start >= count:
                values = list(chain.from_iterable(rows[start : start + count]))
                connection.execute(insert, values)
                start += count
        rows.clear()


def sizes(connection: sqlite3.Connection) -> dict[Place, Size]:
    """How much there is of what, by the count that is kept; else by counting the rows."""
    try:
        return kept_sizes(connection)
    except ValueError:  # garbled, in a file that is else sound
        found = connection.execute(COUNT)
        return {(row[0], row[1], row[2]): Size(row[3], row[4]) for row in found}


def kept_sizes(connection: sqlite3.Connection) -> dict[Place, Size]:
    """How much there is of what, by the count that is kept; ValueError where it is garbled."""
    return dict(_counted(*row) for row in connection.execute(SIZES))


def _figures(place: Place, size: Size) -> tuple[str, str]:
    """As they stand in the meta table."""
    sink, state, priority = place
    return f"outbox {sink} {state} {priority}", f"{size.events} {size.bytes}"


def _counted(key: str, value: str) -> tuple[Place, Size]:
    _, sink, state, priority = key.split()
    events, in_bytes = value.split()
    return (sink, state, int(priority)), Size(int(events), int(in_bytes))


def tally_of(connection: sqlite3.Connection) -> Tally:
    """The tally of the group commit under way, else one to be written at once."""
    tally = shared(connection, Tally)
    if tally is None:
        tally = Tally(connection)
        tally.at_once = True
    return tally
