"""One sink's way through the outbox: what is next, what is under way, what came of it.

Both senders use it, each in its own thread. It reads on a connection of its own and has
the store's thread do every change, so a slow network never waits on the disk for long and
the store never on the network.
"""

import sqlite3
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum

from common.ports import Clock
from common.store import Store
from common.store_queries import open_readonly
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox_rows import Backlog, Row

AGAIN_S = 1.0
"""Between attempts to have the store take what it refused."""


class Verdict(Enum):
    """What a sink's answer means for the rows it was given."""

    DELIVERED = "delivered"
    UNHEARD = "nobody subscribes"
    LATER = "try again later"
    NEVER = "refused for good"


@dataclass(frozen=True, slots=True)
class SinkState:
    """How a sink fares, in a form fit for a screen."""

    online: bool
    since: float
    """When that began: UTC, seconds since 1970."""
    reason: str
    """One line for a person; empty when all is well."""
    queued: int
    oldest_age_s: float | None
    """Of what waits; None when nothing does."""
    dead: int
    """Dead letters."""
    sent: int
    """Events that have arrived since the start of the station."""


def sink_state(
    clock: Clock, drain: "Drain", *, online: bool, since: float, reason: str
) -> SinkState:
    """The state with the drain's figures as last read."""
    waits = drain.backlog
    oldest = waits.oldest_wall_time
    age = None if oldest is None else max(0.0, clock.wall() - oldest)
    return SinkState(online, since, reason, waits.count, age, waits.dead, drain.sent)


@dataclass(slots=True)
class _Settled:
    """Rows whose fate is known, until the store has taken note."""

    seqs: list[int]
    dead_reason: str | None
    future: Future[None] | None = None


@dataclass(slots=True)
class Taken:
    """What `Drain.take` gives: rows to be sent, and their size in bytes."""

    rows: list[Row] = field(default_factory=list)
    size: int = 0


class Drain:
    """Used by one thread only, `backlog` and `sent` apart."""

    def __init__(self, store: Store, sink: str) -> None:
        self._store, self._sink = store, sink
        self._connection: sqlite3.Connection | None = None
        self._held: set[int] = set()
        self._alone: set[int] = set()
        self._settled: list[_Settled] = []
        self._again_at = 0.0
        self._mark = 0
        self._places: dict[bool, dict[str, int]] = {}
        self.backlog = Backlog(0, None, 0)
        self.sent = 0

    def restart(self, *, live_lane: bool) -> None:
        """Begin at the front again; what is written from now on is live, if asked for."""
        self._mark = rows.newest(self._reader()) if live_lane else 0
        self._rewind()

    def _rewind(self) -> None:
        self._places = {
            True: dict.fromkeys(rows.PRIORITIES, self._mark),
            False: dict.fromkeys(rows.PRIORITIES, 0),
        }

    def take(
        self, classes: Iterable[str], limit: int, limit_bytes: int, *, live: bool
    ) -> Taken:
        """Rows of these classes, held from now on: at most `limit`, and of `limit_bytes`.

        The first row is taken whatever its size; one put back `alone` comes by itself.
        """
        place, taken = self._places[live], Taken()
        upto = rows.LAST if live else self._mark
        found = rows.pending(
            self._reader(), self._sink, limit, after=place, upto=upto, classes=classes
        )
        for row in found:
            if row.seq not in self._held:
                fits = taken.size + len(row.payload) <= limit_bytes
                if taken.rows and (not fits or row.seq in self._alone):
                    break
                self._hold(row, taken)
            place[row.of_class] = row.seq
            if row.seq in self._alone:
                break
        return taken

    def _hold(self, row: Row, taken: Taken) -> None:
        self._held.add(row.seq)
        if row.sound:
            taken.rows.append(row)
            taken.size += len(row.payload)
        else:
            self.refused([row], "damaged in the store: its checksum is wrong")

    def put_back(self, returned: Iterable[Row], *, alone: bool = False) -> None:
        """These are to be sent again later; `alone` each by itself, to find the bad one."""
        for row in returned:
            self._held.discard(row.seq)
            place = self._places[row.seq > self._mark]
            place[row.of_class] = min(place[row.of_class], row.seq - 1)
            if alone:
                self._alone.add(row.seq)

    def arrived(self, done: Iterable[Row]) -> None:
        """These have arrived for good and may be deleted."""
        seqs = [row.seq for row in done]
        self.sent += len(seqs)
        self._settled.append(_Settled(seqs, None))

    def refused(self, dead: Iterable[Row], reason: str) -> None:
        """These are refused for good and become dead letters."""
        self._settled.append(_Settled([row.seq for row in dead], reason))

    def settle(self, now: float) -> None:
        """Have the store take note of what is settled; `now` in monotonic seconds.

        A row stays held until then, so that a store that refuses for a while leads to no
        second sending.
        """
        for settled in self._settled:
            if settled.future and settled.future.done():
                if settled.future.exception() is None:
                    self._held.difference_update(settled.seqs)
                    self._alone.difference_update(settled.seqs)
                    settled.seqs = []
                else:
                    settled.future, self._again_at = None, now + AGAIN_S
        self._settled = [settled for settled in self._settled if settled.seqs]
        if now >= self._again_at:
            for settled in self._settled:
                settled.future = settled.future or self._submit(settled)

    def _submit(self, settled: _Settled) -> Future[None]:
        seqs, reason = list(settled.seqs), settled.dead_reason
        if reason is None:
            return self._store.submit(lambda connection: rows.confirm(connection, seqs))
        return self._store.submit(lambda connection: rows.bury(connection, seqs, reason))

    def look(self) -> Backlog:
        """Read anew how much waits."""
        before, self.backlog = self.backlog, rows.backlog(self._reader(), self._sink)
        if self.backlog.dead < before.dead:
            self._rewind()  # dead letters were revived, behind the place we are at
        return self.backlog

    @property
    def suspicious(self) -> bool:
        """Whether rows are sent one by one to find a bad one."""
        return bool(self._alone)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._held

    def _reader(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_readonly(self._store.path)
        return self._connection

    def close(self) -> None:
        """Close the reading connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
