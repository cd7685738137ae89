"""Room for the station's file: what it uses, what it may, and a reserve for a full disk.

On a full disk SQLite cannot even delete: the log needs room first (FLEET fact 9). So some
room is kept in a file beside, and given up when the disk is full. With it the log is worked
off, which frees the log's own room; and then the file grows no more: the old goes in favour
of the new, all in place.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

PAGE_BYTES = 4096
LARGE_BYTES = 64 << 20
LOG_PAGES = (200, 1000)
"""Least and most of them before they go into the file."""


class Reserve:
    """A file of `size` bytes that is worth nothing but its room; 0 does without."""

    def __init__(self, store: Path, size: int) -> None:
        self._path, self._size = store.with_name(store.name + ".reserve"), size

    def take(self) -> None:
        """Make it whole, unless that would leave less than as much again on the disk."""
        missing = self._size - self._present()
        if missing <= 0:
            return
        with suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize >= missing + self._size:
                self._allocate()

    def _allocate(self) -> None:
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def give(self) -> bool:
        """Give it up; False when there was none."""
        given = self._present() > 0
        with suppress(OSError):
            os.truncate(self._path, 0)
        return given

    @property
    def gone(self) -> bool:
        """Whether it has been given up, and not been got back."""
        return self._size > 0 and not self._present()

    def _present(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0


def work_off_log(connection: sqlite3.Connection) -> None:
    """Have what is in the log go into the file, so that the log begins again at its start."""
    with suppress(sqlite3.Error):  # there may still be no room
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def bound_log(connection: sqlite3.Connection, reserve_bytes: int) -> None:
    """Let the log grow to half of the reserve before it is worked off.

    Longer it costs fewer syncs; but on a full disk the reserve must be able to replace it.
    """
    least, most = LOG_PAGES
    pages = max(least, min(most, reserve_bytes // 2 // PAGE_BYTES))
    connection.execute(f"PRAGMA wal_autocheckpoint={pages}")


def set_limit(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Bound the file; at what it has now where that is more."""
    pages = max(1, max_bytes // PAGE_BYTES)
    with suppress(sqlite3.Error):  # that failed; what follows will say it better
        connection.execute(f"PRAGMA max_page_count={pages}").fetchall()


def missing_room(connection: sqlite3.Connection, share: float) -> float:
    """How many bytes are missing until so great a share of what the file may be is free.

    Of a large file it is the share of LARGE_BYTES: so much room is enough for any burst.
    """
    limit = _pragma(connection, "max_page_count") * _pragma(connection, "page_size")
    return share * min(limit, LARGE_BYTES) - (limit - used_bytes(connection))


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the file that hold data; freed pages are not counted."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
