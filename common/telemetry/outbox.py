"""What waits to leave the station, in the same file and transaction as what it tells of.

All functions run on the connection that the store owns:

    def both(connection):
        records.add(connection, record)
        outbox.append(connection, Message("verdict", TYPE, record.subject, body, when))

    store.submit(both)

One message goes to every sink it names: one row each, all with the same event id. Every
event goes to "mqtt" where that is in use, so the sequence there has no holes of our making.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.config import setting
from common.ports import Clock
from common.store_file import StoreError, next_number
from common.telemetry import outbox_loss as losses
from common.telemetry import outbox_rows as rows
from common.telemetry.event import Event
from common.telemetry.outbox_rows import NEVER_DROPPED

MQTT, WEBHOOK = "mqtt", "webhook"
DROPPED = "lineside.telemetry.dropped.v1"
CHUNK = 500
"""Rows dropped at once: the writer is never held up for long."""


class OutboxFull(StoreError):
    """Only audit rows are left and they fill the quota: the act itself is refused."""


@dataclass(frozen=True)
class OutboxSettings:
    """The share of the station's file that waiting events may take; below `max_bytes`."""

    max_bytes: int = setting(256 << 20, low=1 << 16, unit="bytes")
    metric_days: float = setting(7.0, low=0.01, unit="days")
    sample_days: float = setting(1.0, low=0.01, unit="days")


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell; `data` holds JSON values only."""

    of_class: str
    """alarm, audit, verdict, metric or sample."""
    type: str
    """E.g. "lineside.inspection.verdict.v1"."""
    subject: str
    data: Mapping[str, Any]
    time: float
    """When it happened: UTC, seconds since 1970."""
    sinks: tuple[str, ...] = (MQTT,)


class Outbox:
    """Writes events for one station; `source` is its CloudEvents source."""

    def __init__(
        self,
        *,
        source: str,
        epoch: str,
        boot_id: str,
        clock: Clock,
        settings: OutboxSettings | None = None,
        clock_quality: Callable[[], str] = lambda: "unknown",
    ) -> None:
        self._source, self._epoch, self._boot_id = source, epoch, boot_id
        self._clock, self._clock_quality = clock, clock_quality
        self._settings = settings or OutboxSettings()

    def append(self, connection: sqlite3.Connection, message: Message) -> str:
        """Queue `message` for its sinks and give the event's id.

        Over the quota, lowest class and oldest first is dropped; raises OutboxFull when
        nothing but audit is left to drop.
        """
        event_id, _ = self._insert(connection, message)
        self._keep_to_quota(connection)
        return event_id

    def _insert(self, connection: sqlite3.Connection, message: Message) -> tuple[str, int]:
        event = Event(
            epoch=self._epoch,
            sequence=next_number(connection, "events"),
            source=self._source,
            type=message.type,
            subject=message.subject,
            time=message.time,
            recorded_time=self._clock.wall(),
            boot_id=self._boot_id,
            clock_quality=self._clock_quality(),
            data=message.data,
        )
        payload, seq = event.encode(), 0
        for sink in message.sinks:
            seq = rows.insert(
                connection,
                rows.NewRow(
                    epoch=self._epoch,
                    event=event.sequence,
                    sink=sink,
                    of_class=message.of_class,
                    wall_time=event.recorded_time,
                    monotonic=self._clock.monotonic(),
                    boot_id=self._boot_id,
                    payload=payload,
                ),
            )
        return event.id, seq

    def _keep_to_quota(self, connection: sqlite3.Connection) -> None:
        limit = self._settings.max_bytes
        excess = rows.size(connection) - limit
        if excess <= 0:
            return
        # A little more than needed, so that the next hundred events need not do it again.
        excess += limit // 50
        while excess > 0 and (freed := self._drop_lowest(connection, excess)):
            excess -= freed
        if rows.size(connection) > limit:
            raise OutboxFull(f"outbox: {limit} bytes of audit wait already; get them sent")

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
        """Drop metrics and samples past their days, tell of drops; True when more is due.

        To be given to `Store.add_upkeep`.
        """
        limits = {"sample": self._settings.sample_days, "metric": self._settings.metric_days}
        most = 0
        for of_class, days in limits.items():
            age_s = days * 86_400.0
            old = losses.older(
                connection,
                of_class,
                machine_boot=self._boot_id.partition("-")[0],
                monotonic=self._clock.monotonic() - age_s,
                wall_time=self._clock.wall() - age_s,
                limit=CHUNK,
            )
            self._drop(connection, old, "age")
            most = max(most, len(old))
        self._tell(connection)
        return most >= CHUNK

    def _drop(
        self, connection: sqlite3.Connection, doomed: Sequence[losses.Stub], reason: str
    ) -> None:
        """Delete, count, and tell each sink what it will not get."""
        rows.confirm(connection, [row.seq for row in doomed])
        for sink, of_class in sorted({(row.sink, row.of_class) for row in doomed}):
            mine = [row for row in doomed if (row.sink, row.of_class) == (sink, of_class)]
            losses.note_lost(connection, mine, reason, self._clock.wall())
        if doomed:
            self._tell(connection)

    def _tell(self, connection: sqlite3.Connection) -> None:
        """One event per sink, class and reason; never a second one while the first waits.

        So a long outage cannot fill the outbox with news of what it could not hold.
        """
        for loss in losses.untold(connection):
            data = {
                "class": loss.of_class,
                "reason": loss.reason,
                "count": loss.count,
                "bytes": loss.size,
                "from": loss.first,
                "to": loss.last,
            }
            message = Message(
                NEVER_DROPPED, DROPPED, "outbox", data, self._clock.wall(), (loss.sink,)
            )
            _, seq = self._insert(connection, message)
            losses.note_told(connection, loss, seq)
