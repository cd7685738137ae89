"""From one schema version to the next, and whether a file has the tables it claims to have."""

import os
import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from common.ports import Clock
from common.storage.aside import free_name, stamp
from common.storage.failures import StoreError
from common.storage.schema import MIGRATIONS

Columns = frozenset[tuple[str, str]]
"""(table, column)"""
COLUMNS = (
    "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c"
    " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'"
)
OURS = {("outbox", "payload"), ("records", "body")}


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    clock: Clock,
    migrations: tuple[str, ...] = MIGRATIONS,
) -> None:
    """Bring the file to the newest version, each step whole or not at all."""
    version = known_version(connection, path, migrations)
    if 0 < version < len(migrations):
        _keep_copy(connection, free_name(path, f"v{version}-{stamp(clock.wall())}"))
    for number, script in enumerate(migrations[version:], version + 1):
        _step(connection, path, number, script)
    # The schema must not live in the WAL alone: a lost WAL would lose the tables.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def known_version(
    connection: sqlite3.Connection, path: Path, migrations: tuple[str, ...] = MIGRATIONS
) -> int:
    """The file's schema version; raises StoreError for one from the future."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise StoreError(
            f"{path}: has schema {version}, this software knows {len(migrations)}; "
            "install the newer software or move the file away"
        )
    return version


def misfit(
    connection: sqlite3.Connection, path: Path, migrations: tuple[str, ...] = MIGRATIONS
) -> str:
    """How the tables there differ from what the version says; empty when they do not.

    Raises StoreError for the database of another program: it is not ours to move away.
    """
    version = max(known_version(connection, path, migrations), 0)
    there = frozenset(connection.execute(COLUMNS).fetchall())
    if there and not OURS & there:
        raise StoreError(f"{path}: is the database of another program; name another file")
    wanted, newest = _columns(migrations[:version]), _columns(MIGRATIONS)
    missing = sorted(wanted - there)
    if missing:
        return f"{'.'.join(missing[0])} is missing"
    if there & (newest - wanted):
        return f"version {version}, but with tables of a later one"
    return ""


@lru_cache(maxsize=4)
def _columns(migrations: tuple[str, ...]) -> Columns:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("".join(migrations))
        return frozenset(connection.execute(COLUMNS).fetchall())


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
