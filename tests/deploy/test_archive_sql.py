"""The archive's SQL for a server's owner: roles, and what is old."""

import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.rows import Batch, Stored
from tests.common.telemetry.collector.rig import NOW, query, row

SQL = Path(__file__).parents[2] / "deploy" / "sql"


@pytest.fixture
def lineside(postgresql, postgresql_program_folder):
    """A function that runs a file with psql, in a database where roles.sql was run."""
    url = postgresql.database()

    def run(name: str, *words: str) -> None:
        psql = postgresql_program_folder / "psql"
        done = subprocess.run(
            [psql, "-X", "-q", "-d", url, *words, "-f", SQL / name],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "ERROR" not in done.stderr

    run("roles.sql")
    run.owner = url
    run.collector = url.replace("postgres@", "lineside_collector@")
    run.reader = url.replace("postgres@", "lineside_reader@")
    yield run
    for role in ("lineside_reader", "lineside_collector"):
        query(url, f"DROP OWNED BY {role} CASCADE")
        query(url, f"DROP ROLE {role}")


def at(sequence, month):
    return row(
        sequence, time=f"{month}-05T00:00:00.000Z", received_time="2026-01-01T00:00:00.000Z"
    )


def test_the_collector_makes_its_tables_and_the_reader_only_reads(lineside):
    with closing(open_archive(lineside.collector)) as archive:
        assert archive.store(Batch(rows=(row(1),)), NOW) == Stored(1, 0, 0)
        assert archive.store(Batch(rows=(at(2, "2025-12"),)), NOW) == Stored(1, 0, 0)
    assert query(lineside.reader, "SELECT count(*) FROM events") == [(2,)]
    assert query(lineside.reader, "SELECT site FROM stations") == [("plant1",)]
    for statement in (
        "DELETE FROM events", "UPDATE streams SET state = ''", "CREATE TABLE mine(x integer)",
        "INSERT INTO rejected_totals VALUES('x', 1)", "DROP VIEW gaps",
    ):  # fmt: skip
        for wish in (statement, f"SET default_transaction_read_only = off; {statement}"):
            with pytest.raises(psycopg.Error):
                query(lineside.reader, wish)
    assert query(lineside.owner, "SELECT count(*) FROM lineside.events") == [(2,)]


def test_old_months_go_and_are_not_asked_for_again(lineside):
    months = ("2024-03", "2025-10", "2025-12")
    with closing(open_archive(lineside.collector)) as archive:
        rows = tuple(at(n, month) for n, month in enumerate(months, 1))
        archive.store(Batch(rows=rows), NOW)
        before = archive.streams()
        (recent,) = query(lineside.owner, "SELECT to_char(now(), 'YYYY-MM')")[0]
        age = (int(recent[:4]) - 2025) * 12 + int(recent[5:]) - 11
        lineside("retention.sql", "-v", f"months={age}")
        found = query(lineside.collector, "SELECT sequence FROM events ORDER BY 1")
        assert found == [(3,)], "only December 2025 is young enough"
        assert archive.streams() == before
        assert archive.store(Batch(rows=rows), NOW) == Stored(0, 3, 0)
        assert archive.claim(NOW + 1e6) == []
