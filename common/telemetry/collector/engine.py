"""What a database must do for the archive, and how it says that it cannot.

ArchiveError               one clear line
├── ArchiveDown            not now: try again
├── ArchiveRefused         these rows, never: find out which
└── Clash                  the table has what the ledger does not know of
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from common.errors import LinesideError
from common.telemetry.collector.ledger import Stream
from common.telemetry.collector.rows import EventRow, Key, Rejected

Id = tuple[str, str, int]
"""Source, epoch, sequence."""


class ArchiveError(LinesideError):
    """The archive cannot do it; the text says why."""


class ArchiveDown(ArchiveError):
    """The database cannot be reached or cannot write now."""


class ArchiveRefused(ArchiveError):
    """The database does not take these rows, now or later."""


class Clash(ArchiveError):
    """An event is in the table already, unknown to the ledger."""


class Engine(Protocol):
    """A database. All but `prepare`, `transaction`, `close` run inside a transaction."""

    def prepare(self, rows: Sequence[EventRow]) -> None:
        """Make room for rows to come; in a transaction of its own, where it needs one."""

    def transaction(self) -> AbstractContextManager[None]:
        """Whole or not at all; raises ArchiveDown, ArchiveRefused, Clash."""

    def lock(self, keys: Sequence[Key]) -> dict[Key, Stream]:
        """The streams, held until the transaction ends; unknown ones are made."""

    def recorded(self, ids: Sequence[Id]) -> dict[Id, str]:
        """Which of the events are in the table, and when each was recorded (as in a row)."""

    def insert(self, rows: Sequence[EventRow]) -> None:
        """Keep rows, none of which is in the table."""

    def save(self, streams: Sequence[Stream]) -> None:
        """Write locked streams back."""

    def reject(self, rejected: Sequence[Rejected], keep: int) -> None:
        """Note what was turned away: the same again is counted, at most `keep` per topic."""

    def due(self, now: float, latest: float, most: int) -> list[Stream]:
        """Streams whose `ask_at` has come, or lies beyond `latest`, as a clock set wrong has
        left it, and that nobody else holds; locked.
        """

    def streams(self) -> list[Stream]:
        """All there are, in order."""

    def close(self) -> None:
        """Let go of the database."""


def shown(url: str) -> str:
    """An address fit for a log: without its password."""
    before, at, after = url.rpartition("@")
    scheme, slashes, user = before.partition("://")
    hidden = f"{scheme}{slashes}{user.partition(':')[0]}{at}{after}" if at else url
    return hidden.partition("?")[0]
