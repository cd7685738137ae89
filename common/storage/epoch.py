"""Which file this is, and how far its numbers have come: what keeps event ids unique for ever.

An event is known by epoch and sequence. A file has one epoch; a new one begins with a
fresh file, and also when the file turns out to be behind its high-water mark: an older
copy was put back, or a log was cut off, and numbers that were given already would be given
again. What the epoch begins with, the outbox tells as its first event.
"""

import os
import secrets
import sqlite3
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from common.canonical import canonical_json
from common.whole_file import sync_folder

EVENTS, STARTS = "events", "starts"
UNTOLD = "epoch_untold"
"""Key of what the present epoch replaces, as JSON, until the outbox has told it."""
AFTER = "epoch_after"
"""Key of the mark that the present epoch found when it began."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The highest sequence that was given out, and in which epoch."""

    epoch: str
    sequence: int

    def line(self) -> str:
        """As it stands in its file, with a checksum: garbage is not to be believed."""
        text = f"{self.epoch} {self.sequence:020d}"
        return f"{text} {zlib.crc32(text.encode()):08x}\n"


UNKNOWN = Mark("", 0)
"""There were numbers given out, nobody knows how many."""


@dataclass(frozen=True, slots=True)
class Replaces:
    """What was before the present epoch, and what became of its undelivered events."""

    epoch: str | None
    """None where the damaged file did not even tell its name."""
    damage: str
    salvaged: int
    """Events that were undelivered and are in the file now, with their own ids."""
    lost_unknown: bool
    """Whether others may be lost, nobody can say how many."""
    moved_to: str
    """The damaged file's name now; empty where it was kept in use."""


class MarkFile:
    """The high-water mark beside the store, where damage to the one spares the other.

    Written after each commit, in place, and left to the operating system to sync: a mark
    that is behind after a power cut proves nothing, one that is ahead proves a loss. Only
    at a start it is synced, for a new file may else be found empty.
    """

    def __init__(self, store: Path) -> None:
        self._path = store.with_name(store.name + ".mark")
        self._descriptor: int | None = None
        self._kept: Mark | None = None

    def read(self) -> Mark | None:
        """The mark as last kept; None where there never was one, UNKNOWN for garbage."""
        if not self._path.exists():
            return None
        with suppress(OSError, ValueError, IndexError), self._path.open("rb") as file:
            line = file.read(100).decode("ascii")
            mark = Mark(line.split()[0], int(line.split()[1]))
            return mark if mark.line() == line else UNKNOWN
        return UNKNOWN

    def sync(self) -> None:
        """Have what was kept on the disk, with its name, before this returns."""
        with suppress(OSError):
            if self._descriptor is not None:
                os.fsync(self._descriptor)
                sync_folder(self._path.parent)

    def keep(self, connection: sqlite3.Connection) -> None:
        """Write how far the file has come, in one piece and in place; after a commit."""
        with suppress(OSError, sqlite3.Error):  # a full disk: the next commit tries again
            mark = present(connection)
            if mark is None or mark == self._kept:
                return
            if self._descriptor is None:
                flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
            os.pwrite(self._descriptor, mark.line().encode("ascii"), 0)
            self._kept = mark

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def present(connection: sqlite3.Connection) -> Mark | None:
    """The file's epoch and its last sequence; None while it has no epoch."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return Mark(str(row[0]), number(connection, EVENTS)) if row else None


def may_be_behind(connection: sqlite3.Connection, held: Mark, mark: Mark | None) -> bool:
    """Whether numbers may have been given out that the file does not know of."""
    if mark is not None and mark.epoch == held.epoch and mark.sequence <= held.sequence:
        return False
    after = connection.execute("SELECT value FROM meta WHERE key = ?", (AFTER,)).fetchone()
    if after is None:  # from before there were marks
        return mark is not None
    if after[0] != _line(mark):
        return True
    # The epoch has kept no mark of its own: just begun, or a copy that came without its mark.
    untold = connection.execute("SELECT 1 FROM meta WHERE key = ?", (UNTOLD,)).fetchone()
    return untold is None


def begin(
    connection: sqlite3.Connection, above: int, replaces: Replaces | None, mark: Mark | None
) -> str:
    """Begin a new epoch, whose sequence goes on above `above`, in the caller's transaction."""
    epoch = secrets.token_hex(6)
    told = canonical_json(asdict(replaces) if replaces else None)
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES(?, ?)",
        [("epoch", epoch), (EVENTS, str(above)), (UNTOLD, told), (AFTER, _line(mark))],
    )
    return epoch


def _line(mark: Mark | None) -> str:
    return mark.line() if mark else ""


def number(connection: sqlite3.Connection, key: str) -> int:
    """How far the counter `key` has come; 0 before its first count."""
    row = connection.execute(
        "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?", (key,)
    ).fetchone()
    return int(row[0]) if row else 0


def set_number(connection: sqlite3.Connection, key: str, value: int) -> None:
    """Have the counter `key` stand at `value`."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, str(value)))


def boot_id(connection: sqlite3.Connection) -> str:
    """Names this start of the station: "<machine boot>-<count of starts>".

    Monotonic times compare where the first part is equal; subjects are scoped by all of it.
    """
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
    except OSError:
        machine = secrets.token_hex(4)
    start = number(connection, STARTS) + 1
    set_number(connection, STARTS, start)
    return f"{machine}-{start}"
