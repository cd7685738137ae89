"""One sink's way through the outbox: what is next, what is under way, what came of it.

Both senders use it, each in its own thread. It reads on a connection of its own and has
the store's thread do every change, so a slow network never waits on the disk for long and
the store never on the network.
"""

import sqlite3
from collections.abc import Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

from common.ports import Clock
from common.storage.queries import open_readonly
from common.store import Store
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox_rows import Backlog, Row
from common.telemetry.scan import Scan, Taken

MANY = 1000
"""Rows to be deleted that are worth a commit of their own: a fast drain must not wait."""
RETRY_S = 1.0
"""Between attempts to have the store take what it refused."""
CHUNK = 1000
"""Rows settled in one operation: many are quicker, too many hold up the writer."""


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
    unreceipted: int = 0
    """Of those queued: sent, and not confirmed by a collector yet."""
    refused: int = 0
    """Receipts and commands from afar that were not taken since the start."""


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


class Drain:
    """Used by one thread only, `backlog` and `sent` apart."""

    def __init__(self, store: Store, sink: str) -> None:
        self._store, self._sink = store, sink
        self._connection: sqlite3.Connection | None = None
        self._held: dict[int, str] = {}  # seq → class
        self._again: dict[str, set[int]] = {of_class: set() for of_class in rows.PRIORITIES}
        self._alone: dict[int, str] = {}  # seq → class
        self._landed: list[int] = []
        self._settled: list[_Settled] = []
        self._retry_at = 0.0
        self._marks = dict.fromkeys(rows.PRIORITIES, 0)
        self._places: dict[bool, dict[str, int]] = {}
        self.backlog = Backlog(0, None, 0)
        self.sent = 0
        self.trouble = ""
        """Why the store takes no note; empty when it does."""

    def restart(
        self, *, live_lane: bool, classes: Iterable[str] = tuple(rows.PRIORITIES)
    ) -> None:
        """Begin at the front again; what is written from now on is live, if asked for."""
        mark = rows.newest(self._reader()) if live_lane else 0
        self._marks |= dict.fromkeys(classes, mark)
        self._rewind()

    def _rewind(self) -> None:
        self._places = {True: dict(self._marks), False: dict.fromkeys(rows.PRIORITIES, 0)}

    def take(
        self, classes: Iterable[str], limit: int, limit_bytes: int, *, live: bool
    ) -> Taken:
        """Rows of these classes, held from now on: at most `limit`, and of `limit_bytes`.

        The classes have restarted together. The first row is taken whatever its size; one
        put back `alone` comes by itself.
        """
        classes = tuple(classes)
        scan = Scan(
            self._sink,
            classes,
            self._places[live],
            rows.LAST if live else self._marks[classes[0]],
            self._held,
            self._alone,
            limit,
            limit_bytes,
        )
        taken = self._hold(scan.read(self._reader()))
        if taken.all:
            self._forget_dropped(classes, live=live)
        return taken

    def _forget_dropped(self, classes: tuple[str, ...], *, live: bool) -> None:
        """All of a lane was read: what was to come by itself and did not was dropped."""
        self._not_alone(
            [
                seq
                for seq, of_class in self._alone.items()
                if of_class in classes
                and (seq > self._marks[of_class]) is live
                and seq not in self._held
            ]
        )

    def again(self, seqs: Iterable[int]) -> None:
        """These rows, which stay held, are to be given by `take_again`."""
        for seq in seqs:
            if seq in self._held:
                self._again[self._held[seq]].add(seq)

    def take_again(self, classes: Iterable[str], limit: int, limit_bytes: int) -> Taken:
        """The next rows to be sent again, of the first class that has some."""
        seqs, of_class = next(
            ((self._again[name], name) for name in classes if self._again[name]), (None, "")
        )
        if not seqs:
            return Taken(all=True)
        scan = Scan(
            self._sink,
            (of_class,),
            {of_class: min(seqs) - 1},
            max(seqs),
            seqs,
            self._alone,
            limit,
            limit_bytes,
            again=True,
        )
        taken = self._hold(scan.read(self._reader()))
        seqs.difference_update(row.seq for row in (*taken.rows, *taken.damaged))
        if taken.all and seqs:
            taken.vanished = list(seqs)
            self._release(taken.vanished)
            self._not_alone(taken.vanished)
        return taken

    def _hold(self, taken: Taken) -> Taken:
        for row in (*taken.rows, *taken.damaged):
            self._held[row.seq] = row.of_class
        if taken.damaged:
            self.refused(taken.damaged, "damaged in the store: its checksum is wrong")
        return taken

    def _not_alone(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            self._alone.pop(seq, None)

    def _release(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            of_class = self._held.pop(seq, None)
            if of_class is not None and (again := self._again[of_class]):
                again.discard(seq)

    def put_back(self, returned: Iterable[Row], *, alone: bool = False) -> None:
        """These are to be sent again later; `alone` each by itself, to find the bad one."""
        for row in returned:
            self._release([row.seq])
            place = self._places[row.seq > self._marks[row.of_class]]
            place[row.of_class] = min(place[row.of_class], row.seq - 1)
            if alone:
                self._alone[row.seq] = row.of_class

    def arrived(self, done: Iterable[Row]) -> None:
        """These have arrived for good and may be deleted."""
        self.confirmed([row.seq for row in done])

    def confirmed(self, seqs: Collection[int]) -> None:
        """The rows with these seqs have arrived for good and may be deleted."""
        self.sent += len(seqs)
        self._landed.extend(seqs)
        for again in self._again.values():
            if again:
                again.difference_update(seqs)

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
                if (error := settled.future.exception()) is None:
                    self._release(settled.seqs)
                    self._not_alone(settled.seqs)
                    settled.seqs, self.trouble = [], ""
                else:
                    self.trouble = f"what was sent cannot be deleted: {error}"
                    settled.future, self._retry_at = None, now + RETRY_S
        self._settled = [settled for settled in self._settled if settled.seqs]
        for start in range(0, len(self._landed), CHUNK):
            self._settled.append(_Settled(self._landed[start : start + CHUNK], None))
        self._landed.clear()
        if now >= self._retry_at:
            for settled in self._settled:
                settled.future = settled.future or self._submit(settled)
        if sum(len(settled.seqs) for settled in self._settled) >= MANY:
            self._store.hurry()

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
    def held(self) -> int:
        """How many rows are under way, or delivered and not yet deleted."""
        return len(self._held)

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
