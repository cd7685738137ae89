"""The simulated power cut loses what is not synced, and nothing else; our store survives it."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.chaos import cuts
from apps.chaos.disk import SECTOR_BYTES, Disk, Link, Recorder, Sync, Truncate, Unlink, Write
from apps.chaos.foreign import connect
from apps.chaos.recording import Mark, record
from common.storage.commit import Waiting, run_together

OLD, NEW = b"o" * 4 * SECTOR_BYTES, b"n" * 4 * SECTOR_BYTES
TRIES = 200


def dice(seed):
    return random.Random(seed)  # noqa: S311 - to be repeated


def a_disk(*operations):
    disk = Disk({"file": OLD})
    for operation in operations:
        disk.apply(operation)
    return disk


def images(disk, seed=1):
    """What `TRIES` power cuts leave, torn and as prefixes."""
    rng = dice(seed)
    return [image for _ in range(TRIES // 2) for image in (disk.torn(rng), disk.prefix(rng))]


# ------------------------------------------------------------------ the disk


def test_a_synced_write_is_never_lost():
    disk = a_disk(Write(0, 0, NEW), Sync(0, folder=False))
    assert all(image == {"file": NEW} for image in images(disk))


def test_a_write_without_a_sync_is_lost_kept_and_torn():
    found = [image["file"] for image in images(a_disk(Write(0, 0, NEW)))]
    assert OLD in found
    assert NEW in found
    assert len(set(found)) > 10, "it was never torn"
    sectors = [f[i : i + SECTOR_BYTES] for f in found for i in range(0, len(f), SECTOR_BYTES)]
    assert {bytes([s]) * SECTOR_BYTES for s in b"on"} == set(sectors), (
        "a sector was torn itself"
    )
    kept = sum(sector == NEW[:SECTOR_BYTES] for sector in sectors) / len(sectors)
    assert 0.4 < kept < 0.6


def test_a_torn_disk_reorders_and_a_prefix_does_not():
    disk = a_disk(Write(0, 0, b"1"), Write(0, SECTOR_BYTES, b"2"))
    rng = dice(1)

    def states(cut):
        files = [cut(rng)["file"] for _ in range(TRIES)]
        return {(file[0:1], file[SECTOR_BYTES : SECTOR_BYTES + 1]) for file in files}

    in_order = {(b"o", b"o"), (b"1", b"o"), (b"1", b"2")}
    assert states(disk.prefix) == in_order
    assert states(disk.torn) == in_order | {(b"o", b"2")}


def test_a_sync_is_of_one_file():
    disk = Disk({"one": b"a", "two": b"b"})
    for operation in (Write(0, 0, b"A"), Write(1, 0, b"B"), Sync(0, folder=False)):
        disk.apply(operation)
    assert all(image["one"] == b"A" for image in images(disk))
    assert {image["two"] for image in images(disk)} == {b"b", b"B"}


def test_a_new_name_is_durable_only_with_its_folder():
    made = (Link("new", 1), Write(1, 0, b"x"), Sync(1, folder=False))
    assert {image.get("new") for image in images(a_disk(*made))} == {None, b"x"}
    kept = a_disk(*made, Sync(1, folder=True))
    assert all(image["new"] == b"x" for image in images(kept))


@pytest.mark.parametrize(("durable", "left"), [(False, {True, False}), (True, {False})])
def test_a_deleted_name_may_come_back_unless_its_folder_was_synced(durable, left):
    found = images(a_disk(Unlink("file", folder=durable)))
    assert {"file" in image for image in found} == left


def test_a_truncation_is_lost_or_kept_and_a_hole_reads_as_zeros():
    assert {len(i["file"]) for i in images(a_disk(Truncate(0, 7)))} == {7, len(OLD)}
    disk = a_disk(Truncate(0, 0), Write(0, 10, b"x"), Sync(0, folder=False))
    assert images(disk)[0]["file"] == bytes(10) + b"x"


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=1500)), max_size=8)
)
def test_a_cut_after_everything_is_synced_leaves_what_a_file_would_hold(writes):
    disk, plain = Disk({"file": b""}), bytearray()
    for offset, data in writes:
        disk.apply(Write(0, offset, data))
        plain.extend(bytes(max(0, offset - len(plain))))
        plain[offset : offset + len(data)] = data
    disk.apply(Sync(0, folder=False))
    assert disk.torn(dice(1)) == {"file": bytes(plain)}


# ------------------------------------------------------------------ SQLite on it


@pytest.mark.parametrize(("synchronous", "keeps"), [("FULL", True), ("OFF", False)])
def test_the_tape_knows_what_sqlite_has_synced(tmp_path: Path, synchronous, keeps):
    recorder = Recorder("recorder-test")
    with closing(connect(tmp_path / "file", recorder.name)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("CREATE TABLE numbers(number)")
        connection.execute("INSERT INTO numbers VALUES(7)")
        tape = list(recorder.tape)
    recorder.unregister()
    assert any(isinstance(operation, Sync) for operation in tape) or not keeps
    disk, found = Disk(), set()
    for operation in tape:
        disk.apply(operation)
    for number, image in enumerate(images(disk)[:40]):
        found.add(count_numbers(tmp_path / str(number), image))
    assert found == {1} if keeps else found > {1}


def count_numbers(folder: Path, image) -> int | None:
    folder.mkdir()
    for name, data in image.items():
        (folder / name).write_bytes(data)
    with closing(sqlite3.connect(folder / "file")) as connection:
        try:
            return connection.execute("SELECT count(*) FROM numbers").fetchone()[0]
        except sqlite3.DatabaseError:
            return None


def test_the_foreign_connection_raises_what_the_group_commit_decides_by(tmp_path: Path):
    recorder = Recorder("recorder-errors")
    with closing(connect(tmp_path / "file", recorder.name)) as connection:
        connection.execute("CREATE TABLE numbers(number UNIQUE)")
        connection.execute("PRAGMA max_page_count=4")
        full = [
            Waiting(lambda c: c.execute("INSERT INTO numbers VALUES(zeroblob(99999))"), None)
        ]
        assert run_together(connection, full)[0].failure.sqlite_errorcode == sqlite3.SQLITE_FULL
        connection.execute("INSERT INTO numbers VALUES(1)")
        with pytest.raises(sqlite3.IntegrityError, match=r"numbers\.number"):
            connection.execute("INSERT INTO numbers VALUES(1)")
        assert not connection.in_transaction
    recorder.unregister()
    assert recorder.name not in apsw.vfs_names()


# ------------------------------------------------------------------ our store on it


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return record(tmp_path_factory.mktemp("recorded"), "", dice(5))


def whole(recording, mark):
    """The disk at a mark, with nothing torn."""
    disk = Disk()
    for operation in recording.tape[: mark.at]:
        disk.apply(operation)
    return disk


def test_what_was_accepted_is_due_until_its_receipt_comes():
    marks = [Mark(10, accepted=["a", "b"]), Mark(20, doomed=["a"]), Mark(30, accepted=["c"])]
    assert cuts.due(marks, 9) == set()
    assert cuts.due(marks, 10) == {"a", "b"}
    assert cuts.due(marks, 29) == {"b"}
    assert cuts.due(marks, 99) == {"b", "c"}


def test_every_accepted_event_is_there_at_the_moment_it_is_accepted(recording):
    for mark in dice(1).sample(recording.marks, 10):
        wanted = cuts.due(recording.marks, mark.at)
        image = whole(recording, mark).prefix(dice(mark.at))
        found = cuts.examine(image, wanted)
        assert (found.accepted, found.lost, found.corrupt) == (len(wanted), 0, 0)


def altered(image, folder: Path, statement: str):
    """The image after `statement` was carried out on it."""
    for name, data in image.items():
        (folder / name).write_bytes(data)
    with closing(sqlite3.connect(folder / cuts.FILE, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount == 1
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_row_taken_from_an_image_is_reported_lost(recording, tmp_path: Path):
    """The harness fails when it must."""
    mark = recording.marks[-1]
    image = whole(recording, mark).torn(dice(1))
    taken = "DELETE FROM outbox WHERE seq = (SELECT max(seq) FROM outbox)"
    wanted = cuts.due(recording.marks, mark.at)
    found = cuts.examine(altered(image, tmp_path, taken), wanted)
    assert (found.accepted, found.lost, found.corrupt) == (len(wanted), 1, False)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE outbox SET payload = zeroblob(9) WHERE seq = (SELECT max(seq) FROM outbox)",
        "DELETE FROM records WHERE seq = (SELECT max(seq) FROM records)",
    ],
    ids=["rotten", "half a transaction"],
)
def test_a_row_without_its_checksum_or_its_record_is_reported_corrupt(
    recording, tmp_path: Path, damage
):
    mark = next(m for m in reversed(recording.marks) if m.accepted)
    image = whole(recording, mark).torn(dice(1))
    assert not cuts.examine(image, set()).corrupt
    assert cuts.examine(altered(image, tmp_path, damage), set()).corrupt


def test_a_file_behind_its_mark_is_noticed(recording, tmp_path: Path):
    """An older file was put back: the station itself knows that it has lost something."""
    early, late = (dict(whole(recording, recording.marks[at]).torn(dice(1))) for at in (50, -1))
    mark = f"{cuts.FILE}.mark"
    assert not cuts.examine(early, set()).noticed
    assert cuts.examine({**early, mark: late[mark]}, set()).noticed


def test_garbage_is_reported_corrupt_and_all_of_it_lost():
    found = cuts.examine({cuts.FILE: b"x" * 8192}, {"a", "b"})
    assert (found.lost, found.corrupt) == (2, True)


@pytest.mark.timeout(300)
def test_the_shipped_settings_lose_nothing_and_the_controls_prove_the_harness():
    figures = cuts.power_cuts(40, seed=3)
    for name in cuts.SHIPPED:
        assert figures[name]["cuts"] == 40
        assert figures[name]["accepted"] > 1000
        assert {figures[name][key] for key in ("lost", "corrupt", "noticed")} == {0}
    assert figures[cuts.LOSES]["lost"] > 0
    assert figures[cuts.LOSES]["corrupt"] == 0, "WAL never corrupts, it only loses"
    assert figures[cuts.CORRUPTS]["corrupt"] > 0
