"""Whether the ward is being watched: a heartbeat comes from completed work, or not at all.

The ways out have threads of their own, which would go on saying "we live" beside a loop
that is dead. So they look at what the loop itself last said in the station's file.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from common import meta
from common.errors import LinesideError
from common.storage.queries import open_readonly

SNAPSHOT = "snapshot"


class Pulse:
    """Has the loop done sound work since this was last asked? For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beats: int | None = None
        """At the last call; None before the first, which has nothing to compare with."""

    def __call__(self) -> bool:
        """Also False where nothing can be read."""
        try:
            with closing(open_readonly(self._path)) as connection:
                said = meta.get(connection, SNAPSHOT) or {}
        except (sqlite3.Error, LinesideError, ValueError):
            return False
        before, self._beats = self._beats, said.get("counts", {}).get("beats", 0)
        return before is not None and self._beats > before and said.get("healthy") is True
