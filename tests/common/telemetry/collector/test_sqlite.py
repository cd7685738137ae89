"""What only a file can do, and what can go wrong with it."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from common.telemetry.collector import sqlite_engine
from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.engine import ArchiveDown, ArchiveError
from common.telemetry.collector.report import gaps
from common.telemetry.collector.rows import Batch, Stored
from tests.common.telemetry.collector.rig import NOW, query, row


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "archive.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


def test_commits_wait_for_the_disk_and_the_file_is_its_owners(path, url):
    with closing(open_archive(url)) as archive:
        pragma = archive._engine._connection.execute
        assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
        assert pragma("PRAGMA synchronous").fetchone() == (2,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_process_owns_the_file(url):
    with closing(open_archive(url)):
        module = "common.telemetry.collector.archive"
        code = f"from {module} import open_archive; open_archive({url!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
    assert "another collector owns it" in done.stderr


def test_a_reader_beside_it_sees_what_is_committed(url):
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=(row(1), row(3))), NOW)
        assert gaps(url)["missing"] == 1
        assert archive.store(Batch(rows=(row(2),)), NOW) == Stored(1, 0, 0)
        assert gaps(url)["missing"] == 0


def test_a_damaged_file_is_left_as_it_is_and_named(path, url):
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=tuple(row(n) for n in range(1, 500))), NOW)
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=str(path)):
        open_archive(url)
    assert path.read_bytes() == content
    path.write_bytes(b"no database at all" * 500)
    with pytest.raises(ArchiveError, match="cannot be used as an archive"):
        open_archive(url)


def test_a_schema_of_newer_software_is_refused(path, url):
    open_archive(url).close()
    query(url, "PRAGMA user_version = 99")
    with pytest.raises(ArchiveError, match="schema 99"):
        open_archive(url)


def test_an_older_archive_is_brought_up_to_date(url, monkeypatch):
    steps = sqlite_engine.MIGRATIONS
    monkeypatch.setattr(sqlite_engine, "MIGRATIONS", steps[:1])
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=(row(1),)), NOW)
    monkeypatch.setattr(sqlite_engine, "MIGRATIONS", steps)
    with closing(open_archive(url)) as archive:
        assert archive.store(Batch(rows=(row(1), row(2))), NOW) == Stored(1, 1, 0)
    assert query(url, "SELECT count(*) FROM events_per_hour") == [(1,)]


def test_a_full_disk_is_waited_for(url):
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=(row(1),)), NOW)
        pragma = archive._engine._connection.execute
        (pages,) = pragma("PRAGMA page_count").fetchone()
        pragma(f"PRAGMA max_page_count = {pages}")
        large = Batch(rows=tuple(row(n, data=f'{{"x":"{"y" * 9000}"}}') for n in range(2, 9)))
        with pytest.raises(ArchiveDown, match="full"):
            archive.store(large, NOW)
        pragma(f"PRAGMA max_page_count = {pages + 100}")
        assert archive.store(large, NOW) == Stored(7, 0, 0)


def test_what_was_deleted_for_its_age_is_neither_missing_nor_kept_again(url):
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=(row(1), row(2), row(3))), NOW)
    query(url, "DELETE FROM events WHERE sequence < 3")
    with closing(open_archive(url)) as archive:
        assert archive.store(Batch(rows=(row(1), row(4))), NOW) == Stored(1, 1, 0)
        assert archive.claim(NOW + 100_000) == []
    assert (gaps(url)["missing"], gaps(url)["received"]) == (0, 4)
    assert query(url, "SELECT sequence FROM events ORDER BY 1") == [(3,), (4,)]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="file"):
        open_archive(f"sqlite:///{tmp_path}/file/archive.db")


@pytest.mark.parametrize("table", ["events(mine TEXT)", "records(seq INTEGER)"])
def test_a_file_of_another_program_is_not_touched(path, url, table):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {table}")
        connection.execute("PRAGMA user_version=2")  # as a station's file, too
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match="is the database of another program"):
        open_archive(url)
    assert path.read_bytes() == before
