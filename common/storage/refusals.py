"""How much the store did not take, by class and reason: counted, and kept when it can be.

These never became events; that they were refused is told as an event of its own.
"""

import sqlite3
import threading
from collections import Counter

QUEUE, DISK, INVALID = "queue", "disk", "invalid"
"""The queue was full or closed; the disk did not take it; it failed by its own fault."""


class Refusals:
    """Counted by any thread, written by the store's."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._writing: Counter[tuple[str, str]] = Counter()

    def add(self, of_class: str, reason: str) -> None:
        """One operation with events of `of_class` was refused; without any, it is no loss."""
        if of_class:
            with self._mutex:
                self._counts[of_class, reason] += 1

    def write(self, connection: sqlite3.Connection) -> bool:
        """Bring what was counted into the file; to be followed by `written` once it is."""
        with self._mutex:
            self._writing = +self._counts
        connection.executemany(
            "INSERT INTO refused(class, reason, count) VALUES(?, ?, ?)"
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(*kind, count) for kind, count in self._writing.items()],
        )
        return False

    def written(self) -> None:
        """What `write` has written is durable."""
        with self._mutex:
            self._counts -= self._writing
            self._writing.clear()
