"""Opening a station's file: locked, checked, migrated, or moved aside when it is damaged."""

import fcntl
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.ports import Clock
from common.storage.aside import end_move, move_aside
from common.storage.epoch import Replaces
from common.storage.failures import StoreError, spoils_file
from common.storage.migrate import migrate, misfit
from common.storage.recovery import settle_epoch
from common.storage.schema import MIGRATIONS
from common.storage.space import PAGE_BYTES, set_limit

__all__ = ["Opened", "StoreError", "lock", "open_file", "suspect"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A file ready for use."""

    connection: sqlite3.Connection
    epoch: str
    """New with every fresh file: event ids never come again after a loss."""
    replaced: Path | None
    """Where the damaged file went; None when the file was sound or new."""
    damage: str
    """What was wrong with the file before; empty when nothing was."""
    replaces: Replaces | None = None
    """What was before the epoch, where it began just now."""


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
        owned = "another process owns it; stop that station first"
        other = f"cannot be locked ({error}); put it on a local disk"
        why = owned if isinstance(error, BlockingIOError) else other
        raise StoreError(f"{path}: {why}") from error
    return descriptor


def open_file(
    path: Path, clock: Clock, max_bytes: int, migrations: tuple[str, ...] = MIGRATIONS
) -> Opened:
    """The sound, current file at `path`; raises StoreError when there can be none."""
    try:
        end_move(path)
        connection, damage = _usable(path, clock, max_bytes, migrations)
        try:
            migrate(connection, path, clock, migrations)
            begun = settle_epoch(connection, path, damage)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: cannot be opened ({error})") from error
    before = begun.replaces
    moved = Path(before.moved_to) if before and before.moved_to else None
    return Opened(connection, begun.epoch, moved, before.damage if before else "", before)


def _usable(
    path: Path, clock: Clock, max_bytes: int, migrations: tuple[str, ...]
) -> tuple[sqlite3.Connection, str]:
    """A connection to a sound file, and what was wrong with the one moved aside for it."""
    connection, damage = _sound(path, max_bytes, migrations)
    damage = damage or _suspicion(path)
    if connection is not None and not damage:
        return connection, ""
    if connection is not None:
        connection.close()
    move_aside(path, clock)
    _suspect_file(path).unlink(missing_ok=True)
    connection, again = _sound(path, max_bytes, migrations)
    if connection is None:
        raise StoreError(f"{path}: a fresh file is damaged too ({again}); check the disk")
    return connection, damage


def _sound(
    path: Path, max_bytes: int, migrations: tuple[str, ...]
) -> tuple[sqlite3.Connection | None, str]:
    """A connection to the file there; none, and what is wrong, when it is damaged."""
    connection = _connect(path)
    try:
        damage = misfit(connection, path, migrations)
        _configure(connection, max_bytes)
        checked = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if not damage and checked == "ok":
            return connection, ""
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        if not spoils_file(error):
            raise
        return None, str(error)
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None, damage or " ".join(str(checked).split())


def suspect(path: Path, why: str) -> None:
    """Have the file, found damaged while in use, replaced at the next start."""
    with suppress(OSError):
        _suspect_file(path).write_text(why, "utf-8")


def _suspicion(path: Path) -> str:
    with suppress(OSError):
        return f"damaged in use: {_suspect_file(path).read_text('utf-8', 'replace')[:200]}"
    return ""


def _suspect_file(path: Path) -> Path:
    return path.with_name(path.name + ".suspect")


def _connect(path: Path) -> sqlite3.Connection:
    # Made here with its mode, so that SQLite gives -wal and -shm the same one.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    return sqlite3.connect(path, isolation_level=None, timeout=5.0)


def _configure(connection: sqlite3.Connection, max_bytes: int) -> None:
    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA journal_size_limit=16777216")
    connection.execute("PRAGMA foreign_keys=ON")
    # A quota below the disk's end: at a full disk not even the freeing DELETE would work.
    set_limit(connection, max_bytes)
