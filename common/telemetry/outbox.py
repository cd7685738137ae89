"""What waits to leave the station, in the same file and transaction as what it tells of.

All functions run on the connection that the store owns:

    def both(connection):
        records.add(connection, record)
        outbox.append(connection, Message("verdict", TYPE, record.subject, body, when))

    store.submit(both)

One message goes to every sink it names: one row each, all with the same event id. Every
event goes to "mqtt" where that is in use, so the sequence there has no holes of our making.
The first event of an epoch says that it begins, and what it replaces.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from common.config import setting
from common.ports import Clock
from common.storage.epoch import UNTOLD
from common.storage.failures import StoreError
from common.storage.space import missing_room
from common.telemetry import outbox_loss as losses
from common.telemetry import outbox_rows as rows
from common.telemetry.event import Envelope, Recorded
from common.telemetry.message import BadMessage, Message
from common.telemetry.outbox_loss import DROPPED, REFUSED
from common.telemetry.outbox_rows import MQTT, NEVER_DROPPED, PENDING, PRIORITIES, WEBHOOK
from common.telemetry.outbox_tally import RowValues, Tally, tally_of

__all__ = [
    "DROPPED",
    "EPOCH",
    "MQTT",
    "REFUSED",
    "WEBHOOK",
    "BadMessage",
    "Message",
    "Outbox",
    "OutboxFull",
    "OutboxSettings",
]

EPOCH = "lineside.telemetry.epoch.v1"
CHUNK = 500
"""Rows dropped at once: the writer is never held up for long."""
ROOM_SHARE = 0.05
"""Of the file's limit: with less room in it, what is lowest goes; records go before."""


class OutboxFull(StoreError):
    """Only audit rows are left and they fill the quota: the act itself is refused."""


@dataclass(frozen=True)
class OutboxSettings:
    """The share of the station's file that waiting events may take; below `max_bytes`."""

    max_bytes: int = setting(256 << 20, low=1 << 16, unit="bytes")
    max_event_bytes: int = setting(256 << 10, low=1 << 10, unit="bytes")
    """Of one event with its envelope; brokers take no message of any size."""
    metric_days: float = setting(7.0, low=0.01, unit="days")
    sample_days: float = setting(1.0, low=0.01, unit="days")


class Outbox:
    """Writes events for one station; `source` is its CloudEvents source.

    `sinks` are those in use: where "mqtt" is one, it gets a number for every event.
    """

    def __init__(
        self,
        *,
        source: str,
        epoch: str,
        boot_id: str,
        clock: Clock,
        settings: OutboxSettings | None = None,
        clock_quality: Callable[[], str] = lambda: "unknown",
        sinks: Sequence[str] = (MQTT,),
    ) -> None:
        self._epoch, self._boot_id = epoch, boot_id
        self._envelope = Envelope(epoch, source, boot_id)
        self._clock, self._clock_quality = clock, clock_quality
        self._settings = settings or OutboxSettings()
        self._everywhere = (MQTT,) if MQTT in sinks else ()

    def begin(self, connection: sqlite3.Connection) -> None:
        """Tell of the epoch where it has not been told: any first event does so, too."""
        tally = tally_of(connection)
        self._begin(connection, tally)
        tally.settle(connection)

    def append(self, connection: sqlite3.Connection, message: Message) -> str:
        """Queue `message` for its sinks and give the event's id.

        Over the quota, lowest class and oldest first is dropped; raises OutboxFull when
        nothing but audit is left to drop, BadMessage for what cannot be an event.
        """
        return f"{self._epoch}-{self.append_many(connection, (message,))[0]}"

    def append_many(self, connection: sqlite3.Connection, messages: Iterable[Message]) -> range:
        """Queue all of them as recorded at this moment, or, where one cannot be, none.

        Gives their sequences in the epoch. Raises what `append` does.
        """
        tally = tally_of(connection)
        if not tally.opened:
            self._begin(connection, tally)
        first = tally.sequence + 1
        self._insert(tally, messages)
        tally.settle(connection)
        if tally.bytes > self._settings.max_bytes:
            self._keep_to_quota(connection)
        return range(first, tally.sequence + 1)

    def _begin(self, connection: sqlite3.Connection, tally: Tally) -> None:
        if tally.opened:
            return
        tally.opened = True
        untold = connection.execute(
            "SELECT value FROM meta WHERE key = ?"
            " AND (SELECT value FROM meta WHERE key = 'epoch') = ?",
            (UNTOLD, self._epoch),
        ).fetchone()
        if untold is None:
            return
        connection.execute("DELETE FROM meta WHERE key = ?", (UNTOLD,))
        data = {"first": tally.sequence + 1, "replaces": json.loads(untold[0])}
        message = Message(NEVER_DROPPED, EPOCH, "outbox", data, self._clock.wall())
        self._insert(tally, (message,))

    def _insert(self, tally: Tally, messages: Iterable[Message]) -> None:
        epoch, boot_id = self._epoch, self._boot_id
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        envelope = self._envelope.recorded(wall, self._clock_quality())
        new: list[RowValues] = []
        for message in messages:
            event, of_class = tally.sequence + 1, message.of_class
            payload = self._payload(envelope, event, message)
            crc32, size, priority = zlib.crc32(payload), len(payload), PRIORITIES[of_class]
            for sink in message.sinks:
                tally.seq += 1
                new.append((
                    tally.seq, epoch, event, sink, of_class, priority, wall,
                    monotonic, boot_id, crc32, size, PENDING, "", payload,
                ))  # fmt: skip
            tally.sequence = event
        tally.add(new)

    def _payload(self, envelope: Recorded, sequence: int, message: Message) -> bytes:
        if message.wrong:
            raise message.bad(message.wrong)
        try:
            payload = envelope.encode(sequence, message)
        except UnicodeError as error:
            raise message.bad(str(error)) from error
        if len(payload) > (most := self._settings.max_event_bytes):
            raise message.bad(f"{len(payload)} bytes, {most} allowed")
        return payload

    def _keep_to_quota(self, connection: sqlite3.Connection) -> None:
        limit = self._settings.max_bytes
        # A little more than needed, so that the next hundred events need not do it again.
        self._free(connection, tally_of(connection).bytes - limit + limit // 50)
        if tally_of(connection).bytes > limit:
            raise OutboxFull(f"outbox: {limit} bytes of audit wait already; get them sent")

    def _free(self, connection: sqlite3.Connection, excess: int) -> None:
        while excess > 0 and (freed := self._drop_lowest(connection, excess)):
            excess -= freed

    def _drop_lowest(self, connection: sqlite3.Connection, excess: int) -> int:
        doomed, freed = [], 0
        for row in losses.lowest(connection, CHUNK):
            if freed >= excess:
                break
            doomed.append(row)
            freed += row.size
        self._drop(connection, doomed, "space")
        return freed

    def keep_up(self, connection: sqlite3.Connection) -> bool:
        """Drop what is past its days or has no room, tell of drops; True when more is due.

        To be given to `Store.add_upkeep`.
        """
        self.begin(connection)
        most = max(self._drop_old(connection, of_class) for of_class in self._days())
        missing = missing_room(connection, ROOM_SHARE)
        if missing > 0:
            self._drop_lowest(connection, int(missing))
        self._tell(connection)
        return most >= CHUNK

    def _days(self) -> dict[str, float]:
        return {"sample": self._settings.sample_days, "metric": self._settings.metric_days}

    def _drop_old(self, connection: sqlite3.Connection, of_class: str) -> int:
        age_s = self._days()[of_class] * 86_400.0
        old = losses.older(
            connection,
            of_class,
            machine_boot=self._boot_id.partition("-")[0],
            monotonic=self._clock.monotonic() - age_s,
            wall_time=self._clock.wall() - age_s,
            limit=CHUNK,
        )
        self._drop(connection, old, "age")
        return len(old)

    def _drop(
        self, connection: sqlite3.Connection, doomed: Sequence[losses.Stub], reason: str
    ) -> None:
        """Delete, count, and tell each sink what it will not get."""
        if not doomed:
            return
        rows.confirm(connection, [row.seq for row in doomed])
        losses.note_lost(connection, doomed, reason, self._clock.wall())
        self._tell(connection)

    def _tell(self, connection: sqlite3.Connection) -> None:
        """One event per sink, epoch, class and reason; never a second while one waits.

        So a long outage cannot fill the outbox with news of what it could not hold.
        """
        tally, wall = tally_of(connection), self._clock.wall()
        for loss in losses.untold(connection):
            sinks = tuple(dict.fromkeys((loss.sink, *self._everywhere)))[::-1]
            told = Message(NEVER_DROPPED, loss.TYPE, "outbox", loss.told(), wall, sinks)
            self._insert(tally, (told,))
            loss.note_told(connection, tally.seq)  # the row of its own sink, the last
        tally.write(connection)  # it must be seen to wait
