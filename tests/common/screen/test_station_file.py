"""Reading a station's real file while the station writes it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from common import meta, records
from common.clock import SystemClock
from common.records import Label, Record
from common.screen.station_file import (
    StationUnreadable,
    find_stations,
    read_station,
    var_folder,
)
from common.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "line" / "station.sqlite", SystemClock())
    yield store  # type: ignore[misc]
    store.close()


def add(store: Store, number: int) -> int:
    record = Record("verdict", str(number), float(number), 0.0, store.boot_id, {"n": number})
    return store.submit(lambda connection: records.add(connection, record)).result(10)


def test_an_open_store_is_read_beside_its_writer(store: Store) -> None:
    for number in range(5):
        add(store, number)
    store.submit(lambda connection: meta.put(connection, "snapshot", {"app": "x"})).result(10)
    reading = read_station(store.path, "verdict", 3)
    assert reading.snapshot.text("app") == "x"
    assert [row.body.whole("n") for row in reading.rows] == [2, 3, 4]


def test_a_closed_store_is_read_too(store: Store) -> None:
    add(store, 1)
    store.close()
    assert len(read_station(store.path, "verdict", 9).rows) == 1


def test_the_last_label_of_a_record_counts(store: Store) -> None:
    seq, other = add(store, 1), add(store, 2)
    for label in ("good", "defective"):
        entry = Label(seq, 0.0, "anna", label, "why")
        store.submit(lambda c, entry=entry: records.overrule(c, entry)).result(10)
    rows = {row.record.seq: row for row in read_station(store.path, "verdict", 9).rows}
    assert rows[seq].label is not None
    assert rows[seq].label.label == "defective"
    assert rows[other].label is None


def test_a_station_that_has_said_nothing_has_an_empty_word(store: Store) -> None:
    reading = read_station(store.path)
    assert not reading.snapshot
    assert reading.rows == ()


def test_reading_cannot_write(store: Store) -> None:
    before = store.path.stat().st_size
    read_station(store.path, "verdict", 10)
    assert store.path.stat().st_size == before


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_what_is_no_station_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd" / "station.sqlite"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StationUnreadable, match="odd: cannot be read"):
        read_station(path)


def test_a_broken_word_is_one_clear_line(store: Store) -> None:
    path = store.path
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO meta VALUES('snapshot', '{half')")
    with pytest.raises(StationUnreadable, match="line: cannot be read"):
        read_station(path)


def test_stations_are_found_by_their_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "no-station").mkdir()
    assert find_stations(tmp_path) == [store.path]
    assert find_stations(tmp_path / "nowhere") == []


def test_the_var_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESIDE_VAR", "/somewhere")
    assert var_folder() == Path("/somewhere")
    monkeypatch.delenv("LINESIDE_VAR")
    assert var_folder() == Path("var")
