from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alarms.board import Alarm, AlarmBoard
from common.alarms.engine import (
    ABNORMAL,
    AlarmDefinition,
    AlarmState,
    State,
    acknowledge,
    load_definitions,
    reset,
    step,
)
from common.alarms.persist import load, save, stored_board
from common.clock import HeldClock
from common.errors import ConfigError
from common.store import Store, StoreSettings
from common.store_queries import active_alarms, latest, open_readonly
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox import MQTT, Message, Outbox, OutboxSettings

WAIT_S = 10.0
DELAYED = AlarmDefinition(
    "hot",
    2,
    "Motor is hot",
    "The winding burns.",
    "Stop the motor.",
    on_delay_s=2,
    off_delay_s=3,
)
PLAIN = replace(DELAYED, id="plain", on_delay_s=0.0, off_delay_s=0.0)
LATCHED = replace(PLAIN, id="latched", latched=True, priority=1)


# The states: DOMAIN H9 (on 2 s, off 3 s)


def run(
    definition: AlarmDefinition, abnormal: range, until: int, ack_at: int = -1
) -> list[str]:
    """States at 0, 1, 2 … s, with the process abnormal in these seconds."""
    state, seen = AlarmState(), []
    for second in range(until + 1):
        state = step(definition, state, second in abnormal, float(second))
        if second == ack_at:
            state = acknowledge(state)
        seen.append(state.name.value)
    return seen


def test_a_brief_excursion_is_no_alarm() -> None:
    assert set(run(DELAYED, range(2), 10)) == {"NORM"}


def test_acknowledged_then_normal() -> None:
    seen = run(DELAYED, range(5), 8, ack_at=4)
    assert seen == ["NORM"] * 2 + ["UNACK"] * 2 + ["ACKED"] * 4 + ["NORM"]


def test_normal_without_acknowledgement_waits_for_it() -> None:
    seen = run(DELAYED, range(5), 10, ack_at=10)
    assert seen == ["NORM"] * 2 + ["UNACK"] * 6 + ["RTNUN"] * 2 + ["NORM"]


def test_returned_and_abnormal_again_sounds_again() -> None:
    seen = run(DELAYED, range(5), 8)
    assert seen[-1] == "RTNUN"
    assert run(DELAYED, [*range(5), *range(9, 20)], 11)[-2:] == ["RTNUN", "UNACK"]


def test_a_brief_return_clears_nothing() -> None:
    abnormal = [0, 1, 2, 3, 6, 7, 8]  # normal for 2 s only
    assert run(DELAYED, abnormal, 8)[2:] == ["UNACK"] * 7


def test_a_latched_alarm_is_held_until_acknowledged_and_reset() -> None:
    state = step(LATCHED, AlarmState(), True, 0.0)
    state = step(LATCHED, state, False, 1.0)
    assert state.name is State.LATCHED_UNACK
    assert reset(state) == state, "nobody has taken note"
    state = acknowledge(state)
    assert state.name is State.LATCHED_ACK
    assert reset(state).name is State.NORM
    acked = step(LATCHED, AlarmState(State.ACKED), False, 2.0)
    assert acked.name is State.LATCHED_ACK


def test_a_latched_alarm_is_not_reset_while_the_process_is_abnormal_again() -> None:
    slow = replace(LATCHED, on_delay_s=5.0)
    state = step(slow, AlarmState(State.LATCHED_ACK), True, 10.0)
    assert reset(state) == state
    assert step(slow, state, True, 15.0).name is State.UNACK


# Properties

LEGAL = {
    "process": {
        (State.NORM, State.UNACK),
        (State.UNACK, State.RTNUN),
        (State.UNACK, State.LATCHED_UNACK),
        (State.ACKED, State.NORM),
        (State.ACKED, State.LATCHED_ACK),
        (State.RTNUN, State.UNACK),
        (State.LATCHED_UNACK, State.UNACK),
        (State.LATCHED_ACK, State.UNACK),
    },
    "acknowledge": {
        (State.UNACK, State.ACKED),
        (State.RTNUN, State.NORM),
        (State.LATCHED_UNACK, State.LATCHED_ACK),
    },
    "reset": {(State.LATCHED_ACK, State.NORM)},
}
DEFINITIONS = st.builds(
    replace,
    st.just(DELAYED),
    on_delay_s=st.sampled_from([0.0, 1.0, 2.5]),
    off_delay_s=st.sampled_from([0.0, 1.0, 3.0]),
    latched=st.booleans(),
)
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["process", "process", "process", "acknowledge", "reset"]),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 1.0, 4.0]),
    ),
    max_size=40,
)


def act(definition: AlarmDefinition, state: AlarmState, what: str, active: bool, now: float):
    if what == "process":
        return step(definition, state, active, now)
    return acknowledge(state) if what == "acknowledge" else reset(state)


@settings(deadline=None)
@given(DEFINITIONS, ACTS)
def test_no_illegal_transition(definition: AlarmDefinition, acts) -> None:
    state, now = AlarmState(), 0.0
    for what, active, seconds in acts:
        now += seconds
        after = act(definition, state, what, active, now)
        if after.name is not state.name:
            assert (state.name, after.name) in LEGAL[what]
            assert definition.latched or not after.name.startswith("LATCHED")
            assert not (definition.latched and after.name in (State.RTNUN, State.NORM)) or (
                what == "reset"
            ), "a latched alarm is normal after a reset only"
        state = after


@settings(deadline=None)
@given(DEFINITIONS, ACTS)
def test_an_alarm_needs_its_delay(definition: AlarmDefinition, acts) -> None:
    """It comes exactly when the process was seen abnormal for the on delay on end."""
    state, now, abnormal_since = AlarmState(), 0.0, None
    for _, active, seconds in acts:
        now += seconds
        abnormal_since = (now if abnormal_since is None else abnormal_since) if active else None
        before = state.name in ABNORMAL
        state = step(definition, state, active, now)
        due = abnormal_since is not None and now - abnormal_since >= definition.on_delay_s
        if not before:
            assert (state.name is State.UNACK) == due


# The board


class Memory:
    """A keeper in memory: what a restart would find."""

    def __init__(self) -> None:
        self.kept: dict[str, Alarm] = {}
        self.told: list[tuple[str, str, str, str]] = []

    def changed(self, alarm: Alarm, was: State, by: str) -> None:
        self.kept[alarm.definition.id] = alarm
        self.told.append((alarm.definition.id, was.value, alarm.state.name.value, by))

    def flush(self) -> None:
        """Nothing is ever refused here."""


def a_board(clock: HeldClock, keeper: Memory, *definitions: AlarmDefinition) -> AlarmBoard:
    named = {definition.id: definition for definition in definitions}
    return AlarmBoard(named, clock, keeper, keeper.kept.values())


def states(board: AlarmBoard) -> dict[str, str]:
    return {alarm.definition.id: alarm.state.name.value for alarm in board.summary()}


def test_a_delay_runs_out_with_the_tick() -> None:
    clock, keeper = HeldClock(), Memory()
    board = a_board(clock, keeper, DELAYED)
    board.set("hot", True, "91 °C, limit 90 °C")
    assert board.summary() == []
    clock.sleep(2.0)
    board.tick()
    (alarm,) = board.summary()
    assert (alarm.state.name, alarm.detail) == (State.UNACK, "91 °C, limit 90 °C")
    assert alarm.active_since == clock.wall()
    assert keeper.told == [("hot", "NORM", "UNACK", "process")]


def test_a_brief_pulse_is_not_missed_between_ticks() -> None:
    board = a_board(HeldClock(), Memory(), PLAIN)
    board.set("plain", True)
    board.set("plain", False)
    assert states(board) == {"plain": "RTNUN"}


def test_who_acknowledged_is_kept_until_it_comes_again() -> None:
    clock, keeper = HeldClock(), Memory()
    board = a_board(clock, keeper, PLAIN)
    board.set("plain", True)
    assert board.acknowledge("plain", "mia")
    assert not board.acknowledge("plain", "ben"), "there is nothing left to take note of"
    (alarm,) = board.summary()
    assert (alarm.ack_user, alarm.ack_time) == ("mia", clock.wall())
    board.set("plain", False)
    board.set("plain", True)
    assert board.summary()[0].ack_user == ""
    assert keeper.told[1] == ("plain", "UNACK", "ACKED", "mia")


def test_the_summary_puts_what_needs_attention_first() -> None:
    clock = HeldClock()
    board = a_board(clock, Memory(), DELAYED, PLAIN, LATCHED, replace(PLAIN, id="later"))
    for alarm_id in ("latched", "plain", "later"):
        board.set(alarm_id, True)
        clock.sleep(1.0)
    board.acknowledge("latched", "mia")
    assert list(states(board)) == ["later", "plain", "latched"]


def test_a_latched_alarm_is_reset_by_a_person() -> None:
    keeper = Memory()
    board = a_board(HeldClock(), keeper, LATCHED)
    board.set("latched", True)
    board.set("latched", False)
    assert not board.reset("latched", "mia")
    assert board.acknowledge("latched", "mia")
    assert board.reset("latched", "mia")
    assert states(board) == {}
    assert keeper.told[-1] == ("latched", "LATCHED_ACK", "NORM", "mia")


def test_an_unknown_alarm_is_an_error() -> None:
    board = a_board(HeldClock(), Memory(), PLAIN)
    for attempt in (
        lambda: board.set("gossip", True),
        lambda: board.acknowledge("gossip", "mia"),
        lambda: board.reset("gossip", "mia"),
    ):
        with pytest.raises(KeyError):
            attempt()


def test_an_alarm_no_longer_defined_stays_until_somebody_takes_note() -> None:
    clock, keeper = HeldClock(), Memory()
    a_board(clock, keeper, DELAYED).set("hot", True)
    clock.sleep(2.0)
    first = a_board(clock, keeper, DELAYED)
    first.set("hot", True)
    clock.sleep(2.0)
    first.tick()
    assert states(first) == {"hot": "UNACK"}
    board = a_board(clock, keeper, PLAIN)
    board.tick()
    clock.sleep(3.0)
    board.tick()
    assert states(board) == {"hot": "RTNUN"}
    assert board.acknowledge("hot", "mia")
    assert states(board) == {}


@settings(deadline=None)
@given(DEFINITIONS, ACTS, st.integers(0, 40))
def test_a_restart_at_any_point_gives_the_same_state(definition, acts, restart_at) -> None:
    clock, keeper = HeldClock(), Memory()
    board = a_board(clock, keeper, definition)
    for number, (what, active, seconds) in enumerate(acts):
        clock.sleep(seconds)
        if number == restart_at:
            before = states(board)
            board = a_board(HeldClock(monotonic=5.0), keeper, definition)
            assert states(board) == before
            board.tick()
            assert states(board) == before, "nothing is normal before the process is heard of"
            return
        if what == "process":
            board.set(definition.id, active)
        else:
            getattr(board, what)(definition.id, "mia")


# In the store


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def store(tmp_path: Path, clock: HeldClock) -> Iterator[Store]:
    with closing(open_store(tmp_path, clock)) as store:
        yield store


def open_store(folder: Path, clock: HeldClock) -> Store:
    return Store(folder / "station.db", clock, StoreSettings(group_ms=0.0))


def named(*definitions: AlarmDefinition) -> dict[str, AlarmDefinition]:
    return {definition.id: definition for definition in definitions}


def settled(store: Store) -> None:
    store.submit(lambda _: None).result(WAIT_S)


def an_outbox(store: Store, **limits: int) -> Outbox:
    limit = OutboxSettings(**limits)
    return Outbox(
        source="urn:x", epoch="e", boot_id=store.boot_id, clock=store.clock, settings=limit
    )


def test_alarms_survive_a_restart(tmp_path: Path, clock: HeldClock) -> None:
    with closing(open_store(tmp_path, clock)) as store:
        board = stored_board(named(DELAYED, PLAIN, LATCHED), store)
        board.set("plain", True, "seen")
        board.acknowledge("plain", "mia")
        board.set("latched", True)
        board.set("latched", False)
        before = board.summary()
    with closing(open_store(tmp_path, clock)) as store:
        again = stored_board(named(DELAYED, PLAIN, LATCHED), store)
        assert again.summary() == before
        assert [alarm.ack_user for alarm in again.summary()] == ["", "mia"]


def test_a_change_is_a_state_a_record_and_an_event(store: Store, clock: HeldClock) -> None:
    board = stored_board(named(LATCHED), store, an_outbox(store))
    board.set("latched", True, "air 3.1 bar")
    board.acknowledge("latched", "mia")
    settled(store)
    with closing(open_readonly(store.path)) as connection:
        (view,) = active_alarms(connection)
        assert (view.alarm_id, view.state, view.priority) == ("latched", "ACKED", 1)
        assert view.body["response"] == "Stop the motor."
        assert (view.body["detail"], view.body["ack_user"]) == ("air 3.1 bar", "mia")
        told = [
            (r.body["was"], r.body["state"], r.body["by"]) for r in latest(connection, "alarm")
        ]
        assert told == [("NORM", "UNACK", "process"), ("UNACK", "ACKED", "mia")]
        assert [r.of_class for r in rows.pending(connection, MQTT, 9)] == ["alarm", "alarm"]


def test_what_the_store_refuses_is_kept_and_tried_again(store: Store, clock: HeldClock) -> None:
    board = stored_board(named(PLAIN), store)
    fail = "CREATE TRIGGER no BEFORE INSERT ON alarms BEGIN SELECT RAISE(ABORT, 'no'); END"
    store.submit(lambda c: c.execute(fail).close()).result(WAIT_S)
    board.set("plain", True)
    board.acknowledge("plain", "mia")
    settled(store)
    assert store.submit(load).result(WAIT_S) == []
    store.submit(lambda c: c.execute("DROP TRIGGER no").close()).result(WAIT_S)
    board.tick()
    settled(store)
    (alarm,) = store.submit(load).result(WAIT_S)
    assert (alarm.state.name, alarm.revision) == (State.ACKED, 2)
    with closing(open_readonly(store.path)) as connection:
        states_told = [record.body["state"] for record in latest(connection, "alarm")]
    assert states_told == ["UNACK", "ACKED"]


def test_a_full_outbox_costs_the_event_for_now_but_never_the_state(
    store: Store, clock: HeldClock
) -> None:
    audit = Message("audit", "t", "s", {"text": "x" * 1300}, 1.0)
    store.submit(lambda c: an_outbox(store).append(c, audit)).result(WAIT_S)
    limit = store.submit(rows.size).result(WAIT_S) + 10
    board = stored_board(named(PLAIN), store, an_outbox(store, max_bytes=limit))
    board.set("plain", True)
    settled(store)
    (alarm,) = store.submit(load).result(WAIT_S)
    assert alarm.state.name is State.UNACK
    store.submit(lambda c: rows.confirm(c, [1])).result(WAIT_S)
    board.tick()
    settled(store)
    with closing(open_readonly(store.path)) as connection:
        assert [r.of_class for r in rows.pending(connection, MQTT, 9)] == ["alarm"]


def test_a_later_state_is_never_overwritten_by_an_earlier(store: Store) -> None:

    later = Alarm(PLAIN, AlarmState(State.UNACK), 2.0, revision=2)
    earlier = Alarm(PLAIN, AlarmState(State.NORM), 1.0, revision=1)
    store.submit(lambda c: save(c, later)).result(WAIT_S)
    store.submit(lambda c: save(c, earlier)).result(WAIT_S)
    assert store.submit(load).result(WAIT_S) == [later]


def test_a_state_nobody_knows_is_not_taken_for_normal(store: Store) -> None:
    board = stored_board(named(PLAIN), store)
    board.set("plain", True)
    settled(store)
    strange = "UPDATE alarms SET state = 'FROM_THE_FUTURE'"
    store.submit(lambda c: c.execute(strange).close()).result(WAIT_S)
    assert states(stored_board(named(PLAIN), store)) == {"plain": "UNACK"}


# alarms.toml

GOOD = """
[plc_silent]
priority = 1
text = "PLC does not answer"
consequence = "Every part is rejected."
response = "Check the PLC's power."
on_delay_s = 2
"""


def test_definitions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "alarms.toml"
    path.write_text(GOOD)
    assert load_definitions(path) == {
        "plc_silent": AlarmDefinition(
            "plc_silent", 1, "PLC does not answer", "Every part is rejected.",
            "Check the PLC's power.", on_delay_s=2.0,
        )
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('response = "Check the PLC\'s power."', "", "plc_silent.response is missing"),
        ('"Check the PLC\'s power."', '" "', "response is empty"),
        ('"Every part is rejected."', '""', "consequence is empty"),
        ("priority = 1", "priority = 5", "priority = 5"),
        ("on_delay_s = 2", "on_delay_s = -1", "on_delay_s = -1"),
        ("on_delay_s = 2", "delay = 2", "unknown key plc_silent.delay"),
        ("on_delay_s = 2", 'id = "x"', "without an id of its own"),
        ("[plc_silent]", "plc_silent = 1\n[other]", "plc_silent must be a table"),
    ],
)
def test_what_is_no_alarm_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "alarms.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=r"alarms\.toml: .*" + message):
        load_definitions(path)
