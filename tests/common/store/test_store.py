import errno
import fcntl
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common import records
from common.clock import HeldClock, SystemClock
from common.records import DuplicateRecord, Label, Record
from common.retention import PLAUSIBLE_FROM, RetentionSettings
from common.storage.file import StoreError, migrate
from common.storage.queries import (
    count_kinds,
    drops,
    epoch,
    labels,
    latest,
    open_readonly,
    record,
)
from common.storage.schema import MIGRATIONS
from common.store import Store, StoreRefused, StoreSettings, StoreUnavailable

DAY = 86_400.0
WAIT_S = 10.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inspection" / "station.db"


@pytest.fixture
def store(path: Path, clock: HeldClock) -> Iterator[Store]:
    store = Store(path, clock, StoreSettings(group_ms=1.0))
    yield store
    store.close()


def a_record(store: Store, subject: str = "part-1", kind: str = "verdict", **more) -> Record:
    facts = {"wall_time": store.clock.wall(), "monotonic": store.clock.monotonic(), "body": {}}
    return Record(kind, subject, boot_id=store.boot_id, **{**facts, **more})


def add(store: Store, *args: str, **more) -> int:
    row = a_record(store, *args, **more)
    return store.submit(lambda connection: records.add(connection, row)).result(WAIT_S)


def upkeep(store: Store) -> None:
    for operation in store._upkeep:  # what the thread does when `upkeep_s` is over
        while store.submit(operation).result(WAIT_S):
            pass


# Records


def test_a_record_is_read_back_as_it_was_written(store: Store) -> None:
    seq = add(store, "part-1", body={"verdict": "fail", "mm": 0.42}, picture="part-1.jpg")
    with closing(open_readonly(store.path)) as connection:
        (found,) = latest(connection, "verdict")
        assert found == a_record(
            store, body={"verdict": "fail", "mm": 0.42}, picture="part-1.jpg", seq=seq
        )
        assert record(connection, seq) == found
        assert record(connection, seq + 1) is None


def test_a_part_is_recorded_once_only(store: Store) -> None:
    add(store, "part-1")
    with pytest.raises(DuplicateRecord, match="part-1: has a verdict already"):
        add(store, "part-1")
    add(store, "part-1", "fault")
    assert count_all(store) == {"verdict": 1, "fault": 1}


def test_a_part_number_may_come_again_in_another_start(path: Path, clock: HeldClock) -> None:
    boot_ids = []
    for _ in range(2):
        with closing(Store(path, clock)) as store:
            add(store, "part-1")
            boot_ids.append(store.boot_id)
    assert boot_ids[0] != boot_ids[1]


def test_values_json_cannot_hold_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        add(store, body={"score": float("nan")})


def count_all(store: Store) -> dict[str, int]:
    with closing(open_readonly(store.path)) as connection:
        return count_kinds(connection, 0.0, 1e12)


def test_latest_gives_what_is_new_oldest_first(store: Store) -> None:
    seqs = [add(store, f"part-{n}") for n in range(5)]
    with closing(open_readonly(store.path)) as connection:
        assert [r.seq for r in latest(connection, "verdict", since_seq=seqs[1])] == seqs[2:]
        assert [r.seq for r in latest(connection, "verdict", limit=2)] == seqs[3:]


def test_a_person_overrules_and_the_record_stays(store: Store) -> None:
    seq = add(store, body={"verdict": "fail"})
    label = Label(seq, store.clock.wall(), "mia", "pass", "only dust")
    store.submit(lambda connection: records.overrule(connection, label)).result(WAIT_S)
    with closing(open_readonly(store.path)) as connection:
        assert labels(connection, seq) == [label]
    unknown = Label(seq + 9, store.clock.wall(), "mia", "pass", "")
    with pytest.raises(StoreError, match="is not in the store"):
        store.submit(lambda connection: records.overrule(connection, unknown)).result(WAIT_S)


# The writer


def test_one_failing_operation_fails_only_its_own_future(path: Path, clock: HeldClock) -> None:
    with closing(Store(path, clock, StoreSettings(group_ms=200.0))) as store:
        rows = [a_record(store, f"part-{n}") for n in range(3)]

        def half_done(connection: sqlite3.Connection) -> None:
            records.add(connection, a_record(store, "never"))
            raise KeyError("bug")

        good = [store.submit(lambda c, row=row: records.add(c, row)) for row in rows[:2]]
        bad = store.submit(half_done)
        good.append(store.submit(lambda c: records.add(c, rows[2])))
        assert [future.result(WAIT_S) for future in good] == [1, 2, 3]
        with pytest.raises(KeyError, match="bug"):
            bad.result(WAIT_S)
        assert count_all(store) == {"verdict": 3}
        assert (store.failed, store.healthy) == (1, True)


def test_many_operations_share_a_commit_of_at_most_the_group(
    path: Path, clock: HeldClock
) -> None:
    with closing(Store(path, clock, StoreSettings(group_operations=10))) as store:
        commits: list[str] = []
        store.submit(lambda c: c.set_trace_callback(commits.append)).result(WAIT_S)
        rows = [a_record(store, f"part-{n}") for n in range(25)]
        futures = [store.submit(lambda c, row=row: records.add(c, row)) for row in rows]
        for future in futures:
            future.result(WAIT_S)
        store.submit(lambda c: c.set_trace_callback(None)).result(WAIT_S)
    assert 3 <= commits.count("COMMIT") <= 5


def test_a_future_resolves_only_after_the_commit(path: Path, clock: HeldClock) -> None:
    with closing(Store(path, clock)) as store, closing(open_readonly(path)) as connection:
        for number in range(20):
            add(store, f"part-{number}")
            assert len(latest(connection, "verdict")) == number + 1


def test_a_full_queue_refuses_at_once_and_counts(path: Path, clock: HeldClock) -> None:
    held = threading.Event()
    settings = StoreSettings(queue_operations=2, group_operations=1, queue_bytes=2000)
    with closing(Store(path, clock, settings)) as store:
        first = store.submit(lambda _: held.wait(WAIT_S))
        while len(store._queue):
            time.sleep(0.001)
        waiting = [store.submit(lambda _: None, size=900)]
        too_big = store.submit(lambda _: None, size=1200)
        waiting.append(store.submit(lambda _: None))
        one_more = store.submit(lambda _: None)
        assert store.refused == 2
        held.set()
        for future in (too_big, one_more):
            with pytest.raises(StoreRefused, match="wait already"):
                future.result(0)
        assert first.result(WAIT_S)
        assert [future.result(WAIT_S) for future in waiting] == [None, None]
        store.submit(lambda _: None, size=1900).result(WAIT_S)


def test_what_waits_is_written_before_closing(path: Path, clock: HeldClock) -> None:
    store = Store(path, clock)
    rows = [a_record(store, f"part-{n}") for n in range(500)]
    futures = [store.submit(lambda c, row=row: records.add(c, row)) for row in rows]
    store.close()
    assert all(future.done() for future in futures)
    assert count_all(store) == {"verdict": 500}
    with pytest.raises(StoreRefused, match="closed"):
        store.submit(lambda _: None).result(0)


def test_a_cancelled_operation_does_not_run(path: Path, clock: HeldClock) -> None:
    held = threading.Event()
    with closing(Store(path, clock, StoreSettings(group_ms=0.0))) as store:
        store.submit(lambda _: held.wait(WAIT_S))
        cancelled = store.submit(lambda c: records.add(c, a_record(store)))
        assert cancelled.cancel()
        held.set()
    assert count_all(store) == {}


# Disk full


def test_a_full_disk_fails_futures_and_heals(path: Path, clock: HeldClock) -> None:
    # No upkeep: SQLite's own limit stands for the disk.
    settings = StoreSettings(max_bytes=60 * 4096, group_ms=20.0, upkeep_s=1e9)
    with closing(Store(path, clock, settings)) as store:
        store._upkeep.clear()
        add(store, "small")
        rows = [a_record(store, f"part-{n}") for n in range(2)]
        huge = a_record(store, "huge", body={"x": "y" * 300_000})
        good = [store.submit(lambda c: records.add(c, rows[0]))]
        bad = store.submit(lambda c: records.add(c, huge))
        good.append(store.submit(lambda c: records.add(c, rows[1])))
        with pytest.raises(StoreUnavailable, match="database or disk is full"):
            bad.result(WAIT_S)
        assert all(future.result(WAIT_S) for future in good), "neighbours are kept"

        while True:
            try:
                add(store, f"fill-{time.monotonic_ns()}", body={"x": "y" * 3000})
            except StoreUnavailable:
                break
        assert not store.healthy
        assert "full" in store.last_error
        assert store.failed >= 2
        delete = "DELETE FROM records WHERE subject LIKE 'fill-%'"
        store.submit(lambda c: c.execute(delete).rowcount).result(WAIT_S)
        add(store, "after")
        assert store.healthy


def test_when_the_file_is_nearly_full_the_oldest_records_go(
    path: Path, clock: HeldClock
) -> None:
    limit = 1 << 20
    with closing(Store(path, clock, StoreSettings(max_bytes=limit, group_ms=0.0))) as store:
        kept = add(store, "labelled", body={"x": "y" * 1000})
        label = Label(kept, clock.wall(), "mia", "pass", "")
        store.submit(lambda c: records.overrule(c, label)).result(WAIT_S)
        row = {"x": "y" * 1000}
        for start in range(0, 1100, 100):
            batch = [a_record(store, f"part-{start + n}", body=row) for n in range(100)]
            futures = [store.submit(lambda c, r=r: records.add(c, r)) for r in batch]
            if any(isinstance(f.exception(WAIT_S), StoreUnavailable) for f in futures):
                upkeep(store)
        upkeep(store)
        newest = add(store, "newest")
        with closing(open_readonly(path)) as connection:
            assert record(connection, kept), "a label is training data: its record stays"
            assert record(connection, kept + 1) is None
            assert record(connection, newest)
            (dropped,) = drops(connection)
        assert (dropped.what, dropped.of_class, dropped.reason) == (
            "record",
            "verdict",
            "space",
        )
        assert dropped.count >= 500


# Retention


def test_records_and_their_pictures_go_by_age(path: Path, clock: HeldClock) -> None:
    keep = RetentionSettings(record_days=10.0, kind_days={"fault": 2.0}, min_free_bytes=0)
    with closing(Store(path, clock, StoreSettings(retention=keep, group_ms=0.0))) as store:
        save_picture(store, "old.jpg")
        add(store, "part-1", picture="old.jpg")
        add(store, "camera", "fault")
        clock.sleep(3 * DAY)
        add(store, "part-2")
        upkeep(store)
        assert count_all(store) == {"verdict": 2}
        assert (path.parent / "pictures" / "old.jpg").exists()
        clock.sleep(8 * DAY)
        upkeep(store)
        assert count_all(store) == {"verdict": 1}
        assert not (path.parent / "pictures" / "old.jpg").exists()
        with closing(open_readonly(path)) as connection:
            assert {(d.what, d.of_class, d.reason, d.count) for d in drops(connection)} == {
                ("record", "fault", "age", 1),
                ("record", "verdict", "age", 1),
                ("picture", "", "age", 1),
            }


def test_a_leaping_clock_deletes_nothing(path: Path, clock: HeldClock) -> None:
    with closing(Store(path, clock, StoreSettings(group_ms=0.0))) as store:
        true_time = clock.wall()
        clock.set_wall(10.0)  # started before the clock was set: 1970
        add(store, "unset")
        clock.set_wall(true_time)
        add(store, "set")
        clock.set_wall(true_time + 10 * 365 * DAY)
        upkeep(store)
        assert count_all(store) == {"verdict": 2}
        clock.sleep(1.5 * DAY)  # it has lasted a day: it is believed
        upkeep(store)
        assert count_all(store) == {}


def test_a_clock_that_is_ahead_at_a_restart_deletes_nothing(
    path: Path, clock: HeldClock
) -> None:
    settings = StoreSettings(group_ms=0.0)
    with closing(Store(path, clock, settings)) as store:
        add(store, "one")
        upkeep(store)
    true_time = clock.wall()
    clock.set_wall(true_time + 10 * 365 * DAY)
    for _ in range(2):  # nor does the second start believe what the first has written
        clock.sleep(0.4 * DAY)
        with closing(Store(path, clock, settings)) as store:
            add(store, "stamped wrongly")
            upkeep(store)
            assert count_all(store)["verdict"] >= 2
    clock.sleep(1.1 * DAY)
    with closing(Store(path, clock, settings)) as store:
        upkeep(store)  # it has been so for a day, although nobody was there all the time
        assert count_all(store) == {"verdict": 2}


def test_a_clock_that_is_set_only_after_every_start_still_ends_the_days_of_records(
    path: Path, clock: HeldClock
) -> None:
    settings = StoreSettings(retention=RetentionSettings(record_days=5.0), group_ms=0.0)
    for day in range(9):  # switched off every night, and no battery for its clock
        true_time = PLAUSIBLE_FROM + (100 + day) * DAY
        clock.set_wall(10.0)
        with closing(Store(path, clock, settings)) as store:
            upkeep(store)
            clock.set_wall(true_time)
            add(store, f"day {day}")
            upkeep(store)
            clock.sleep(0.4 * DAY)
            upkeep(store)
    with closing(open_readonly(path)) as connection:
        kept = [one.subject for one in latest(connection, "verdict")]
    assert kept == ["day 4", "day 5", "day 6", "day 7", "day 8"]


def test_one_wrong_stamp_deletes_nothing_that_is_younger(path: Path, clock: HeldClock) -> None:
    true_time = clock.wall() + 1000 * DAY
    clock.set_wall(true_time)
    with closing(Store(path, clock, StoreSettings(group_ms=0.0))) as store:
        clock.set_wall(10.0)
        add(store, "unset")
        clock.set_wall(true_time)
        add(store, "yesterday")
        save_picture(store, "yesterday.jpg")
        clock.set_wall(true_time - 300 * DAY)
        add(store, "slip")
        save_picture(store, "slip.jpg")
        clock.set_wall(true_time + DAY)
        upkeep(store)
        with closing(open_readonly(path)) as connection:
            assert [one.subject for one in latest(connection, "verdict")] == ["yesterday"]
        assert names(store) == ["yesterday.jpg"]


def save_picture(store: Store, name: str, data: bytes = b"x" * 1000) -> None:
    wall = store.clock.wall()
    store.submit(lambda c: store.pictures.save(c, name, data, wall), len(data)).result(WAIT_S)


def names(store: Store) -> list[str]:
    return sorted(file.name for file in store.pictures.folder.iterdir())


def test_pictures_go_by_age_and_by_bytes_oldest_first(path: Path, clock: HeldClock) -> None:
    keep = RetentionSettings(picture_days=5.0, picture_bytes=2500, min_free_bytes=0)
    with closing(Store(path, clock, StoreSettings(retention=keep, group_ms=0.0))) as store:
        for name in ("c.jpg", "b.jpg", "a.jpg"):
            save_picture(store, name)
            clock.sleep(DAY)
        upkeep(store)
        assert names(store) == ["a.jpg", "b.jpg"]
        clock.sleep(3.5 * DAY)
        upkeep(store)
        assert names(store) == ["a.jpg"]
        with closing(open_readonly(path)) as connection:
            counted = {(d.reason, d.count, d.size) for d in drops(connection)}
        assert counted == {("space", 1, 1000), ("age", 1, 1000)}


def test_pictures_yield_when_the_disk_runs_short(path: Path, clock: HeldClock) -> None:
    keep = RetentionSettings(min_free_bytes=1 << 60)
    with closing(Store(path, clock, StoreSettings(retention=keep, group_ms=0.0))) as store:
        save_picture(store, "a.jpg")
        upkeep(store)
        assert names(store) == []


def test_a_picture_without_a_row_is_adopted_not_forgotten(path: Path, clock: HeldClock) -> None:
    folder = path.parent / "pictures"
    folder.mkdir(parents=True)
    (folder / "orphan.jpg").write_bytes(b"x" * 10)
    (folder / "torn.jpg.part").write_bytes(b"x")
    os.utime(folder / "orphan.jpg", (clock.wall() - 40 * DAY,) * 2)
    with closing(Store(path, clock, StoreSettings(group_ms=0.0))) as store:
        assert names(store) == ["orphan.jpg"]
        upkeep(store)
        assert names(store) == []


def test_a_folder_among_the_pictures_is_none_and_holds_up_no_deletion(
    path: Path, clock: HeldClock
) -> None:
    """As the lost+found of a disk that is there for pictures alone."""
    found = path.parent / "pictures" / "lost+found"
    found.mkdir(parents=True)
    os.utime(found, (clock.wall() - 400 * DAY,) * 2)
    with closing(Store(path, clock, StoreSettings(group_ms=0.0))) as store:
        save_picture(store, "a.jpg")
        clock.sleep(40 * DAY)
        upkeep(store)
        assert names(store) == ["lost+found"]


def test_a_picture_cannot_be_written_elsewhere(store: Store) -> None:
    for name in ("../a.jpg", ".hidden", "", "a/b.jpg", "x.part"):
        with pytest.raises(StoreError, match="picture name"):
            save_picture(store, name)
    assert names(store) == []


# The file


def test_files_are_for_the_station_alone(store: Store) -> None:
    add(store)
    save_picture(store, "a.jpg")
    modes = {
        file.name: stat.S_IMODE(file.stat().st_mode)
        for file in [store.path.parent, *store.path.parent.rglob("*")]
    }
    assert modes.pop("inspection") == modes.pop("pictures") == 0o700
    assert {"station.db", "station.db-wal", "station.db-shm", "a.jpg"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_the_settings_that_keep_what_is_accepted(store: Store) -> None:
    def asked(connection: sqlite3.Connection) -> list[int | str]:
        pragmas = ("journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]

    assert store.submit(asked).result(WAIT_S) == ["wal", 2, 1000, 1]


def test_a_second_station_on_the_same_file_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="another process owns it"):
        Store(store.path, store.clock)


def test_a_disk_that_knows_no_locks_is_not_called_another_station(
    path: Path, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StoreError, match=r"cannot be locked .*No locks available.*local disk"):
        Store(path, clock)


def test_a_path_that_cannot_be_is_one_clear_line(tmp_path: Path, clock: HeldClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "file" / "station.db", clock)


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_damaged_file_is_moved_aside_and_said(
    path: Path, clock: HeldClock, damage: str
) -> None:
    with closing(Store(path, clock)) as store:
        first_epoch = store.epoch
        rows = [a_record(store, f"part-{n}") for n in range(300)]
        for row in rows:
            store.submit(lambda c, row=row: records.add(c, row))
    content = bytearray(path.read_bytes())
    start = 0 if damage == "header" else 4096
    content[start : len(content) - 4096] = os.urandom(len(content) - 4096 - start)
    path.write_bytes(content)

    with closing(Store(path, clock)) as store:
        assert store.replaced == path.with_name("station.db.corrupt-20260101T000000Z")
        assert store.replaced.read_bytes() == content
        assert store.epoch != first_epoch
        with closing(open_readonly(path)) as connection:
            assert epoch(connection) == store.epoch
            (said,) = latest(connection, "store")
        assert said.subject == "replaced"
        assert said.body["moved_to"] == str(store.replaced)
    with closing(Store(path, clock)) as store:
        assert store.replaced is None


def test_the_file_of_a_newer_software_is_left_alone(path: Path, clock: HeldClock) -> None:
    Store(path, clock).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    before = path.read_bytes()
    with pytest.raises(
        StoreError, match=f"has schema 99, this software knows {len(MIGRATIONS)}"
    ):
        Store(path, clock)
    assert path.read_bytes() == before


def test_a_migration_keeps_a_copy_of_the_file_before(path: Path, clock: HeldClock) -> None:
    with closing(Store(path, clock)) as store:
        add(store)
    steps = (*MIGRATIONS, "CREATE TABLE extra(x); INSERT INTO extra VALUES(7)")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, clock, steps)
        assert connection.execute("SELECT x FROM extra").fetchone() == (7,)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
    (copy,) = path.parent.glob("station.db.v*")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (1,)


def test_a_failing_migration_leaves_the_file_as_it_was(path: Path, clock: HeldClock) -> None:
    Store(path, clock).close()
    steps = (*MIGRATIONS, "CREATE TABLE extra(x); INSERT INTO nowhere VALUES(7)")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(StoreError, match=f"schema step {len(steps)} failed"):
            migrate(connection, path, clock, steps)
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE name='extra'")
        assert tables.fetchall() == []
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_screens_cannot_write_and_miss_a_file_plainly(store: Store, tmp_path: Path) -> None:
    connection = open_readonly(store.path)
    with closing(connection), pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM meta")
    with pytest.raises(StoreError, match="did the station run"):
        open_readonly(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(StoreError, match="is no station's file"):
        open_readonly(tmp_path / "text.db")


# kill -9

WRITER = """
import sys
from pathlib import Path
from common import records
from common.clock import SystemClock
from common.store import Store, StoreSettings

store = Store(Path(sys.argv[1]), SystemClock(), StoreSettings(group_ms=2.0))
number = 0
while True:
    futures = []
    for _ in range(7):
        number += 1
        row = records.Record("verdict", f"part-{number}", 1.0, 1.0, store.boot_id, {})
        futures.append(store.submit(lambda c, row=row: records.add(c, row)))
    for future in futures:
        print(future.result(), flush=True)
"""


def test_what_was_accepted_survives_kill_9(path: Path) -> None:
    accepted = 0
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout
        with child.stdout:
            for line in child.stdout:
                accepted = int(line)
                if accepted % 200 == 199:
                    child.send_signal(signal.SIGKILL)
                    break
            accepted = max([accepted, *map(int, child.stdout.read().split())])
        child.wait(WAIT_S)
        with closing(Store(path, SystemClock())) as store:
            assert store.replaced is None
            with closing(open_readonly(path)) as connection:
                (newest,) = latest(connection, "verdict", limit=1)
                assert newest.seq >= accepted
                assert count_all(store)["verdict"] == newest.seq, "and none before it is lost"
