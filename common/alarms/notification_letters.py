"""Notifications on their way, and the receipt of each: who, what, when, with what result.

A notice becomes one event in the outbox; the row of its channel is the letter. While the
row waits the letter is open. The sender deletes it when the letter was taken (by the mail
server, the webhook, the collector), or marks it as refused for good: then it is closed, and
the receipt is a record and a row of the audit trail.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from common import audit, records
from common.alarms.escalation import Notice
from common.alarms.notification import (
    EMAIL,
    MQTT,
    WEBHOOK,
    NotificationSettings,
    Recipient,
)
from common.alarms.notification_text import LISTED, NOTIFICATION, notification
from common.canonical import canonical_json
from common.ports import Clock
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox import BadMessage, Message, Outbox
from common.telemetry.outbox_tally import tally_of

SINK = {EMAIL: rows.EMAIL, WEBHOOK: rows.PAGER, MQTT: rows.MQTT}
"""Channel → the outbox's name for it; the sink "webhook" is the MES."""
KIND = "notification"
"""Of the records."""
WHO = audit.Act("escalation", "station", "", "")
NAMED = 50
"""Alarms named in a receipt."""
QUEUED, DELIVERED, REFUSED = "queued", "delivered", "refused"
AT_ONCE = 500
LISTINGS = (LISTED, 10, 1)
"""Alarms written out in a message, until it is small enough."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one recipient."""

    event_id: str
    seq: int
    """Its row in the outbox."""
    channel: str
    to: str
    alarms: tuple[str, ...]
    """At most NAMED, the most urgent first."""
    count: int
    priority: int
    queued_at: float
    """Wall time, UTC s."""
    text: str = ""
    """Of the first alarm, as people know it."""
    result: str = QUEUED
    reason: str = ""
    """The server's words, where it refused."""
    closed_at: float | None = None
    """Wall time, UTC s."""

    @property
    def recipient(self) -> Recipient:
        """Whom it goes to."""
        return Recipient(self.channel, self.to)


def read(document: Mapping[str, Any]) -> Letter:
    """A letter as `asdict` wrote it."""
    return Letter(**{**document, "alarms": tuple(document["alarms"])})


@dataclass(frozen=True, slots=True)
class Desk:
    """Where letters are written: everything but the connection."""

    outbox: Outbox
    clock: Clock
    boot_id: str
    sinks: tuple[str, ...]
    """In use for all events: where MQTT is, every event goes there too."""
    settings: NotificationSettings

    def queue(self, connection: sqlite3.Connection, notice: Notice) -> Letter:
        """Put one notice into the outbox, with a record; raises what the outbox raises."""
        wall, items = self.clock.wall(), notice.items
        self.outbox.begin(connection)  # so that the next row is ours
        seq = tally_of(connection).seq + 1
        event_id = self._append(connection, notice, wall)
        letter = Letter(
            event_id, seq, *notice.recipient,
            tuple(due.alarm.definition.id for due in items[:NAMED]),
            len(items),
            min(due.alarm.priority for due in items),
            wall,
            items[0].alarm.definition.text,
        )  # fmt: skip
        self._record(connection, letter)
        return letter

    def _append(self, connection: sqlite3.Connection, notice: Notice, wall: float) -> str:
        """Where all that belongs into it is too large for an event, there is less in it."""
        *more, least = LISTINGS
        for listed in more:
            with suppress(BadMessage):
                return self.outbox.append(connection, self._message(notice, wall, listed))
        return self.outbox.append(connection, self._message(notice, wall, least))

    def _message(self, notice: Notice, wall: float, listed: int) -> Message:
        sink = SINK[notice.recipient.channel]
        others = (rows.MQTT,) if rows.MQTT in self.sinks and sink != rows.MQTT else ()
        subject = f"alarm/{notice.items[0].alarm.definition.id}"
        data = notification(notice, self.settings, listed)
        return Message(rows.NEVER_DROPPED, NOTIFICATION, subject, data, wall, (sink, *others))

    def close(self, connection: sqlite3.Connection, letter: Letter) -> None:
        """Keep the receipt of a letter, in the records and in the audit trail."""
        self._record(connection, letter)
        more = f" and {letter.count - 1} more" if letter.count > 1 else ""
        said = f" ({letter.reason})" if letter.reason else ""
        act = audit.Act(
            WHO.user,
            WHO.role,
            "notified" if letter.result == DELIVERED else "notification refused",
            f"alarm/{letter.alarms[0]}",
            f"{letter.result} by {letter.channel} to {letter.to}{more and ':'}{more}{said}",
        )
        audit.append(connection, act, letter.closed_at or letter.queued_at)

    def _record(self, connection: sqlite3.Connection, letter: Letter) -> None:
        records.add(
            connection,
            records.Record(
                kind=KIND,
                subject=letter.event_id,
                wall_time=letter.closed_at or letter.queued_at,
                monotonic=self.clock.monotonic(),
                boot_id=self.boot_id,
                body=asdict(letter),
            ),
        )


def closed(
    connection: sqlite3.Connection, letters: Iterable[Letter], wall: float
) -> list[Letter]:
    """Those of the open letters whose fate is known by now; only reads."""
    found = []
    for letter in letters:
        row = connection.execute(
            "SELECT state, reason FROM outbox WHERE seq = ?", (letter.seq,)
        ).fetchone()
        if row is None:
            found.append(_closed(letter, DELIVERED, "", wall))
        elif row[0] == rows.DEAD:
            found.append(_closed(letter, REFUSED, row[1], wall))
    return found


def _closed(letter: Letter, result: str, reason: str, wall: float) -> Letter:
    values = {**asdict(letter), "result": result, "reason": reason, "closed_at": wall}
    return read(values)


def give_up(connection: sqlite3.Connection, channel: str) -> int:
    """Bury what waits for a channel that is switched off; how much it was."""
    count = 0
    while waiting := rows.pending(connection, SINK[channel], AT_ONCE):
        rows.bury(connection, [row.seq for row in waiting], f"{channel} is switched off")
        count += len(waiting)
    return count


def spelled(letters: Iterable[Letter]) -> list[dict[str, Any]]:
    """Letters as JSON values."""
    return [json.loads(canonical_json(asdict(letter))) for letter in letters]
