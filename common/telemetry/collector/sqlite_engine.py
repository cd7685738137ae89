"""The archive as one SQLite file: for a plant, a pilot or a laptop, without a server."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from common.clock import SystemClock
from common.errors import LinesideError
from common.storage.failures import StoreError
from common.storage.file import lock
from common.storage.migrate import migrate
from common.telemetry.collector import ledger
from common.telemetry.collector.engine import (
    ArchiveDown,
    ArchiveError,
    ArchiveRefused,
    Clash,
    Id,
)
from common.telemetry.collector.ledger import Stream
from common.telemetry.collector.records import (
    EVENT_COLUMNS,
    STREAM_COLUMNS,
    rejected_values,
    script,
    stream_values,
)
from common.telemetry.collector.rows import EventRow, Key, Rejected

MIGRATIONS = ("sqlite_1_tables.sql", "sqlite_2_views.sql")
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
OURS = ("events", "streams")
CHECKED_BYTES = 1 << 30
"""A larger file is not read through at every start: that would take minutes."""
REPEATED = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")
INSERT = (
    f"INSERT INTO events({', '.join(EVENT_COLUMNS)})"
    f" VALUES({', '.join('?' * len(EVENT_COLUMNS))})"
)
RECORDED = "SELECT recorded_time FROM events WHERE source = ? AND epoch = ? AND sequence = ?"
SAVE = (
    f"UPDATE streams SET {', '.join(f'{name} = ?' for name in STREAM_COLUMNS)}"  # noqa: S608
    " WHERE source = ? AND epoch = ?"
)
REJECT = (
    "INSERT INTO rejected(digest, topic, reason, raw, size, first_time, last_time)"
    " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(digest)"
    " DO UPDATE SET times = times + 1, last_time = excluded.last_time"
)
COUNT = (
    "INSERT INTO rejected_totals VALUES(?, 1)"
    " ON CONFLICT(topic) DO UPDATE SET times = times + 1"
)
PRUNE = (
    "DELETE FROM rejected WHERE topic = ?1 AND id <="
    " (SELECT id FROM rejected WHERE topic = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)"
)


class SqliteEngine:
    """One file, one owning process, one connection; commits wait for the disk.

    Raises ArchiveError when the file is damaged, newer than this software, or in use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._lock = lock(path)
        except StoreError as error:
            owned = isinstance(error.__cause__, BlockingIOError)
            why = "another collector owns it; stop that one first" if owned else error
            raise ArchiveError(f"{path}: {why}") from error
        try:
            self._connection = _open(path)
        except BaseException:
            os.close(self._lock)
            raise

    def prepare(self, rows: Sequence[EventRow]) -> None:
        """Nothing is to be made ready."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Whole or not at all; raises ArchiveDown, ArchiveRefused, Clash."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            kind = Clash if error.sqlite_errorname in REPEATED else ArchiveRefused
            raise kind(f"{self._path}: {error}") from error
        except (
            sqlite3.DataError,
            sqlite3.InterfaceError,
            UnicodeError,
            OverflowError,
        ) as error:
            raise ArchiveRefused(f"{self._path}: {error}") from error
        except sqlite3.Error as error:
            raise ArchiveDown(f"{self._path}: {error}") from error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def lock(self, keys: Sequence[Key]) -> dict[Key, Stream]:
        """The streams; a transaction holds the whole file."""
        found = {}
        for source, epoch in keys:
            new = Stream(source, epoch)
            self._connection.execute(
                "INSERT INTO streams(source, epoch, state) VALUES(?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (source, epoch, ledger.dump(new)),
            )
            text = self._connection.execute(
                "SELECT state FROM streams WHERE source = ? AND epoch = ?", (source, epoch)
            ).fetchone()[0]
            found[source, epoch] = ledger.parse(text)
        return found

    def recorded(self, ids: Sequence[Id]) -> dict[Id, str]:
        """Which of the events are in the table, and when each was recorded."""
        found = ((one, self._connection.execute(RECORDED, one).fetchone()) for one in ids)
        return {one: row[0] for one, row in found if row}

    def insert(self, rows: Sequence[EventRow]) -> None:
        """Keep rows, none of which is in the table."""
        self._connection.executemany(INSERT, rows)

    def save(self, streams: Sequence[Stream]) -> None:
        """Write streams back."""
        self._connection.executemany(SAVE, ((*stream_values(one), *one.key) for one in streams))

    def reject(self, rejected: Sequence[Rejected], keep: int) -> None:
        """Note what was turned away: the same again is counted, at most `keep` per topic."""
        self._connection.executemany(REJECT, map(rejected_values, rejected))
        self._connection.executemany(COUNT, ((one.topic,) for one in rejected))
        for topic in {one.topic for one in rejected}:
            self._connection.execute(PRUNE, (topic, keep))

    def due(self, now: float, latest: float, most: int) -> list[Stream]:
        """Streams whose `ask_at` has come, or lies beyond `latest`."""
        due = "WHERE ask_at <= ? OR ask_at > ? ORDER BY ask_at LIMIT ?"
        return _streams(self._connection, due, now, latest, most)

    def streams(self) -> list[Stream]:
        """All there are, in order."""
        return _streams(self._connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        if self._lock >= 0:
            held, self._lock = self._lock, -1
            os.close(held)


def _open(path: Path) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        # One thread at a time uses it; which one changes between start and work.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise ArchiveError(f"{path}: cannot be opened ({error})") from error
    try:
        _make_ready(connection, path)
    except (sqlite3.Error, LinesideError) as error:
        connection.close()
        raise ArchiveError(f"{path}: cannot be used as an archive ({error})") from error
    return connection


def _make_ready(connection: sqlite3.Connection, path: Path) -> None:
    there = {name for (name,) in connection.execute(TABLES)}
    if there and not there.issuperset(OURS):
        raise ArchiveError("is the database of another program; name another file")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    if path.stat().st_size <= CHECKED_BYTES:
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise ArchiveError(f"damaged: {damage}; restore a copy, or move it away")
    migrate(connection, path, SystemClock(), tuple(map(script, MIGRATIONS)))


def _streams(connection: sqlite3.Connection, where: str = "", *values: object) -> list[Stream]:
    order = where or "ORDER BY source, epoch"
    found = connection.execute(f"SELECT state FROM streams {order}", values)  # noqa: S608
    return [ledger.parse(text) for (text,) in found]


def read_streams(path: Path) -> list[Stream]:
    """The ledger of an archive that another process may be writing."""
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return _streams(connection)
    except sqlite3.Error as error:
        raise ArchiveError(f"{path}: no archive can be read there ({error})") from error
