"""`lineside audit verify`: sound, broken, cut, forged, and a head seen elsewhere."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from apps.audit import as_text, verify
from common import audit
from common.audit import FIRST, Act
from common.errors import ConfigError
from common.storage.file import StoreError
from common.storage.schema import MIGRATIONS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "press-1"
    folder.mkdir()
    with closing(connected(folder)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript("".join(MIGRATIONS))
        for number in range(4):
            audit.append(connection, Act("mia", "operator", "acknowledge", f"{number}"), 1e9)
    return folder


def connected(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "station.sqlite", isolation_level=None)


def forge(folder: Path, *statements: str) -> None:
    with closing(connected(folder)) as connection:
        connection.execute("DROP TRIGGER audit_stays")
        connection.execute("DROP TRIGGER audit_unchanged")
        for statement in statements:
            connection.execute(statement)


def test_a_sound_trail_gives_its_head(folder: Path) -> None:
    found = verify(folder)
    assert (found["sound"], found["rows"], found["broken_row"]) == (True, 4, None)
    assert found["head"] in as_text(found)
    assert "sound in itself" in as_text(found)
    assert "--head" in as_text(found)


def test_the_head_of_before_is_found_again(folder: Path) -> None:
    seen = verify(folder)["head"]
    with closing(connected(folder)) as connection:
        audit.append(connection, Act("mia", "operator", "acknowledge", "4"), 1e9)
    found = verify(folder, seen.upper())
    assert (found["sound"], found["seen_row"], found["rows"]) == (True, 4, 5)
    assert "is row 4; 1 came since" in as_text(found)
    assert as_text(found).endswith("\nsound")


def test_a_changed_row_is_named(folder: Path) -> None:
    forge(folder, "UPDATE audit SET user = 'eve' WHERE seq = 2")
    found = verify(folder)
    assert (found["sound"], found["broken_row"]) == (False, 2)
    assert "BROKEN: row 2" in as_text(found)


def test_a_cut_tail_shows_by_itself_and_covered_up_against_the_head(folder: Path) -> None:
    seen = verify(folder)["head"]
    forge(folder, "DELETE FROM audit WHERE seq > 2")
    assert verify(folder)["broken_row"] == 3
    with closing(connected(folder)) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 2 WHERE name = 'audit'")
    assert verify(folder)["sound"]
    found = verify(folder, seen)
    assert not found["sound"]
    assert "FORGED OR CUT" in as_text(found)


def test_a_chain_made_anew_shows_against_the_head(folder: Path) -> None:
    seen = verify(folder)["head"]
    forge(folder, "DELETE FROM audit", "DELETE FROM sqlite_sequence WHERE name = 'audit'")
    with closing(connected(folder)) as connection:
        for number in range(4):
            audit.append(connection, Act("eve", "operator", "acknowledge", f"{number}"), 1e9)
    assert verify(folder)["sound"]
    assert not verify(folder, seen)["sound"]


def test_an_empty_trail(tmp_path: Path) -> None:
    with closing(connected(tmp_path)) as connection:
        connection.executescript("".join(MIGRATIONS))
    found = verify(tmp_path)
    assert (found["sound"], found["rows"], found["head"]) == (True, 0, FIRST)


@pytest.mark.parametrize("head", ["", "x" * 64, "abc", "'; DROP TABLE audit"])
def test_a_head_that_is_none_is_a_mistake(folder: Path, head: str) -> None:
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        verify(folder, head)


def test_no_such_station(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such station"):
        verify(tmp_path / "nowhere")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "station.sqlite").write_bytes(b"not a database" * 400)
    with pytest.raises(StoreError):
        verify(tmp_path)
