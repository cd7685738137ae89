"""Fills the books from what is left when all processes are gone: the two database files."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from apps.chaos.ledger import Books, told_of
from apps.chaos.station import DROPPED_TABLE, KIND, SELF, fingerprint, type_of
from common.storage.queries import drops, epoch, open_readonly
from common.telemetry import outbox_rows as rows
from common.telemetry.collector.report import gaps
from common.telemetry.outbox_rows import MQTT, PRIORITIES

OURS = {type_of(of_class) for of_class in PRIORITIES}
EVERYTHING = 1 << 40
KNOWN_ALREADY = re.compile(r"(\d+) known already")


def copied(path: Path, folder: Path) -> Path:
    """The station's file as a kill has left it, copied: reading alone would mend it."""
    for suffix in ("", "-wal"):
        beside = Path(f"{path}{suffix}")
        if beside.exists():
            shutil.copy(beside, folder / beside.name)
    return folder / path.name


def read_station(path: Path, books: Books) -> None:
    """What the station's file at `path` still has and has counted."""
    books.replaced = len(list(path.parent.glob(f"{path.name}.corrupt*")))
    with closing(open_readonly(path)) as connection:
        name = epoch(connection)
        last = connection.execute("SELECT value FROM meta WHERE key = 'events'").fetchone()
        books.given |= {
            f"{name}-{number}" for number in range(1, int(last[0] if last else 0) + 1)
        }
        held = {
            f"{row.epoch}-{row.event}": row.payload
            for row in rows.pending(connection, MQTT, EVERYTHING)
            if row.sound
        }
        for letter in rows.dead_letters(connection, EVERYTHING):
            held[f"{letter.epoch}-{letter.event}"] = letter.payload
        books.queued |= held.keys()
        seen = connection.execute(f"SELECT event, class FROM {DROPPED_TABLE}")  # noqa: S608
        books.dropped |= {f"{name}-{event}": of_class for event, of_class in seen}
        for drop in drops(connection):
            if (drop.what, drop.of_class) == ("record", KIND):
                books.records_dropped += drop.count
            if drop.what == f"outbox:{MQTT}":
                books.counted[drop.of_class] += drop.count
        untold = "SELECT class, count FROM lost WHERE sink = ?"
        for of_class, count in connection.execute(untold, (MQTT,)):
            books.told[of_class] += count
            books.untold += count
        for event in map(json.loads, held.values()):
            books.told += told_of(event["type"], event["data"])
        of_kind = connection.execute("SELECT subject FROM records WHERE kind = ?", (KIND,))
        books.records |= {subject for (subject,) in of_kind}


def read_archive(path: Path, books: Books) -> None:
    """What the collector's database at `path` holds of the station; none may be there yet."""
    if not path.exists():
        return
    books.gaps = gaps(f"sqlite:///{path}")["unexplained"]
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT epoch, sequence, type, subject, time, data FROM events WHERE source = ?",
            (SELF.source,),
        ).fetchall()
    for name, number, type_, subject, time_text, text in found:
        event, data = f"{name}-{number}", json.loads(text)
        ours = type_ in OURS
        mark = fingerprint(type_, subject, time_text, data) if ours else None
        books.stored.append((event, mark))
        if event not in books.queued:  # one that is both is told of once
            books.told += told_of(type_, data)


def delivered_again(log: Path) -> int:
    """Events that came to the collector more than once: at least so many, by its own word.

    It tells once a second, and many of its lives are shorter.
    """
    total = last = 0
    for line in log.read_text("utf-8").splitlines():
        found = KNOWN_ALREADY.search(line)
        total, last = (total, int(found[1])) if found else (total + last, 0)
    return total + last
