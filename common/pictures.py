"""Pictures as files beside the store, each with a row, so that none is kept unnoticed.

Everything here runs in the store's thread, never in the hot path.
"""

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path

from common.storage.file import StoreError

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
HALF_WRITTEN = ".part"


class Pictures:
    """The folder of one station's pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Make the folder; give a row to every file that has none.

        Such a file was written just before a kill, or its row went with a damaged store.
        It is kept, and from now on falls under the retention like any other.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = {row[0] for row in connection.execute("SELECT name FROM pictures")}
        for path in sorted(self.folder.iterdir(), key=lambda file: file.stat().st_mtime):
            if path.name.endswith(HALF_WRITTEN):
                path.unlink()
            elif path.is_file() and path.name not in known:
                facts = path.stat()
                _row(connection, path.name, facts.st_size, facts.st_mtime)

    def save(
        self, connection: sqlite3.Connection, name: str, data: bytes, wall_time: float
    ) -> None:
        """Write `data` (an encoded picture) as `name`; a file of that name is replaced.

        Raises StoreError for a name that is no plain file name, OSError when it cannot be
        written.
        """
        if not NAME.fullmatch(name) or name.endswith(HALF_WRITTEN):
            raise StoreError(
                f"picture name {name!r}: only letters, digits and . _ - are allowed"
            )
        part = self.folder / (name + HALF_WRITTEN)
        try:
            _write(part, data)
            part.rename(self.folder / name)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        connection.execute("DELETE FROM pictures WHERE name = ?", (name,))
        _row(connection, name, len(data), wall_time)

    def delete(self, connection: sqlite3.Connection, names: list[str]) -> int:
        """Delete files, then their rows; gives the bytes freed.

        In this order a kill in between leaves a row without a file, which the next pass
        clears, and never a picture that nothing will delete.
        """
        freed = 0
        for name in names:
            path = self.folder / name
            with suppress(FileNotFoundError):
                freed += path.stat().st_size
                path.unlink()
            connection.execute("DELETE FROM pictures WHERE name = ?", (name,))
        return freed


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _row(connection: sqlite3.Connection, name: str, size: int, wall_time: float) -> None:
    connection.execute(
        "INSERT INTO pictures(name, bytes, wall_time) VALUES(?, ?, ?)", (name, size, wall_time)
    )
