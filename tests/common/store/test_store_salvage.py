"""A damaged file: moved aside, its sound rows saved, the epoch new and its numbers too."""

import json
import os
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import audit
from common.alarms.diagnostics import STORE_FAILING, Diagnostics
from common.audit import Act
from common.canonical import canonical_json
from common.clock import HeldClock
from common.storage import recovery as store_recovery
from common.storage.epoch import UNKNOWN, Mark, MarkFile
from common.storage.failures import StoreError
from common.storage.file import open_file, suspect
from common.storage.queries import latest, open_readonly
from common.storage.schema import MIGRATIONS, VERSION_1
from common.store import Store, StoreUnavailable
from common.telemetry import outbox_rows as rows
from common.telemetry.event import decode_event
from common.telemetry.outbox import EPOCH, MQTT, WEBHOOK, Message, Outbox
from tests.common.stored_alarms import stored_alarms

WAIT_S = 20.0
EVENTS = 60
NAME = "station.db"
ALARM = {"text": "motor hot", "active_since": 5.0}
EVERYTHING = 10_000


def an_outbox(store: Store) -> Outbox:
    return Outbox(source="urn:x", epoch=store.epoch, boot_id=store.boot_id, clock=store.clock)


def message(number: int, of_class: str = "verdict", **more) -> Message:
    data = {"number": number, "text": "x" * 200}
    return Message(of_class, "lineside.test.v1", f"part/{number}", data, 1e9 + number, **more)


def fill(store: Store) -> None:
    """Events of all classes, for two sinks; some dead, some delivered; alarms and audit."""
    outbox = an_outbox(store)

    def work(connection: sqlite3.Connection) -> None:
        for number in range(EVENTS):
            of_class = list(rows.PRIORITIES)[number % 5]
            sinks = (MQTT, WEBHOOK) if number % 7 == 0 else (MQTT,)
            outbox.append(connection, message(number, of_class, sinks=sinks))
        connection.execute(
            "INSERT INTO alarms VALUES('motor', 'UNACK', 2, 3, 1e9, ?)",
            (canonical_json(ALARM),),
        )
        for number in range(5):
            act = Act("mia", "quality", "overrule", f"record/{number}")
            audit.append(connection, act, 1e9)

    def settle(connection: sqlite3.Connection) -> None:
        pending = rows.pending(connection, MQTT, EVERYTHING)
        rows.confirm(connection, [row.seq for row in pending[:10]])
        rows.bury(connection, [row.seq for row in pending[10:15]], "Not authorized")

    for operation in (work, settle):
        store.submit(operation).result(WAIT_S)


def payloads(path: Path) -> dict[tuple[str, str], tuple[bytes, bool]]:
    """Payload and soundness by event id and sink, of all rows that wait or are dead."""
    with closing(open_readonly(path)) as connection:
        found = connection.execute("SELECT epoch, event, sink, payload, crc32 FROM outbox")
        return {
            (f"{epoch}-{event}", sink): (payload, zlib.crc32(payload) == crc32)
            for epoch, event, sink, payload, crc32 in found
        }


def told_epochs(path: Path) -> list[dict]:
    with closing(open_readonly(path)) as connection:
        audits = rows.pending(connection, MQTT, EVERYTHING, classes=("audit",))
    events = [decode_event(json.loads(row.payload)) for row in audits if row.sound]
    return [dict(event.data, id=event.id) for event in events if event.type == EPOCH]


@pytest.fixture(scope="module")
def stations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders as a station leaves them: closed, and killed with all in the log."""
    made = tmp_path_factory.mktemp("stations")
    for how in ("closed", "killed"):
        (made / how).mkdir()
    work = made / "work"
    store = Store(work / NAME, HeldClock())
    fill(store)
    for file in work.iterdir():
        if file.is_file():
            shutil.copy(file, made / "killed" / file.name)
    store.close()
    for file in work.iterdir():
        if file.is_file():
            shutil.copy(file, made / "closed" / file.name)
    return {how: made / how for how in ("closed", "killed")}


@pytest.fixture
def station(stations: dict[str, Path], tmp_path: Path) -> Path:
    """The path of a closed station's file, to be damaged."""
    folder = tmp_path / "s"
    shutil.copytree(stations["closed"], folder)
    return folder / NAME


def overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def ruin_a_page_of(path: Path, table: str) -> None:
    """Garbage over the table's root page."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    overwrite(path, (root - 1) * 4096, os.urandom(4096))


# What comes over


def test_all_that_is_sound_comes_over_with_its_own_ids(station: Path, clock: HeldClock) -> None:
    before = payloads(station)
    (old,) = told_epochs(station) or [None]
    ruin_a_page_of(station, "records_by_kind")
    with closing(Store(station, clock)) as store:
        assert store.replaced == station.with_name("station.db.corrupt-20260101T000000Z")
        store.submit(an_outbox(store).begin).result(WAIT_S)
        assert payloads(station).items() >= before.items()
        with closing(open_readonly(station)) as connection:
            (alarm,) = stored_alarms(connection)
            assert (alarm.alarm_id, alarm.state, alarm.priority) == ("motor", "UNACK", 2)
            assert alarm.body == ALARM
            assert audit.verify(connection) is None
            assert connection.execute("SELECT count(*) FROM audit").fetchone() == (5,)
            backlog = rows.backlog(connection, MQTT)
        waiting = {key for key in before if key[1] == MQTT}
        assert backlog.dead == 5
        assert backlog.count == len(waiting) - 5 + 1  # and the epoch's own event
    (told,) = [told for told in told_epochs(station) if told["id"].startswith(store.epoch)]
    assert told["id"] == f"{store.epoch}-{told['first']}"
    assert told["first"] == EVENTS + 2, "above the highest: 60 and the first epoch's event"
    replaces = told["replaces"]
    assert replaces["salvaged"] == len({key[0] for key in before})
    assert replaces["lost_unknown"] is False
    assert replaces["moved_to"] == str(store.replaced)
    assert replaces["epoch"] not in (None, store.epoch)
    assert replaces["damage"]
    assert old is None, "the first epoch's event was delivered with the first ten"


def test_a_saved_row_can_be_sent_and_buried_and_dropped_like_any_other(
    station: Path, clock: HeldClock
) -> None:
    ruin_a_page_of(station, "records_by_kind")
    with closing(Store(station, clock)) as store:
        dead = store.submit(lambda c: rows.revive(c, MQTT)).result(WAIT_S)
        assert dead == 5
        everything = rows.pending
        waiting = store.submit(lambda c: everything(c, MQTT, EVERYTHING)).result(WAIT_S)
        store.submit(lambda c: rows.confirm(c, [row.seq for row in waiting])).result(WAIT_S)
        assert store.submit(rows.size).result(WAIT_S) == sum(
            len(payload) for payload, _ in payloads(station).values()
        )


def test_a_row_whose_payload_is_damaged_stays_behind(station: Path, clock: HeldClock) -> None:
    with closing(sqlite3.connect(station, isolation_level=None)) as connection:
        connection.execute(
            "UPDATE outbox SET payload = CAST(replace(payload, 'part', 'pert') AS BLOB)"
            " WHERE event = 40"
        )
    before = payloads(station)
    ruin_a_page_of(station, "records_by_kind")
    with closing(Store(station, clock)) as store:
        store.submit(an_outbox(store).begin).result(WAIT_S)
        (told,) = [told for told in told_epochs(station) if told["replaces"]]
    lost = before.keys() - payloads(station).keys()
    assert len(lost) == 1
    assert told["replaces"]["lost_unknown"] is True


def test_rows_around_a_ruined_page_come_over(station: Path, clock: HeldClock) -> None:
    before = payloads(station)
    with closing(sqlite3.connect(station)) as connection:
        connection.execute("PRAGMA query_only=ON")
        pages = [
            page
            for (page,) in connection.execute("SELECT pageno FROM dbstat WHERE name = 'outbox'")
        ]
    overwrite(station, (pages[len(pages) // 2] - 1) * 4096, bytes(4096))
    with closing(Store(station, clock)) as store:
        after = payloads(station)
        assert store.replaced
    assert after.keys() < before.keys()
    assert len(after) >= len(before) - 20


def test_a_broken_audit_trail_stays_behind_whole_and_this_is_said(
    station: Path, clock: HeldClock
) -> None:
    with closing(sqlite3.connect(station, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER audit_unchanged")
        connection.execute("UPDATE audit SET user = 'eve' WHERE seq = 3")
    ruin_a_page_of(station, "records_by_kind")
    with closing(Store(station, clock)) as store:
        assert "the audit trail is broken at row 3 and stays behind" in store.damage
        with closing(open_readonly(station)) as connection:
            assert connection.execute("SELECT count(*) FROM audit").fetchone() == (0,)


def test_garbled_alarms_and_counters_do_no_harm(station: Path, clock: HeldClock) -> None:
    with closing(sqlite3.connect(station, isolation_level=None)) as connection:
        connection.execute("INSERT INTO alarms VALUES('bad', 'UNACK', 1, 1, 1e9, '{\"a')")
        connection.execute("INSERT INTO alarms VALUES('worse', x'00', 'x', 1.5, 'y', 5)")
        connection.execute("UPDATE meta SET value = 'x' WHERE key IN ('events', 'starts')")
    ruin_a_page_of(station, "records_by_kind")
    with closing(Store(station, clock)) as store:
        with closing(open_readonly(station)) as connection:
            assert [alarm.alarm_id for alarm in stored_alarms(connection)] == ["motor"]
        first = store.submit(lambda c: an_outbox(store).append(c, message(1))).result(WAIT_S)
        assert int(first.rpartition("-")[2]) > EVENTS, "the mark and the rows know the number"


def test_a_file_of_the_first_schema_is_saved_too(tmp_path: Path, clock: HeldClock) -> None:
    path = tmp_path / NAME
    with closing(Store(tmp_path / "new" / NAME, clock)) as store:
        fill(store)
        new = payloads(store.path)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(f"BEGIN; {VERSION_1}; PRAGMA user_version=1; COMMIT;")
        old.execute("INSERT INTO meta VALUES('epoch', ?), ('events', ?)", (store.epoch, EVENTS))
        old.execute(f"ATTACH '{tmp_path}/new/{NAME}' AS new")
        columns = (
            "seq, event, sink, class, priority, state, wall_time, monotonic, boot_id, crc32,"
            " bytes, reason, payload"
        )
        old.execute(f"INSERT INTO outbox({columns}) SELECT {columns} FROM new.outbox")  # noqa: S608
    ruin_a_page_of(path, "records_by_kind")
    with closing(Store(path, clock)) as store:
        assert store.replaced
        assert payloads(path) == new


def test_a_file_of_the_first_schema_tells_its_epoch_at_the_next_start(
    tmp_path: Path, clock: HeldClock
) -> None:
    path = tmp_path / NAME
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(f"BEGIN; {VERSION_1}; PRAGMA user_version=1; COMMIT;")
        old.execute("INSERT INTO meta VALUES('epoch', 'abc'), ('events', '41')")
        old.execute(
            "INSERT INTO outbox(event, sink, class, priority, wall_time, monotonic, boot_id,"
            " crc32, bytes, payload) VALUES(41, 'mqtt', 'alarm', 0, 1.0, 1.0, 'b', 0, 2, '{}')"
        )
        old.execute("INSERT INTO lost VALUES('mqtt', 'sample', 'age', 3, 30, 7, 9, 0)")
    for _ in range(2):
        with closing(Store(path, clock)) as store:
            assert store.epoch == "abc"
            store.submit(an_outbox(store).begin).result(WAIT_S)
            assert store.submit(rows.size).result(WAIT_S) > 2
            assert store.submit(rows.newest).result(WAIT_S) == 2
    (told,) = told_epochs(path)
    assert told == {"first": 42, "replaces": None, "id": "abc-42"}
    with closing(open_readonly(path)) as connection:
        assert rows.backlog(connection, MQTT).count == 2
        lost = connection.execute(
            "SELECT epoch, class, count, first, last FROM lost"
        ).fetchall()
        assert lost == [("abc", "sample", 3, 7, 9)]


# Between two steps


def test_a_kill_at_any_step_is_made_good_at_the_next_start(
    stations: dict[str, Path], tmp_path: Path, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    renames, rename = 0, Path.rename
    while True:
        folder = tmp_path / str(renames)
        shutil.copytree(stations["killed"], folder)
        path = folder / NAME
        before = payloads(path)
        shutil.copy(stations["killed"] / f"{NAME}-wal", f"{path}-wal")
        suspect(path, "made up")
        left = renames

        def stops(self: Path, target: str | Path) -> Path:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", stops)
        try:
            open_file(path, clock, 1 << 30).connection.close()
            survived = True
        except Killed:
            survived = False
        monkeypatch.undo()
        with closing(Store(path, clock)) as store:
            assert payloads(path).keys() >= before.keys() or not before, renames
            assert store.submit(lambda _: 1).result(WAIT_S) == 1
        assert not list(folder.glob("*damaged*")), "all have their last name"
        if survived:
            break
        renames += 1
    assert renames >= 4


def test_when_saving_fails_nothing_of_the_new_epoch_is_there(
    station: Path, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = payloads(station)
    ruin_a_page_of(station, "records_by_kind")

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store_recovery.store_epoch, "begin", full)
    with pytest.raises(StoreError, match="database or disk is full"):
        Store(station, clock)
    monkeypatch.undo()
    with closing(Store(station, clock)) as store:
        assert payloads(station).keys() >= before.keys()
        assert "found damaged at an earlier start" in store.damage


# The high-water mark


def test_a_log_that_was_cut_off_begins_a_new_epoch_above_what_was_given(
    stations: dict[str, Path], tmp_path: Path, clock: HeldClock
) -> None:
    folder = tmp_path / "s"
    shutil.copytree(stations["killed"], folder)
    path, log = folder / NAME, folder / f"{NAME}-wal"
    os.truncate(log, log.stat().st_size // 3)
    with closing(Store(path, clock)) as store:
        first = store.submit(lambda c: an_outbox(store).append(c, message(1))).result(WAIT_S)
        assert store.replaced is None
        assert "was given out already" in store.damage
        (said,) = store.submit(lambda c: latest(c, "store")).result(WAIT_S)
    assert int(first.rpartition("-")[2]) == EVENTS + 3
    (told,) = told_epochs(path)
    assert told["replaces"]["lost_unknown"] is True
    assert told["replaces"]["moved_to"] == ""
    assert said.body["damage"] == told["replaces"]["damage"]
    with closing(Store(path, clock)) as store:
        assert (store.damage, store.replaced) == ("", None)


def test_an_older_copy_put_back_begins_a_new_epoch(
    station: Path, tmp_path: Path, clock: HeldClock
) -> None:
    backup = tmp_path / "backup.db"
    shutil.copy(station, backup)
    with closing(Store(station, clock)) as store:
        second = store.submit(lambda c: an_outbox(store).append(c, message(1))).result(WAIT_S)
        epoch = store.epoch
    shutil.copy(backup, station)
    with closing(Store(station, clock)) as store:
        again = store.submit(lambda c: an_outbox(store).append(c, message(2))).result(WAIT_S)
    assert store.epoch != epoch
    assert again != second


def test_a_copy_put_onto_an_empty_disk_begins_a_new_epoch(
    station: Path, tmp_path: Path, clock: HeldClock
) -> None:
    alone = tmp_path / "new disk" / NAME
    alone.parent.mkdir()
    shutil.copy(station, alone)  # and what was beside it is lost
    with closing(Store(station, clock)) as store:
        epoch = store.epoch
    with closing(Store(alone, clock)) as store:
        assert store.epoch != epoch
        assert "nobody knows whether more were given out" in store.damage
    with closing(Store(alone, clock)) as again:
        assert (again.epoch, again.damage) == (store.epoch, "")


def test_a_file_that_is_gone_is_told(station: Path, clock: HeldClock) -> None:
    with closing(Store(station, clock)) as store:
        epoch = store.epoch
    station.unlink()
    with closing(Store(station, clock)) as store:
        store.submit(an_outbox(store).begin).result(WAIT_S)
    (told,) = told_epochs(station)
    assert told["replaces"]["epoch"] == epoch
    assert told["replaces"]["damage"] == "the file is gone"


def test_the_mark_is_kept_after_each_commit_and_garbage_in_it_is_not_believed(
    tmp_path: Path, clock: HeldClock
) -> None:
    path = tmp_path / NAME
    with closing(Store(path, clock)) as store:
        for number in range(3):
            store.submit(lambda c, n=number: an_outbox(store).append(c, message(n))).result(
                WAIT_S
            )
            assert MarkFile(path).read() == Mark(store.epoch, number + 2)
    file = path.with_name(f"{NAME}.mark")
    sound = file.read_bytes()
    for garbage in (b"", b"\x00" * 40, sound[:-5], sound.replace(b"0004", b"9994"), b"x y z\n"):
        file.write_bytes(garbage)
        assert MarkFile(path).read() == UNKNOWN
    with closing(Store(path, clock)) as again:
        assert again.epoch != store.epoch, "who knows what was given out"
        assert "nobody knows" in again.damage
    with closing(Store(path, clock)) as third:
        assert third.epoch == again.epoch


def test_a_kill_between_commit_and_mark_is_no_damage(tmp_path: Path, clock: HeldClock) -> None:
    path = tmp_path / NAME
    Store(path, clock).close()
    mark = path.with_name(f"{NAME}.mark")
    for before in (mark.read_bytes(), b"garbage"):
        mark.write_bytes(before)
        path.unlink()  # a new epoch begins, with the old mark there …
        with closing(Store(path, clock)) as store:
            epoch = store.epoch
        mark.write_bytes(before)  # … and is killed before its own mark
        with closing(Store(path, clock)) as store:
            assert store.epoch == epoch


# What is not ours to touch


def test_the_database_of_another_program_is_left_alone(
    tmp_path: Path, clock: HeldClock
) -> None:
    path = tmp_path / NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE meta(key, value)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is the database of another program"):
        Store(path, clock)
    assert path.read_bytes() == before


def test_a_version_set_back_by_damage_is_damage(station: Path, clock: HeldClock) -> None:
    before = payloads(station)
    for version in range(len(MIGRATIONS)):
        with closing(sqlite3.connect(station)) as connection:
            connection.execute(f"PRAGMA user_version={version}")
        with closing(Store(station, clock)) as store:
            assert store.replaced
        assert payloads(station).keys() >= before.keys()


def test_damage_met_in_use_has_the_file_replaced_at_the_next_start(
    station: Path, clock: HeldClock
) -> None:
    def meet(connection: sqlite3.Connection) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    with closing(Store(station, clock)) as store:
        with pytest.raises(StoreUnavailable, match="malformed"):
            store.submit(meet).result(WAIT_S)
        store.submit(lambda c: c.execute("DELETE FROM refused").close()).result(WAIT_S)
        told = Diagnostics(store).details({}, {})[STORE_FAILING]
        assert told.startswith("the file is damaged; a restart"), "also after a good commit"
    before = payloads(station)
    with closing(Store(station, clock)) as store:
        assert store.replaced
        assert store.damage.startswith("damaged in use: ")
    assert payloads(station).keys() >= before.keys()
    with closing(Store(station, clock)) as store:
        assert store.replaced is None


# Anything at all


Damage = Callable[[Path], None]
PLACES = st.floats(0.0, 1.0, exclude_max=True)
FILES = st.sampled_from(["", "-wal", "-shm", ".mark"])


def flipped(places: list[tuple[float, int]]) -> Callable[[bytearray], None]:
    def flip(content: bytearray) -> None:
        for place, bits in places:
            content[int(place * len(content))] ^= bits

    return flip


def cut(place: float) -> Callable[[bytearray], None]:
    return lambda content: content.__delitem__(slice(int(place * len(content)), None))


def zeroed(place: float, pages: int) -> Callable[[bytearray], None]:
    def zero(content: bytearray) -> None:
        start = int(place * len(content)) // 4096 * 4096
        content[start : start + pages * 4096] = bytes(
            len(content[start : start + pages * 4096])
        )

    return zero


DAMAGES = st.one_of(
    st.lists(st.tuples(PLACES, st.integers(1, 255)), min_size=1, max_size=40).map(flipped),
    st.tuples(PLACES, st.integers(1, 255)).map(lambda one: flipped([(one[0] / 50, one[1])])),
    PLACES.map(cut),
    st.tuples(PLACES, st.integers(1, 30)).map(lambda both: zeroed(*both)),
    st.binary(max_size=200).map(lambda data: lambda c: c.__setitem__(slice(None), data)),
)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["closed", "killed"]),
    st.lists(st.tuples(FILES, DAMAGES), min_size=1, max_size=3),
)
def test_no_garbage_stops_a_station_or_gets_a_number_twice(stations, how, damages) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "s" / NAME
        shutil.copytree(stations[how], path.parent)
        before = payloads(path)
        for file in stations[how].iterdir():  # reading has opened and so changed them
            shutil.copy(file, path.parent / file.name)
        for ending, damage in damages:
            file = Path(f"{path}{ending}")
            if file.exists() and file.stat().st_size:
                content = bytearray(file.read_bytes())
                damage(content)
                file.write_bytes(content)
        with suppress(NewerSoftware):
            check(path, before)


class NewerSoftware(Exception):
    """The version number itself is damaged: only a person can tell."""


def start(path: Path) -> Store:
    try:
        return Store(path, HeldClock())
    except StoreError as error:
        if "install the newer software" in str(error):
            raise NewerSoftware from error
        raise


def check(path: Path, before: dict[tuple[str, str], tuple[bytes, bool]]) -> None:
    """A station starts on what is there and works; at once, or from the next start on."""
    with closing(start(path)) as store:
        outbox = an_outbox(store)
        future = store.submit(lambda c: outbox.append(c, message(7)))
        met_in_use = future.exception(WAIT_S)
    if met_in_use:
        assert isinstance(met_in_use, StoreUnavailable)
        with closing(start(path)) as store:
            assert store.replaced
            outbox = an_outbox(store)
            future = store.submit(lambda c: outbox.append(c, message(7)))
            future.result(WAIT_S)
    after = payloads(path)
    originals = {event: payload for (event, _), (payload, _) in before.items()}
    assert future.result() not in originals
    for (event, _), (payload, sound) in after.items():
        assert event not in originals or payload == originals[event] or not sound
    told = [told["replaces"] for told in told_epochs(path)]
    if not any(replaces and replaces["lost_unknown"] for replaces in told):
        assert after.keys() >= before.keys()
    with closing(start(path)) as store:
        assert store.replaced is None
        assert store.submit(rows.size).result(WAIT_S) > 0
