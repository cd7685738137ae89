"""The archive in PostgreSQL: for a site or a fleet, with as many collectors as are needed."""

import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from common.errors import BackendMissing
from common.telemetry.collector import ledger
from common.telemetry.collector.engine import (
    ArchiveDown,
    ArchiveError,
    ArchiveRefused,
    Clash,
    Id,
    shown,
)
from common.telemetry.collector.ledger import Stream
from common.telemetry.collector.postgresql_schema import Months, make_schema
from common.telemetry.collector.postgresql_statements import (
    COPY,
    COUNT,
    DUE,
    LOCK,
    MAKE,
    PRUNE,
    RECORDED,
    REJECT,
    SAVE,
)
from common.telemetry.collector.records import rejected_values, stream_values
from common.telemetry.collector.rows import EventRow, Key, Rejected

if TYPE_CHECKING:
    import psycopg

PATIENT = {
    "connect_timeout": 10,
    "application_name": "lineside-collector",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that has vanished is noticed in half a minute; an address may say otherwise."""
ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
TABS = len(EventRow._fields) - 1
log = logging.getLogger("lineside.collector")


def load_driver() -> Any:
    """psycopg; raises BackendMissing where it is not installed."""
    try:
        return importlib.import_module("psycopg")
    except ImportError as error:
        raise BackendMissing(
            f"PostgreSQL needs psycopg ({error}): pip install '.[postgresql]'"
        ) from error


def connect(url: str) -> "psycopg.Connection[Any]":
    """A connection whose commits are on the server's disk; raises ArchiveDown."""
    driver = load_driver()
    try:
        given = driver.conninfo.conninfo_to_dict(url)
    except driver.ProgrammingError as error:
        raise ArchiveError(f"{shown(url)}: no address of a database") from error
    try:
        connection: psycopg.Connection[Any] = driver.connect(
            **{**PATIENT, **given}, autocommit=True
        )
        with closed_on_failure(connection):
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
    except driver.Error as error:
        raise ArchiveDown(f"{shown(url)}: {_line(error)}") from error
    return connection


@contextmanager
def closed_on_failure(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """Close the connection when what is done with it fails."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def copy_line(row: EventRow) -> str:
    """The row as a line of COPY's text format; made at once, cheaper than value by value."""
    line = "\t".join((row[0], row[1], str(row[2]), *row[3:]))
    if line.count("\t") == TABS and not any(mark in line for mark in "\\\n\r"):
        return line + "\n"
    return "\t".join(str(value).translate(ESCAPED) for value in row) + "\n"


class PostgresqlEngine:
    """One connection, opened anew when it breaks."""

    def __init__(self, url: str, layout: str) -> None:
        self._driver, self._url, self._layout = load_driver(), url, layout
        self._months = Months()
        self._open: psycopg.Connection[Any] | None = None
        with self.transaction():  # what is wrong is said at once
            pass

    def _connection(self) -> "psycopg.Connection[Any]":
        if self._open is None or self._open.closed:
            connection = connect(self._url)
            with closed_on_failure(connection):
                self._layout = make_schema(connection, self._layout)
            self._months.forget()
            self._open = connection
        return self._open

    def prepare(self, rows: Sequence[EventRow]) -> None:
        """Partitions for the months of `rows`."""
        if self._layout == "monthly":
            for month in self._months.lacking(rows):
                self._make_month(month)

    def _make_month(self, month: str) -> None:
        try:
            with self.transaction():
                self._months.make(self._connection(), month)
        except ArchiveError as error:
            if self._open is None:  # the server is gone, and not only the right to do this
                raise
            log.warning("no partition for %s, its events go to the default: %s", month, error)
            self._months.put_off(month)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Whole or not at all; raises ArchiveDown, ArchiveRefused, Clash."""
        try:
            with self._connection().transaction():
                yield
        except self._driver.errors.UniqueViolation as error:
            raise Clash(f"{shown(self._url)}: {_line(error)}") from error
        except (self._driver.DataError, self._driver.IntegrityError, UnicodeError) as error:
            raise ArchiveRefused(f"{shown(self._url)}: {_line(error)}") from error
        except self._driver.Error as error:
            locked = isinstance(error, self._driver.errors.LockNotAvailable)
            if not locked and not isinstance(error, self._driver.ProgrammingError):
                self.close()  # another attempt may find another, better server
            raise ArchiveDown(f"{shown(self._url)}: {_line(error)}") from error

    def lock(self, keys: Sequence[Key]) -> dict[Key, Stream]:
        """The streams, held until the transaction ends; in order, so that nobody deadlocks."""
        found = self._locked(keys)
        new = [key for key in keys if key not in found]
        if new:
            states = [ledger.dump(Stream(*key)) for key in new]
            self._connection().execute(MAKE, (*_columns(new, 2), states))
            found |= self._locked(new)
        return found

    def _locked(self, keys: Sequence[Key]) -> dict[Key, Stream]:
        cursor = self._connection().execute(LOCK, _columns(keys, 2))
        return {(source, epoch): ledger.parse(text) for source, epoch, text in cursor}

    def recorded(self, ids: Sequence[Id]) -> dict[Id, str]:
        """Which of the events are in the table, and when each was recorded."""
        cursor = self._connection().execute(RECORDED, _columns(ids, 3))
        return {(source, epoch, sequence): at for source, epoch, sequence, at in cursor}

    def insert(self, rows: Sequence[EventRow]) -> None:
        """Keep rows, none of which is in the table."""
        if rows:
            with self._connection().cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write("".join(map(copy_line, rows)))

    def save(self, streams: Sequence[Stream]) -> None:
        """Write locked streams back."""
        self._many(SAVE, [(*stream_values(one), *one.key) for one in streams])

    def reject(self, rejected: Sequence[Rejected], keep: int) -> None:
        """Note what was turned away: the same again is counted, at most `keep` per topic."""
        self._many(REJECT, [rejected_values(one) for one in rejected])
        self._many(COUNT, [(one.topic,) for one in rejected])
        topics = sorted({one.topic for one in rejected})
        self._many(PRUNE, [{"topic": topic, "keep": keep} for topic in topics])

    def _many(self, statement: Any, values: Sequence[Any]) -> None:
        if values:
            with self._connection().cursor() as cursor:
                cursor.executemany(statement, values)

    def due(self, now: float, latest: float, most: int) -> list[Stream]:
        """Streams whose `ask_at` has come, or lies beyond `latest`; locked."""
        cursor = self._connection().execute(DUE, (now, latest, most))
        return [ledger.parse(text) for (text,) in cursor]

    def streams(self) -> list[Stream]:
        """All there are, in order."""
        return _streams(self._connection())

    def close(self) -> None:
        """Let go of the database."""
        if self._open is not None:
            with suppress(self._driver.Error):
                self._open.close()
            self._open = None


def _columns(rows: Sequence[Sequence[Any]], width: int) -> tuple[list[Any], ...]:
    return tuple([row[index] for row in rows] for index in range(width))


def _streams(connection: "psycopg.Connection[Any]") -> list[Stream]:
    cursor = connection.execute("SELECT state FROM streams ORDER BY source, epoch")
    return [ledger.parse(text) for (text,) in cursor]


def _line(error: Exception) -> str:
    """A driver's words on one line, without the rows they may quote."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def read_streams(url: str) -> list[Stream]:
    """The ledger of an archive that collectors may be writing."""
    driver = load_driver()
    connection = connect(url)
    try:
        with connection:
            return _streams(connection)
    except driver.Error as error:
        raise ArchiveError(
            f"{shown(url)}: no archive can be read there ({_line(error)})"
        ) from error
