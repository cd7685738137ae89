"""Alarms in a real store: state, record, audit row and event, or all of them later."""

import json
from contextlib import closing
from dataclasses import replace

import pytest

from common import audit
from common.alarms import orders, persist
from common.alarms.alarm import Alarm, Change, Deed
from common.alarms.commands import carry_out
from common.alarms.document import NOT_RECORDED
from common.alarms.engine import AlarmState, State
from common.alarms.persist import StoredAlarms, load, machine_boot, save, stored_board
from common.alarms.shelving import Moment, Shelving
from common.storage.queries import (
    between,
    drops,
    latest,
    open_readonly,
)
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox import MQTT, Message, Outbox, OutboxSettings
from tests.common.stored_alarms import stored_alarms

WAIT_S = 10.0
WANTED = Shelving(100.0, "it flickers")


@pytest.fixture
def store(tmp_path, clock):
    with closing(open_store(tmp_path, clock)) as store:
        yield store


@pytest.fixture
def named(define):
    """Definitions of these ids."""
    return lambda *ids, **changes: {i: define(i, **changes) for i in ids}


def open_store(folder, clock):
    return Store(folder / "station.db", clock, StoreSettings(group_ms=0.0))


def settled(store):
    store.submit(lambda _: None).result(WAIT_S)


def execute(store, sql):
    store.submit(lambda c: c.execute(sql).close()).result(WAIT_S)


def loaded(store):
    now = Moment(store.clock.wall(), store.clock.monotonic(), machine_boot(store))
    return store.submit(lambda c: load(c, now)).result(WAIT_S)


def an_outbox(store, **limits):
    limit = OutboxSettings(**limits)
    return Outbox(
        source="urn:x", epoch="e", boot_id=store.boot_id, clock=store.clock, settings=limit
    )


def audited(connection):
    assert audit.verify(connection) is None
    columns = "SELECT user, role, action, target, reason FROM audit ORDER BY seq"
    return connection.execute(columns).fetchall()


def told(connection):
    return [(r.body["was"], r.body["state"], r.body["by"]) for r in latest(connection, "alarm")]


def test_alarms_survive_a_restart(tmp_path, clock, named, mia, ben):
    definitions = named("noted", "hidden", "serviced") | named("held", latched=True)
    with closing(open_store(tmp_path, clock)) as store:
        board = stored_board(definitions, store)
        board.set("noted", True, "seen")
        board.command("noted", orders.acknowledge(mia, "on my way"))
        board.set("held", True)
        board.set("held", False)
        board.command("hidden", orders.shelve(mia, WANTED))
        board.command("serviced", orders.remove_from_service(ben, "new sensor", "P-17"))
        before = board.summary(), board.hidden()
    with closing(open_store(tmp_path, clock)) as store:
        again = stored_board(definitions, store)
        kept = again.summary(), again.hidden()
    for was, found in zip(before, kept, strict=True):
        assert [replace(a, state=AlarmState()) for a in found] == [
            replace(a, state=AlarmState()) for a in was
        ]
        assert [(a.state.life, a.state.hidden) for a in found] == [
            (a.state.life, a.state.hidden) for a in was
        ]


def test_a_change_is_a_state_a_record_an_audit_row_and_an_event(store, named, mia):
    board = stored_board(named("held", latched=True, role="fitter"), store, an_outbox(store))
    board.set("held", True, "air 3.1 bar")
    board.command("held", orders.acknowledge(mia, "on my way"))
    settled(store)
    with closing(open_readonly(store.path)) as connection:
        (view,) = stored_alarms(connection)
        assert (view.alarm_id, view.state, view.priority) == ("held", "ACKED", 2)
        assert view.body["response"] == "Stop the motor."
        assert view.body["cause"] == "Too much load."
        assert (view.body["detail"], view.body["ack_user"]) == ("air 3.1 bar", "mia")
        assert told(connection) == [
            ("NORM", "UNACK", "process"),
            ("UNACK", "ACKED", "mia"),
        ]
        assert [r.of_class for r in rows.pending(connection, MQTT, 9)] == ["alarm", "alarm"]
        assert audited(connection) == [
            ("mia", "operator", "acknowledge", "held", "on my way")
        ]  # the process is no person: what it does is history, and no act
        records = between(connection, "alarm", 0.0, store.clock.wall() + 1)
        assert [r.body["role"] for r in records] == ["fitter", "fitter"]


def test_hidden_alarms_are_listed_with_their_reason_and_audited(store, named, mia, ben):
    board = stored_board(named("one", "two", "three"), store)
    board.command("one", orders.shelve(mia, WANTED))
    board.command("two", orders.suppress("the machine is off"))
    board.command("three", orders.remove_from_service(ben, "new sensor", "P-17"))
    board.command("one", orders.unshelve(mia))
    board.command("one", orders.shelve(mia, replace(WANTED, one_shot=True)))
    settled(store)
    with closing(open_readonly(store.path)) as connection:
        assert stored_alarms(connection) == []
        stored = connection.execute("SELECT alarm_id, body FROM alarms")
        found = {alarm_id: json.loads(body)["hidden"][0] for alarm_id, body in stored}
        assert audited(connection) == [
            ("mia", "operator", "shelve", "one", "it flickers"),
            ("ben", "engineer", "remove_from_service", "three", "new sensor (permit P-17)"),
            ("mia", "operator", "unshelve", "one", ""),
            ("mia", "operator", "shelve", "one", "it flickers"),
        ]
    assert found["one"]["until"] == store.clock.wall() + 100.0
    assert (found["one"]["by"], found["one"]["one_shot"]) == ("mia", True)
    assert (found["two"]["by"], found["two"]["reason"]) == ("logic", "the machine is off")
    assert (found["three"]["permit"], found["three"]["until"]) == ("P-17", None)


def test_what_the_store_refuses_is_kept_and_tried_again(store, named, mia):
    board = stored_board(named("plain"), store)
    execute(
        store, "CREATE TRIGGER no BEFORE INSERT ON alarms BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    board.set("plain", True)
    settled(store)
    board.command("plain", orders.acknowledge(mia))
    board.tick()
    settled(store)
    assert loaded(store) == []
    with closing(open_readonly(store.path)) as connection:
        assert (told(connection), audited(connection)) == ([], []), "all or nothing"
    execute(store, "DROP TRIGGER no")
    board.tick()
    settled(store)
    (alarm,) = loaded(store)
    assert (alarm.state.name, alarm.revision) == (State.ACKED, 2)
    with closing(open_readonly(store.path)) as connection:
        assert [state for _, state, _ in told(connection)] == ["UNACK", "ACKED"]
        assert len(audited(connection)) == 1


def test_a_full_outbox_costs_the_event_for_now_but_no_state_and_no_audit(store, named, mia):
    act = Message("audit", "t", "s", {"text": "x" * 9000}, 1.0)
    store.submit(lambda c: an_outbox(store).append(c, act)).result(WAIT_S)
    limit = store.submit(rows.size).result(WAIT_S) + 10
    board = stored_board(named("plain"), store, an_outbox(store, max_bytes=limit))
    board.set("plain", True)
    board.command("plain", orders.acknowledge(mia))
    for _ in range(3):
        board.tick()
        settled(store)
    (alarm,) = loaded(store)
    assert alarm.state.name is State.ACKED
    with closing(open_readonly(store.path)) as connection:
        assert len(told(connection)) == 2, "once each, however often the event is tried"
        assert len(audited(connection)) == 1
        assert [r.of_class for r in rows.pending(connection, MQTT, 9)] == ["audit"]
    store.submit(lambda c: rows.confirm(c, [1])).result(WAIT_S)
    board.tick()
    settled(store)
    with closing(open_readonly(store.path)) as connection:
        events = [json.loads(r.payload) for r in rows.pending(connection, MQTT, 9)]
    assert [event["data"]["state"] for event in events] == ["UNACK", "ACKED"]


def test_what_is_given_up_for_want_of_room_is_counted_but_never_a_persons_act(
    store, define, mia, monkeypatch
):
    monkeypatch.setattr(persist, "KEPT_CHANGES", 20)
    monkeypatch.setattr(persist, "TRIED_AT_ONCE", 5)
    keeper, definition = StoredAlarms(store), define()
    execute(
        store, "CREATE TRIGGER no BEFORE INSERT ON alarms BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    quiet = Alarm(define("quiet"), AlarmState(State.UNACK), revision=1)
    keeper.changed(Change(quiet, State.NORM, 1.0))
    for number in range(1, 62):
        deed = Deed("acknowledge", mia) if number % 10 == 0 else Deed()
        alarm = Alarm(definition, AlarmState(State.UNACK), revision=number)
        keeper.changed(Change(alarm, State.NORM, 1.0, deed))
    settled(store)
    execute(store, "DROP TRIGGER no")
    for _ in range(20):
        keeper.flush()
        settled(store)
    found = {alarm.definition.id: alarm.revision for alarm in loaded(store)}
    assert found == {"quiet": 1, "plain": 61}, "the present state is never given up"
    with closing(open_readonly(store.path)) as connection:
        assert len(audited(connection)) == 6
        (dropped,) = drops(connection)
        assert (dropped.what, dropped.of_class, dropped.reason) == ("record", "alarm", "space")
        kept = [r.body["revision"] for r in latest(connection, "alarm", limit=99)]
    assert kept == sorted(kept)
    assert len(kept) + dropped.count == 62
    assert set(kept) > set(range(10, 61, 10))


def test_a_later_state_is_never_overwritten_by_an_earlier(store, define):
    later = Alarm(define(), AlarmState(State.RTNUN), 2.0, revision=2)
    earlier = Alarm(define(), AlarmState(State.NORM), 1.0, revision=1)
    store.submit(lambda c: save(c, later)).result(WAIT_S)
    store.submit(lambda c: save(c, earlier)).result(WAIT_S)
    assert loaded(store) == [later]


def test_a_state_nobody_knows_is_not_taken_for_normal(store, named, mia):
    board = stored_board(named("plain", "hidden"), store)
    board.set("plain", True)
    board.command("hidden", orders.shelve(mia, WANTED))
    settled(store)
    execute(
        store,
        "UPDATE alarms SET state = 'NEW', body = replace(replace(body,"
        """ '"life":"UNACK"', '"life":"NEW"'), '"how":"SHELVED"', '"how":"NEW"')""",
    )
    again = stored_board(named("plain", "hidden"), store)
    found = {alarm.definition.id: alarm.state.name.value for alarm in again.summary()}
    assert found == {"plain": "UNACK", "hidden": "UNACK"}


def test_a_file_of_the_first_version_is_read(store, define):
    """It had neither cause nor time to respond, and one state without hidings."""
    body = {
        "text": "Motor is hot", "consequence": "The winding burns.", "response": "Stop it.",
        "on_delay_s": 0.0, "off_delay_s": 0.0, "latched": False, "role": "operator",
        "detail": "91 °C", "active_since": 5.0, "ack_user": "mia", "ack_time": 6.0,
    }  # fmt: skip
    store.submit(
        lambda c: c.execute(
            "INSERT INTO alarms VALUES('hot', 'ACKED', 2, 3, 6.0, ?)", (json.dumps(body),)
        ).close()
    ).result(WAIT_S)
    (alarm,) = loaded(store)
    assert (alarm.state.name, alarm.detail, alarm.ack_user) == (State.ACKED, "91 °C", "mia")
    assert (alarm.definition.cause, alarm.definition.text) == (NOT_RECORDED, "Motor is hot")
    board = stored_board({"hot": define("hot")}, store)
    assert board.alarm("hot").definition == define("hot")


def test_a_flood_of_a_thousand_is_in_the_store_to_the_last(store, named, mia):
    names = [f"alarm-{number}" for number in range(1000)]
    board = stored_board(named(*names), store, an_outbox(store))
    for name in names:
        board.set(name, True)
        store.clock.sleep(0.01)
    board.command_all(dict.fromkeys(names), orders.acknowledge(mia))
    for _ in range(4):
        board.tick()
        settled(store)
    with closing(open_readonly(store.path)) as connection:
        assert {view.alarm_id for view in stored_alarms(connection)} == set(names)
        assert len(latest(connection, "alarm", limit=9999)) == 2000
        assert len(audited(connection)) == 1000
        assert len(rows.pending(connection, MQTT, 9999)) == 2000
        assert drops(connection) == []


def test_a_text_that_no_file_takes_holds_up_nothing_else(store, named):
    board = stored_board(named("plain", "other"), store)
    board.set("plain", True, "/data/fr\udce9quence.png cannot be read")
    board.set("other", True)
    settled(store)
    assert {alarm.definition.id for alarm in loaded(store)} == {"plain", "other"}
    assert board.alarm("plain").detail == "/data/fr?quence.png cannot be read"


def test_a_change_that_can_never_be_stored_is_given_up_alone_and_counted(store, named):
    board = stored_board(named("plain", "other"), store)
    execute(
        store, "CREATE TRIGGER no BEFORE INSERT ON alarms BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    board.set("plain", True, about={"part": "\udce9"})
    board.set("other", True)
    settled(store)
    execute(store, "DROP TRIGGER no")
    for _ in range(3):
        board.tick()
        settled(store)
    assert [alarm.definition.id for alarm in loaded(store)] == ["other"]
    with closing(open_readonly(store.path)) as connection:
        (given_up,) = drops(connection)
    assert (given_up.what, given_up.of_class, given_up.count) == ("record", "alarm", 1)


def test_a_persons_deed_is_answered_once_it_is_on_the_disk(tmp_path, clock, named, mia):
    slow = StoreSettings(group_ms=60_000.0)  # company would be waited for for a minute
    with closing(Store(tmp_path / "station.db", clock, slow)) as store:
        board = stored_board(named("plain"), store)
        board.set("plain", True)
        answer = carry_out(board, "acknowledge", {"alarm_id": "plain"}, mia)
        assert answer.result(WAIT_S) == "acknowledged"
        with closing(open_readonly(store.path)) as connection:
            assert len(audited(connection)) == 1
