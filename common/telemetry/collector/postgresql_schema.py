"""The tables in PostgreSQL: made, brought up to date, and partitioned by month."""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from common.errors import BackendMissing
from common.telemetry.collector.engine import ArchiveError
from common.telemetry.collector.records import script
from common.telemetry.collector.rows import EventRow
from common.telemetry.collector.settings import TIMESCALEDB

if TYPE_CHECKING:
    import psycopg

STEPS = ("postgresql_1_tables.sql", "postgresql_2_views.sql")
"""Step n brings an archive from version n - 1 to n. Never edit a released one: add one."""
PARTITIONED = " PARTITION BY RANGE(time)"
TURN = 0x11_4E_51_DE
"""The advisory lock under which one collector at a time changes tables."""
CHUNKS = "SELECT create_hypertable('events', 'time', chunk_time_interval => INTERVAL '7 days')"
MONTHS_BACK, MONTHS_AHEAD = 24, 1
"""Only months near the present get a partition: a clock gone wild must not make a hundred."""
LATER_S = 600.0
"""Until a partition that could not be made is tried again."""
MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


def make_schema(connection: "psycopg.Connection[Any]", layout: str) -> str:
    """Make the tables or bring them up to date; the layout that the archive has.

    Raises ArchiveError for a schema of newer software, BackendMissing for a TimescaleDB
    that the server lacks.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (TURN,))
        if _value(connection, "SELECT to_regclass('archive_schema') IS NULL"):
            connection.execute("CREATE TABLE archive_schema(version integer, layout text)")
            connection.execute("INSERT INTO archive_schema VALUES(0, %s)", (layout,))
        version, layout = connection.execute(
            "SELECT version, layout FROM archive_schema"
        ).fetchone() or (0, layout)
        if version > len(STEPS):
            raise ArchiveError(
                f"the archive has schema {version}, this software knows {len(STEPS)};"
                " install the newer software"
            )
        for step in STEPS[version:]:
            _carry_out(connection, script(step), layout)
        connection.execute("UPDATE archive_schema SET version = %s", (len(STEPS),))
    return str(layout)


def _carry_out(connection: "psycopg.Connection[Any]", text: str, layout: str) -> None:
    made = PARTITIONED in text
    if made and layout == TIMESCALEDB:
        text = text.replace(PARTITIONED, "")
        if not _value(
            connection, "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"
        ):
            raise BackendMissing(
                "TimescaleDB is not in this database: CREATE EXTENSION timescaledb;"
                " or set collector.layout = monthly"
            )
    connection.execute(text)
    if made:
        connection.execute(
            CHUNKS
            if layout == TIMESCALEDB
            else "CREATE TABLE events_default PARTITION OF events DEFAULT"
        )


def _value(connection: "psycopg.Connection[Any]", query: Any) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


class Months:
    """Which monthly partitions there are; what has none lands in `events_default`."""

    def __init__(self) -> None:
        self._made: set[str] = set()
        self._later: dict[str, float] = {}

    def forget(self) -> None:
        """Look again: the database may be another one."""
        self._made.clear()

    def lacking(self, rows: Sequence[EventRow]) -> list[str]:
        """Months ("2026-01") near the present that `rows` need and that are not known.

        The coming month is one of them, so that its first event has nothing to wait for.
        """
        if not rows:
            return []
        newest = max(row.received_time for row in rows)[:7]
        wanted = {row.time[:7] for row in rows} | {_following(newest)[:7]}
        return [
            month
            for month in sorted(wanted - self._made)
            if MONTH.fullmatch(month)
            and -MONTHS_BACK <= _number(month) - _number(newest) <= MONTHS_AHEAD
            and time.monotonic() >= self._later.get(month, 0.0)
        ]

    def put_off(self, month: str) -> None:
        """Leave a month to the default partition for now."""
        self._later[month] = time.monotonic() + LATER_S

    def make(self, connection: "psycopg.Connection[Any]", month: str) -> None:
        """Give a month its partition, with what waited for it in the default one."""
        name = f"events_{month.replace('-', '_')}"
        first, next_first = f"{month}-01", _following(month)
        # Behind a long query everything would wait for us: rather try again later.
        connection.execute("SET LOCAL lock_timeout = '3s'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (TURN,))
        found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
        if not (found and found[0]):
            within = f"time >= '{first} 00:00Z' AND time < '{next_first} 00:00Z'"
            for statement in (
                "LOCK TABLE events_default IN ACCESS EXCLUSIVE MODE",
                f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
                f"WITH moved AS (DELETE FROM events_default WHERE {within} RETURNING *)"  # noqa: S608
                f" INSERT INTO {name} SELECT * FROM moved",
                f"ALTER TABLE events ATTACH PARTITION {name}"
                f" FOR VALUES FROM ('{first} 00:00Z') TO ('{next_first} 00:00Z')",
            ):
                connection.execute(statement)
        self._made.add(month)


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def _following(month: str) -> str:
    year, index = divmod(_number(month) + 1, 12)
    return f"{year:04d}-{index + 1:02d}-01"
