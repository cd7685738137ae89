"""Reading on in the outbox: the next rows of some classes, as many as one message takes."""

import sqlite3
from collections.abc import Container
from dataclasses import dataclass, field

from common.telemetry import outbox_rows as rows
from common.telemetry.outbox_rows import Row


@dataclass(slots=True)
class Taken:
    """Rows to be sent together, and their size in bytes."""

    rows: list[Row] = field(default_factory=list)
    size: int = 0
    all: bool = False
    """Whether there are no more of these at the moment."""
    damaged: list[Row] = field(default_factory=list)
    """Rows met on the way whose checksum is wrong."""
    vanished: list[int] = field(default_factory=list)
    """Seqs of rows to be sent again that are no longer in the outbox."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Which rows, from where on, and how many."""

    sink: str
    classes: tuple[str, ...]
    places: dict[str, int]
    """Class → the seq read last; moved on by reading."""
    upto: int
    among: Container[int]
    """Seqs held already: to be passed over, or with `again` the only ones wanted."""
    alone: Container[int]
    """Seqs that are sent each by itself."""
    limit: int
    """Rows in one message."""
    limit_bytes: int
    """Bytes in one message; its first row is taken whatever its size."""
    again: bool = False

    def read(self, connection: sqlite3.Connection) -> Taken:
        """The next rows wanted, passing over others; none only when there are no more."""
        taken = Taken()
        while not taken.rows and not taken.all:
            page = rows.pending(
                connection,
                self.sink,
                self.limit,
                after=self.places,
                upto=self.upto,
                classes=self.classes,
            )
            taken.all = self._through(page, taken) and len(page) < self.limit
        return taken

    def _through(self, page: list[Row], taken: Taken) -> bool:
        """Whether all of `page` was gone through: not when a row must wait for the next."""
        places, among, again = self.places, self.among, self.again
        for row in page:
            if (row.seq in among) is again:
                if not row.sound:
                    taken.damaged.append(row)
                elif taken.rows and not self._joins(row, taken):
                    return False
                else:
                    taken.rows.append(row)
                    taken.size += len(row.payload)
            places[row.of_class] = row.seq
        return True

    def _joins(self, row: Row, taken: Taken) -> bool:
        if self.alone and (row.seq in self.alone or taken.rows[-1].seq in self.alone):
            return False
        return taken.size + len(row.payload) <= self.limit_bytes
