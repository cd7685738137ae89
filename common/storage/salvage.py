"""What can still be read of a damaged file, saved into the fresh one that takes its place.

Undelivered events come over where their checksum is right, with their own ids; the audit
trail where its chain is whole; alarms where their rows make sense; and the counters, so
that no number is given twice. Everything read here is doubted: it may be garbage.
"""

import json
import math
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common import audit
from common.canonical import read_object
from common.storage.epoch import EVENTS, STARTS
from common.telemetry import outbox_rows as rows
from common.telemetry.event import Event, EventError, decode_event
from common.telemetry.outbox_tally import NewRow, Tally, kept_sizes

UNREADABLE = (sqlite3.Error, MemoryError, OverflowError, UnicodeDecodeError)
CHUNK = 100
MOST_FAILURES = 20_000
"""Attempts to read around damage, before the rest is given up: a second or two."""
MOST = 1 << 60
"""A count beyond is garbage; below, there is room to go on."""
SELECT_OUTBOX = (
    "SELECT rowid, sink, class, state, reason, monotonic, crc32, payload FROM outbox"
    " WHERE rowid BETWEEN ? AND ? ORDER BY rowid LIMIT ?"
)
SELECT_ALARMS = "SELECT alarm_id, state, priority, revision, wall_time, body FROM alarms"
SELECT_SIZES_1 = "SELECT events FROM outbox_size"
"""Of a file of schema 1."""
SELECT_UNTOLD = "SELECT total(count) FROM lost"


@dataclass(slots=True)
class Salvaged:
    """What came over."""

    epoch: str | None = None
    sequence: int = 0
    """The highest that is known to have been given out."""
    starts: int = 0
    events: int = 0
    whole: bool = False
    """Whether these are provably all that were undelivered."""
    notes: list[str] = field(default_factory=list)
    """What did not come over beside events, for a person."""


def salvage(path: Path, fresh: sqlite3.Connection) -> Salvaged:
    """Copy what is sound in the damaged file at `path`, in the caller's transaction.

    Never raises for what is in that file; sqlite3.Error when `fresh` cannot take it.
    """
    saved = Salvaged()
    old = _open(path)
    if old is None:
        saved.notes.append("nothing of it can be read")
        return saved
    with closing(old):
        _numbers(old, saved)
        _events(old, fresh, saved)
        _alarms(old, fresh, saved)
        _audit(old, fresh, saved)
    return saved


def _open(path: Path) -> sqlite3.Connection | None:
    """Read-only: the file stays as evidence. Without its log where that cannot be used."""
    for how in ("mode=ro", "mode=ro&immutable=1"):
        with suppress(*UNREADABLE):
            uri = f"file:{quote(str(path))}?{how}"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None)
            try:
                # A table whose definition is garbage must not hide the others.
                connection.execute("PRAGMA writable_schema=ON")
                connection.execute("PRAGMA cell_size_check=ON")
                connection.execute("SELECT name FROM sqlite_schema").fetchall()
            except UNREADABLE:
                connection.close()
                raise
            return connection
    return None


def _numbers(old: sqlite3.Connection, saved: Salvaged) -> None:
    found: dict[Any, Any] = {}
    with suppress(*UNREADABLE):
        for key in ("epoch", EVENTS, STARTS):
            found |= dict(old.execute("SELECT key, value FROM meta WHERE key = ?", (key,)))
    epoch = found.get("epoch")
    saved.epoch = epoch if isinstance(epoch, str) and epoch.isalnum() else None
    saved.sequence, saved.starts = (_count(found.get(key)) for key in (EVENTS, STARTS))


def _count(value: Any) -> int:
    """A counter as the meta table has it; 0 for garbage."""
    with suppress(ValueError, TypeError):
        return number if 0 <= (number := int(value)) < MOST else 0
    return 0


def _events(old: sqlite3.Connection, fresh: sqlite3.Connection, saved: Salvaged) -> None:
    tally, seen = Tally(fresh), set()
    for page in _readable(old):
        for row in filter(None, (_row(*values[1:]) for values in page)):
            if (row.epoch, row.event, row.sink) in seen:
                continue
            seen.add((row.epoch, row.event, row.sink))
            tally.seq += 1
            tally.add((row._replace(seq=tally.seq),))
            if row.epoch == saved.epoch:
                saved.sequence = max(saved.sequence, row.event)
        tally.write(fresh)
    saved.events = len({(epoch, event) for epoch, event, _ in seen})
    saved.whole = _waiting(old) == len(seen)


def _waiting(old: sqlite3.Connection) -> int | None:
    """How many rows there were, by their count; None when that cannot be known."""
    with suppress(*UNREADABLE, TypeError, ValueError):
        if old.execute(SELECT_UNTOLD).fetchone()[0]:
            return None
        with suppress(sqlite3.OperationalError):
            return sum(int(events) for (events,) in old.execute(SELECT_SIZES_1))
        return sum(size.events for size in kept_sizes(old).values())
    return None


def _readable(old: sqlite3.Connection) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of the outbox in their order, some at a time, around what cannot be read."""
    ranges, failures = [(1, rows.LAST)], 0
    while ranges and failures < MOST_FAILURES:
        first, last = ranges.pop()
        try:
            found = old.execute(SELECT_OUTBOX, (first, last, CHUNK)).fetchall()
        except UNREADABLE:
            failures += 1
            if first < last:
                middle = (first + last) // 2
                ranges += [(middle + 1, last), (first, middle)]
            continue
        yield found
        highest = max((values[0] for values in found), default=last)
        if len(found) == CHUNK and first <= highest < last:
            ranges.append((highest + 1, last))


def _row(
    sink: Any, of_class: Any, state: Any, reason: Any, monotonic: Any, crc32: Any, payload: Any
) -> NewRow | None:
    """The row where its payload is as it was stored, which then tells most; else None."""
    if not isinstance(payload, bytes) or zlib.crc32(payload) != crc32:
        return None
    event = _event(payload)
    if event is None:
        return None
    of_class = of_class if of_class in rows.PRIORITIES else rows.NEVER_DROPPED
    return NewRow(
        seq=0,
        epoch=event.epoch,
        event=event.sequence,
        sink=sink if sink in rows.SINKS else rows.MQTT,
        of_class=of_class,
        priority=rows.PRIORITIES[of_class],
        wall_time=event.recorded_time,
        monotonic=monotonic if _is_time(monotonic) else 0.0,
        boot_id=event.boot_id,
        payload=payload,
        crc32=crc32,
        size=len(payload),
        state=rows.DEAD if state == rows.DEAD else rows.PENDING,
        reason=reason if isinstance(reason, str) else "",
    )


def _event(payload: bytes) -> Event | None:
    with suppress(EventError, ValueError, RecursionError):
        return decode_event(json.loads(payload))
    return None


def _is_time(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _alarms(old: sqlite3.Connection, fresh: sqlite3.Connection, saved: Salvaged) -> None:
    found: list[tuple[Any, ...]] = []
    try:
        found.extend(old.execute(SELECT_ALARMS))
    except UNREADABLE:
        saved.notes.append("alarms are not all readable")
    for values in found:
        if _is_alarm(*values):
            fresh.execute("INSERT OR IGNORE INTO alarms VALUES(?, ?, ?, ?, ?, ?)", values)
        else:
            saved.notes.append(f"alarm {str(values[0])[:40]!r} is garbled")


def _is_alarm(
    alarm_id: Any, state: Any, priority: Any, revision: Any, wall_time: Any, body: Any
) -> bool:
    texts = all(isinstance(value, str) and value for value in (alarm_id, state, body))
    numbers = all(isinstance(n, int) and 0 <= n < MOST for n in (priority, revision))
    with suppress(ValueError, TypeError, RecursionError):
        return texts and numbers and _is_time(wall_time) and bool(read_object(body))
    return False


def _audit(old: sqlite3.Connection, fresh: sqlite3.Connection, saved: Salvaged) -> None:
    """All of the trail or nothing: a part of it would look like the whole."""
    try:
        broken = audit.verify(old)
        trail = old.execute(audit.SELECT_AUDIT + " ORDER BY seq").fetchall()
    except (*UNREADABLE, ValueError, TypeError):
        saved.notes.append("the audit trail cannot be read and stays behind")
        return
    if broken is not None:
        saved.notes.append(f"the audit trail is broken at row {broken} and stays behind")
        return
    fresh.executemany("INSERT OR IGNORE INTO audit VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", trail)
