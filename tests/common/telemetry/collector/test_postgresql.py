"""What only PostgreSQL can do, and what can go wrong there."""

import sys
import threading
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from common.errors import BackendMissing
from common.telemetry.collector import postgresql_schema
from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.engine import ArchiveDown, ArchiveError
from common.telemetry.collector.report import gaps
from common.telemetry.collector.rows import Batch, Stored
from common.telemetry.collector.settings import TIMESCALEDB
from common.telemetry.event import iso_time
from tests.common.telemetry.collector.rig import NOW, STATION, query, row

PARTITIONS = (
    "SELECT tableoid::regclass::text AS partition, count(*) FROM events GROUP BY 1 ORDER BY 1"
)


@pytest.fixture
def url(postgresql) -> str:
    return postgresql.schema()


@pytest.fixture
def database(postgresql) -> str:
    return postgresql.database()


def at(sequence, *when):
    """An event of a month, received in January 2026."""
    moment = datetime(*when, 12, tzinfo=UTC).timestamp()
    return row(sequence, time=iso_time(moment), received_time=iso_time(NOW))


def test_texts_arrive_as_they_were_whatever_copy_makes_of_their_marks(url):
    texts = [
        "a\\b",
        "\\N",
        "\\.",
        "tab\there",
        "two\nlines",
        "cr\r",
        "\x0b\x08",
        "ü 😀",
        "\\\t",
        "x",
    ]
    rows = tuple(row(number, subject=text) for number, text in enumerate(texts, start=1))
    with closing(open_archive(url)) as archive:
        assert archive.store(Batch(rows=rows), NOW) == Stored(len(texts), 0, 0)
    found = query(url, "SELECT subject FROM events ORDER BY sequence")
    assert [text for (text,) in found] == texts


def test_months_get_a_partition_each_and_nonsense_the_default(url):
    rows = (
        at(1, 2026, 1, 31), at(2, 2026, 2, 1), at(3, 2025, 12, 31), at(4, 2024, 1, 1),
        at(5, 2023, 12, 31), at(6, 2026, 3, 1), at(7, 1970, 1, 1), at(8, 9999, 12, 31),
        at(9, 1, 1, 1),
    )  # fmt: skip
    with closing(open_archive(url)) as archive:
        assert archive.store(Batch(rows=rows), NOW) == Stored(9, 0, 0)
        assert archive.store(Batch(rows=rows), NOW) == Stored(0, 9, 0)
    assert query(url, PARTITIONS) == [
        ("events_2024_01", 1), ("events_2025_12", 1), ("events_2026_01", 1),
        ("events_2026_02", 1), ("events_default", 5),
    ]  # fmt: skip


def test_what_came_before_its_month_moves_into_its_partition(url):
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=(at(1, 2026, 3, 5), at(2, 2026, 3, 6))), NOW)
        assert query(url, PARTITIONS) == [("events_default", 2)]
        later = row(
            3, time="2026-03-01T00:00:00.000Z", received_time="2026-03-01T00:00:01.000Z"
        )
        assert archive.store(Batch(rows=(later, at(1, 2026, 3, 5))), NOW) == Stored(1, 1, 0)
    assert query(url, PARTITIONS) == [("events_2026_03", 3)]


def test_a_partition_that_may_not_be_made_costs_no_event(database):
    open_archive(database).close()
    query(database, "CREATE ROLE writer LOGIN")
    try:
        query(database, "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO writer")
        as_writer = database.replace("postgres@", "writer@")
        with closing(open_archive(as_writer)) as archive:
            for sequence in (1, 2):
                assert archive.store(Batch(rows=(row(sequence),)), NOW) == Stored(1, 0, 0)
        assert query(database, PARTITIONS) == [("events_default", 2)]
    finally:
        query(database, "DROP OWNED BY writer")
        query(database, "DROP ROLE writer")


def test_a_long_query_does_not_hold_up_collecting(url):
    """A partition waits for all who read the default one; events do not wait for it."""
    with closing(open_archive(url)) as archive, psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM events")
        assert archive.store(Batch(rows=(row(1),)), NOW) == Stored(1, 0, 0)
        reader.rollback()
        assert archive.store(Batch(rows=(row(2),)), NOW) == Stored(1, 0, 0)
        assert query(url, PARTITIONS) == [("events_default", 2)], "it is left alone for a while"
        archive._engine._months._later.clear()  # ten minutes later
        assert archive.store(Batch(rows=(row(3),)), NOW) == Stored(1, 0, 0)
    assert query(url, PARTITIONS) == [("events_2026_01", 3)]


def test_the_coming_months_partition_is_there_before_its_first_event(url):
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=(row(1),)), NOW)
    assert query(url, "SELECT to_regclass('events_2026_02') IS NOT NULL") == [(True,)]


def test_collectors_at_once_on_the_same_streams_neither_lose_nor_deadlock(url):
    sources = [STATION.source, *(f"urn:lineside:acme:plant1:line2:cam{n}:x" for n in range(5))]
    with closing(open_archive(url)):
        pass
    stored, troubles = [], []

    def work(order):
        with closing(open_archive(url)) as archive:
            for start in range(1, 101, 10):
                rows = tuple(
                    row(n, source=source)
                    for source in sources[::order]
                    for n in range(start, start + 15)  # batches overlap
                )
                try:
                    stored.append(archive.store(Batch(rows=rows), NOW).stored)
                except ArchiveError as error:
                    troubles.append(error)

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert troubles == []
    assert sum(stored) == 6 * 105
    assert {tuple(one["missing"]) for one in gaps(url)["sources"]} == {()}
    assert query(url, "SELECT count(*) FROM events") == [(630,)]


def test_gaps_are_claimed_by_one_collector_alone(url):
    with closing(open_archive(url)) as one, closing(open_archive(url)) as two:
        for n in range(20):
            source = f"urn:lineside:a:b:c:d{n}:e"
            one.store(Batch(rows=(row(1, source=source), row(3, source=source))), NOW)
        claims = [archive.claim(NOW + 60) for archive in (one, two, one)]
    assert [len(claim) for claim in claims] == [20, 0, 0]


def test_a_server_that_is_gone_is_down_and_found_again(
    postgresql_program_folder, cluster_class, monkeypatch
):
    cluster = cluster_class(postgresql_program_folder)
    try:
        cluster.start()
        with closing(open_archive(cluster.database())) as archive:
            archive.store(Batch(rows=(row(1),)), NOW)
            cluster.stop()
            for _ in range(2):
                with pytest.raises(ArchiveDown):
                    archive.store(Batch(rows=(row(2),)), NOW)
            cluster.start()
            assert archive.store(Batch(rows=(row(1), row(2))), NOW) == Stored(1, 1, 0)
    finally:
        cluster.remove()


def test_commits_wait_for_the_disk_whatever_the_server_says(database):
    name = database.partition("@/")[2].partition("?")[0]
    query(database, f"ALTER DATABASE {name} SET synchronous_commit = off")
    with closing(open_archive(database)) as archive:
        setting = archive._engine._connection().execute("SHOW synchronous_commit").fetchone()
    assert setting == ("on",)


def test_a_schema_of_newer_software_is_refused(url):
    open_archive(url).close()
    query(url, "UPDATE archive_schema SET version = 99")
    with pytest.raises(ArchiveError, match="schema 99, this software knows 2"):
        open_archive(url)


def test_an_older_archive_is_brought_up_to_date(url, monkeypatch):
    steps = postgresql_schema.STEPS
    monkeypatch.setattr(postgresql_schema, "STEPS", steps[:1])
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=(row(1),)), NOW)
    with pytest.raises(psycopg.Error):
        query(url, "SELECT * FROM last_seen")
    monkeypatch.setattr(postgresql_schema, "STEPS", steps)
    with closing(open_archive(url)) as archive:
        assert archive.store(Batch(rows=(row(1), row(2))), NOW) == Stored(1, 1, 0)
    assert query(url, "SELECT count(*) FROM stations") == [(1,)]


def test_many_collectors_make_the_tables_once(url):
    troubles = []

    def start():
        try:
            open_archive(url).close()
        except ArchiveError as error:
            troubles.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert troubles == []
    assert query(url, "SELECT version, layout FROM archive_schema") == [(2, "monthly")]


def test_timescaledb_that_is_not_there_is_named(url):
    with pytest.raises(BackendMissing, match="CREATE EXTENSION timescaledb"):
        open_archive(url, layout=TIMESCALEDB)
    open_archive(url).close()


def test_with_timescaledb_the_table_becomes_a_hypertable(url, monkeypatch):
    """TimescaleDB itself is not at hand: what it would be asked is recorded."""
    query(
        url,
        "CREATE FUNCTION create_hypertable(t regclass, c name, chunk_time_interval interval)"
        " RETURNS void LANGUAGE sql AS $$ CREATE TABLE asked AS SELECT t, c,"
        " chunk_time_interval $$",
    )
    real = postgresql_schema._value
    monkeypatch.setattr(
        postgresql_schema, "_value",
        lambda connection, q: 1 if "pg_extension" in q else real(connection, q),
    )  # fmt: skip
    with closing(open_archive(url, layout=TIMESCALEDB)) as archive:
        assert archive.store(Batch(rows=(row(1), at(2, 1970, 1, 1))), NOW) == Stored(2, 0, 0)
    with closing(open_archive(url)) as archive:
        assert archive.store(Batch(rows=(row(2),)), NOW) == Stored(0, 1, 0)
    assert query(url, PARTITIONS) == [("events", 2)]
    assert query(url, "SELECT t::text, c FROM asked") == [("events", "time")]
    assert query(url, "SELECT layout FROM archive_schema") == [(TIMESCALEDB,)]


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BackendMissing, match=r"pip install '\.\[postgresql\]'"):
        open_archive("postgresql://localhost/x")


def test_an_address_that_makes_no_sense_is_named_without_its_password():
    with pytest.raises(ArchiveError, match="no address of a database") as caught:
        open_archive("postgresql://u:secret@h/x?nonsense=1")
    assert "secret" not in str(caught.value)


def test_gaps_of_a_database_without_an_archive(url):
    with pytest.raises(ArchiveError, match="no archive can be read there"):
        gaps(url)
