"""An apsw connection with the manners of sqlite3, so that our code runs on a recorded disk.

Only what `common.store*` and `common.telemetry` use of a connection is here; the errors
are sqlite3's, with their codes, because the group commit decides by them.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw

Result = TypeVar("Result")
Values = Sequence[Any] | Mapping[str, Any]


class _Cursor:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection, self._cursor = connection, connection.cursor()
        self.lastrowid, self.rowcount = 0, -1

    def run(self, step: Callable[[], Any]) -> "_Cursor":
        _translated(step)
        self.lastrowid = self._connection.last_insert_rowid()
        self.rowcount = self._connection.changes()
        return self

    def execute(self, sql: str, values: Values) -> "_Cursor":
        return self.run(lambda: self._cursor.execute(sql, values))

    def executemany(self, sql: str, many: Iterable[Values]) -> "_Cursor":
        return self.run(lambda: list(self._cursor.executemany(sql, many)))

    def fetchone(self) -> Any:
        return _translated(self._cursor.fetchone)

    def fetchall(self) -> list[Any]:
        return list(self)

    def __iter__(self) -> Iterator[Any]:
        return iter(_translated(self._cursor.fetchall))


class _Connection:
    def __init__(self, path: Path, vfs: str) -> None:
        self._connection = apsw.Connection(str(path), vfs=vfs)

    def execute(self, sql: str, values: Values = ()) -> _Cursor:
        return _Cursor(self._connection).execute(sql, values)

    def executemany(self, sql: str, many: Iterable[Values]) -> _Cursor:
        return _Cursor(self._connection).executemany(sql, many)

    def executescript(self, script: str) -> None:
        _translated(lambda: list(self._connection.execute(script)))

    def backup(self, target: sqlite3.Connection) -> None:
        path = target.execute("PRAGMA database_list").fetchone()[2]
        copy = apsw.Connection(path)
        with closing(copy), copy.backup("main", self._connection, "main") as steps:
            _translated(steps.step)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes()

    def close(self) -> None:
        self._connection.close()


def connect(path: Path, vfs: str) -> sqlite3.Connection:
    """A connection to the file at `path` through the named VFS."""
    return cast(sqlite3.Connection, _Connection(path, vfs))


def _translated(step: Callable[[], Result]) -> Result:
    """The step's result; raises sqlite3's errors for apsw's."""
    try:
        return step()
    except apsw.Error as error:
        broken = isinstance(error, apsw.ConstraintError)
        kind = sqlite3.IntegrityError if broken else sqlite3.OperationalError
        translated = kind(str(error))
        translated.sqlite_errorcode = getattr(error, "extendedresult", 0)
        raise translated from error
