"""Opening a station's file: locked, checked, migrated, or moved aside when it is damaged."""

import fcntl
import os
import secrets
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from common.errors import LinesideError
from common.ports import Clock
from common.store_schema import MIGRATIONS

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
PAGE_BYTES = 4096


class StoreError(LinesideError):
    """The station's file cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file ready for use."""

    connection: sqlite3.Connection
    epoch: str
    """New with every fresh file: event ids never come again after a loss."""
    replaced: Path | None
    """Where the damaged file went; None when the file was sound or new."""
    damage: str


def lock(path: Path) -> int:
    """Take the file for this process; the descriptor holds it until closed.

    Two writing connections can corrupt a WAL file in SQLite before 3.51.3, so a second
    station on the same file is refused before it opens it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".lock")
        descriptor = os.open(beside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened ({error})") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreError(f"{path}: another process owns it; stop that station first") from error
    return descriptor


def open_file(
    path: Path, clock: Clock, max_bytes: int, migrations: tuple[str, ...] = MIGRATIONS
) -> Opened:
    """The sound, current file at `path`; raises StoreError when there can be none."""
    try:
        connection, damage = _sound(path, max_bytes)
        replaced = None
        if connection is None:
            replaced = _move_aside(path, clock)
            connection, _ = _sound(path, max_bytes)
        if connection is None:
            raise StoreError(f"{path}: a fresh file is damaged too; check the disk")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: cannot be opened ({error})") from error
    try:
        migrate(connection, path, clock, migrations)
        epoch = _epoch(connection)
    except BaseException:
        connection.close()
        raise
    return Opened(connection, epoch, replaced, damage)


def _sound(path: Path, max_bytes: int) -> tuple[sqlite3.Connection | None, str]:
    connection = _connect(path)
    try:
        _configure(connection, max_bytes)
        damage = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        connection.close()
        if primary_code(error) not in DAMAGED:
            raise
        return None, str(error)
    if damage == "ok":
        return connection, ""
    connection.close()
    return None, damage


def _connect(path: Path) -> sqlite3.Connection:
    # Made here with its mode, so that SQLite gives -wal and -shm the same one.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    return sqlite3.connect(path, isolation_level=None, timeout=5.0)


def _configure(connection: sqlite3.Connection, max_bytes: int) -> None:
    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=200")
    connection.execute("PRAGMA journal_size_limit=16777216")
    connection.execute("PRAGMA foreign_keys=ON")
    # A quota below the disk's end: at a full disk not even the freeing DELETE would work.
    connection.execute(f"PRAGMA max_page_count={max_bytes // PAGE_BYTES}")


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 when the error carries none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _move_aside(path: Path, clock: Clock) -> Path:
    aside = _free_name(path, f"corrupt-{stamp(clock.wall())}")
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _free_name(path: Path, ending: str) -> Path:
    candidate, number = path.with_name(f"{path.name}.{ending}"), 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}.{ending}-{number}")
    return candidate


def stamp(wall: float) -> str:
    """A wall time (s, UTC) as it stands in file names: 20260101T120000Z."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    clock: Clock,
    migrations: tuple[str, ...] = MIGRATIONS,
) -> None:
    """Bring the file to the newest version, each step whole or not at all."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise StoreError(
            f"{path}: has schema {version}, this software knows {len(migrations)}; "
            "install the newer software or move the file away"
        )
    if 0 < version < len(migrations):
        _keep_copy(connection, _free_name(path, f"v{version}-{stamp(clock.wall())}"))
    for number, script in enumerate(migrations[version:], version + 1):
        _step(connection, path, number, script)
    # The schema must not live in the WAL alone: a lost WAL would lose the tables.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _step(connection: sqlite3.Connection, path: Path, number: int, script: str) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version={number}; COMMIT;"
        )
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise StoreError(f"{path}: schema step {number} failed ({error})") from error


def _keep_copy(connection: sqlite3.Connection, copy: Path) -> None:
    os.close(os.open(copy, os.O_CREAT | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)


def _epoch(connection: sqlite3.Connection) -> str:
    connection.execute("INSERT OR IGNORE INTO meta VALUES('epoch', ?)", (secrets.token_hex(6),))
    return str(connection.execute("SELECT value FROM meta WHERE key='epoch'").fetchone()[0])


def next_number(connection: sqlite3.Connection, key: str) -> int:
    """Count `key` in the meta table up by one and give the new number, from 1."""
    row = connection.execute(
        "INSERT INTO meta VALUES(?, '1') ON CONFLICT(key)"
        " DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value",
        (key,),
    ).fetchall()
    return int(row[0][0])


def boot_id(connection: sqlite3.Connection) -> str:
    """Names this start of the station: "<machine boot>-<count of starts>".

    Monotonic times compare where the first part is equal; subjects are scoped by all of it.
    """
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
    except OSError:
        machine = secrets.token_hex(4)
    return f"{machine}-{next_number(connection, 'starts')}"
