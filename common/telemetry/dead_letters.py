"""Events that a broker or server refused for good: listed with the reason, and sent again.

A station's `resend` command is `resend`, given to its store; where no station runs, whoever
owns the file calls it (apps/dead.py).
"""

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from common.canonical import read_object
from common.telemetry import outbox_rows as rows

MOST = 1000
"""Listed at once, the newest."""
ROLE = "engineer"
"""What `resend` takes: the cause must have been mended."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter, as a person sees it."""

    id: str
    sink: str
    of_class: str
    type: str
    subject: str
    time: str
    """When it happened: UTC, ISO 8601."""
    reason: str
    bytes: int


def listed(connection: sqlite3.Connection) -> dict[str, Any]:
    """How many there are by sink, and the newest of them, newest first; as JSON."""
    counts = _used({sink: rows.backlog(connection, sink).dead for sink in rows.SINKS})
    letters = [asdict(_letter(one)) for one in rows.dead_letters(connection, MOST)]
    return {"dead": counts, "letters": letters}


def _letter(dead: rows.DeadLetter) -> Letter:
    try:
        event = read_object(dead.payload)
    except (ValueError, RecursionError):  # its checksum was wrong: that is why it is here
        event = {}
    told = {name: str(event.get(name, "unreadable")) for name in ("type", "subject", "time")}
    return Letter(
        f"{dead.epoch}-{dead.event}",
        dead.sink,
        dead.of_class,
        told["type"],
        told["subject"],
        told["time"],
        dead.reason,
        len(dead.payload),
    )


def revived(connection: sqlite3.Connection) -> dict[str, int]:
    """Let all of them be sent again; gives how many by sink. For `Store.submit`."""
    return _used({sink: rows.revive(connection, sink) for sink in rows.SINKS})


def _used(counts: dict[str, int]) -> dict[str, int]:
    """The counts of the sinks that every station has, and of others where there are some."""
    always = (rows.MQTT, rows.WEBHOOK)
    return {sink: counts[sink] for sink in sorted(counts) if counts[sink] or sink in always}


def resend(connection: sqlite3.Connection) -> str:
    """The same as a command's outcome, in words."""
    count = sum(revived(connection).values())
    return f"{count} dead letters are sent again" if count else "there are no dead letters"
