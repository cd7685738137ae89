import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from common import audit, meta
from common.clock import HeldClock
from common.errors import ConfigError, LinesideError
from common.storage.queries import Refusal, audit_tail, open_readonly, refusals
from common.store import Store, StoreSettings
from common.telemetry import remote_desk
from common.telemetry.event import iso_time
from common.telemetry.outbox import Message, Outbox
from common.telemetry.remote import Command, CommandSettings, seal
from common.telemetry.remote_desk import Call, PerMinute, RemoteDesk

WAIT_S = 10.0
BASE = "v1/a/b/c/d/e"
KEY = b"0123456789abcdef"
ARGS = {"alarm_id": "plc_silent"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(group_ms=0.0)
    with closing(Store(tmp_path / "station.db", HeldClock(), settings)) as store:
        yield store


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "room.key").write_bytes(KEY + b"\n")
    return {"room": tmp_path / "room.key"}


class Plant:
    """Carries out what comes through."""

    def __init__(self, outcome: object = "acknowledged") -> None:
        self.asked: list[tuple[str, dict, str]] = []
        self.outcome = outcome

    def __call__(self, name: str, args: dict, user: str) -> object:
        self.asked.append((name, args, user))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def a_call(store: Store, nonce: str = "1" * 16, key: bytes = KEY, **changes) -> Call:
    now = iso_time(store.clock.wall())
    command = Command("acknowledge", ARGS, "room", "operator is there", now, nonce)
    command = replace(command, **changes)
    topic = f"{BASE}/cmd/{command.name}"
    return Call(command.name, topic, seal(command, topic, key), f"{BASE}/resp", b"7")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def ask(desk: RemoteDesk, call: Call) -> dict:
    return json.loads(desk.serve(call))


def trail(store: Store) -> list[tuple[str, str, str, str]]:
    store.submit(lambda _: None).result(WAIT_S)
    with closing(open_readonly(store.path)) as connection:
        assert audit.verify(connection) is None
        return [(r.user, r.action, r.target, r.reason) for r in audit_tail(connection)]


def test_a_signed_command_is_carried_out_once_and_audited(store: Store, keys) -> None:
    plant = Plant()
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), plant)
    call = a_call(store)
    assert ask(desk, call) == {"result": "acknowledged"}
    assert plant.asked == [("acknowledge", ARGS, "room (remote)")]
    assert trail(store) == [
        ("room (remote)", "acknowledge asked", '{"alarm_id":"plc_silent"}', "operator is there")
    ]
    assert "sent before" in ask(desk, call)["refused"]
    assert len(plant.asked) == 1
    assert trail(store)[1][:2] == ("room (remote)", "acknowledge refused")
    assert desk.refused == 1


def test_after_a_restart_a_recorded_command_is_still_refused(store: Store, keys) -> None:
    settings, plant = CommandSettings(acknowledge=keys), Plant()
    call = a_call(store)
    ask(RemoteDesk(store, settings, plant), call)
    store.clock.sleep(200.0)
    assert "sent before" in ask(RemoteDesk(store, settings, plant), call)["refused"]
    store.clock.sleep(200.0)
    assert "from the station's" in ask(RemoteDesk(store, settings, plant), call)["refused"]
    assert len(plant.asked) == 1


def test_nonces_that_cannot_be_read_let_nothing_old_through(store: Store, keys) -> None:
    settings, plant = CommandSettings(acknowledge=keys), Plant()
    call = a_call(store)
    ask(RemoteDesk(store, settings, plant), call)
    store.submit(lambda c: meta.put(c, remote_desk.NONCES, {"seen": 5})).result(WAIT_S)
    store.clock.sleep(1.0)
    desk = RemoteDesk(store, settings, plant)
    assert "sent before" in ask(desk, call)["refused"]
    store.clock.sleep(1.0)
    assert "result" in ask(desk, a_call(store, nonce="2" * 16))


def test_what_cannot_be_written_down_is_not_carried_out(store: Store, keys) -> None:
    plant = Plant()
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), plant)
    hold = "CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
    store.submit(lambda c: c.execute(hold).close()).result(WAIT_S)
    assert "refused" in ask(desk, a_call(store))
    assert plant.asked == []
    store.submit(lambda c: c.execute("DROP TRIGGER no").close()).result(WAIT_S)
    assert ask(desk, a_call(store)) == {"result": "acknowledged"}, "its nonce was not used up"


def test_a_command_that_cannot_be_written_down_is_counted_as_lost(store: Store, keys) -> None:
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), Plant())
    hold = "CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
    store.submit(lambda c: c.execute(hold).close()).result(WAIT_S)
    ask(desk, a_call(store))
    for operation in store._upkeep:
        store.submit(operation).result(WAIT_S)
    with closing(open_readonly(store.path)) as connection:
        asked_and_refused = [Refusal("audit", "invalid", 2)]
        assert refusals(connection) == asked_and_refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": b"another key, as long"}, "unknown principal, or its signature"),
        ({"by": "stranger"}, "unknown principal, or its signature"),
        ({"name": "replay", "args": {}}, "unknown principal, or its signature"),
        ({"name": "reset_line"}, "only on the station's own API"),
        ({"time": "2020-01-01T00:00:00Z"}, "are the clocks set"),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_reason(
    store: Store, keys, changes, reason: str
) -> None:
    plant = Plant()
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), plant)
    assert reason in ask(desk, a_call(store, **changes))["refused"]
    assert plant.asked == []
    (row,) = trail(store)
    assert row[1].endswith(" refused")
    assert reason in row[3]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (ValueError("there is no alarm x"), {"refused": "there is no alarm x"}),
        (LinesideError("not now"), {"refused": "not now"}),
        (KeyError("a bug"), {"refused": "it failed, see the station's log"}),
        ({"state": "ACKED"}, {"result": {"state": "ACKED"}}),
    ],
)
def test_the_outcome_is_told(store: Store, keys, outcome, told) -> None:
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), Plant(outcome))
    assert ask(desk, a_call(store)) == told


def test_an_outcome_may_take_its_time_but_not_too_long(
    store: Store, keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Future[str] = Future()
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), Plant(done))
    threading.Timer(0.1, done.set_result, ["acknowledged"]).start()
    assert ask(desk, a_call(store)) == {"result": "acknowledged"}
    never: Future[str] = Future()
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), Plant(never))
    monkeypatch.setattr(remote_desk, "PATIENCE_S", 0.2)
    assert "in time" in ask(desk, a_call(store, nonce="3" * 16))["refused"]
    assert never.cancelled(), "it shall not happen after it was told not to have happened"


class Impatient(Future[str]):
    """Whoever waits for it has already waited in vain."""

    def result(self, timeout: float | None = None) -> str:
        return super().result(timeout and 0.0)


@pytest.mark.parametrize("error", [None, LinesideError("the camera is gone")])
def test_what_is_under_way_is_not_called_refused_and_its_failure_is_audited(
    store: Store, keys, error: Exception | None
) -> None:
    work = Impatient()
    assert work.set_running_or_notify_cancel()
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), Plant(work))
    assert "still at it" in ask(desk, a_call(store))["under_way"]
    assert desk.refused == 0
    assert [row[1] for row in trail(store)] == ["acknowledge asked"]
    if error is None:
        work.set_result("acknowledged")
        assert len(trail(store)) == 1
    else:
        work.set_exception(error)
        assert trail(store)[1] == (
            "room (remote)", "acknowledge failed", "command from afar", "the camera is gone"
        )  # fmt: skip


def test_without_a_station_behind_it_nothing_is_acknowledged(store: Store, keys) -> None:
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys))
    assert "only on the station's own API" in ask(desk, a_call(store))["refused"]


# ------------------------------------------------------------------ replay


def replay(args: dict, **more) -> Call:
    body = json.dumps({"args": args, **more}).encode()
    return Call("replay", f"{BASE}/cmd/replay", body, f"{BASE}/resp", b"9")


def test_a_replay_needs_no_key_unless_the_settings_say_so(store: Store, keys) -> None:
    outbox = Outbox(source="s", epoch="e", boot_id="b", clock=store.clock)
    message = Message("verdict", "t.v1", "s", {}, 1.0)
    for _ in range(3):
        store.submit(lambda c: outbox.append(c, message)).result(WAIT_S)
    desk = RemoteDesk(store, CommandSettings())
    assert ask(desk, replay({"e": [[2, 5]]})) == {
        "result": {"e": {"resent": 2, "gone": [[4, 5]]}}
    }
    assert list(desk.replays) == [{"e": [(2, 5)]}]
    assert trail(store) == [], "nobody asked, and nothing happened to the station"

    strict = RemoteDesk(store, CommandSettings(replay=keys, replay_unsigned=False))
    assert "refused" in ask(strict, replay({"e": [[2, 5]]}))
    signed = a_call(store, name="replay", args={"e": [[1, 1]]})
    assert ask(strict, signed)["result"] == {"e": {"resent": 1, "gone": []}}


def test_replays_are_limited_in_their_rate(store: Store) -> None:
    desk = RemoteDesk(store, CommandSettings(replays_per_minute=2))
    told = [ask(desk, replay({"e": [[1, 1]]})) for _ in range(4)]
    assert ["result" in one for one in told] == [True, True, False, False]
    assert "too often" in told[-1]["refused"]
    assert len(desk.replays) == 2


@pytest.mark.parametrize("args", [{"e": [[2, 1]]}, {"e": "all"}, {"e": [[1, 2, 3]]}])
def test_a_replay_of_nonsense_is_refused(store: Store, args) -> None:
    desk = RemoteDesk(store, CommandSettings())
    assert "refused" in ask(desk, replay(args))
    assert not desk.replays


# ------------------------------------------------------------------ many, and hostile


def test_whoever_knocks_without_end_does_not_fill_the_audit_trail(store: Store) -> None:
    desk = RemoteDesk(store, CommandSettings())
    for number in range(100):
        ask(desk, Call("open_gate", f"{BASE}/cmd/open_gate", b"%d" % number))
    assert desk.refused == 100
    assert len(trail(store)) == remote_desk.AUDITED_PER_MINUTE
    assert trail(store)[0] == (
        "unknown (remote)", "open_gate refused", "command from afar",
        "open_gate: only on the station's own API",
    )  # fmt: skip


def test_a_minute_later_it_counts_anew() -> None:
    limit = PerMinute(2)
    assert [limit.allows(now) for now in (0.0, 1.0, 2.0, 59.9, 60.0, 60.5, 61.0)] == [
        True, True, False, False, True, False, True,
    ]  # fmt: skip


def test_calls_are_served_in_order_and_the_twenty_first_is_told_busy(
    store: Store, keys
) -> None:
    held, reached = threading.Event(), threading.Event()

    def slow(name: str, args: dict, user: str) -> str:
        reached.set()
        assert held.wait(WAIT_S)
        return "acknowledged"

    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), slow)
    desk.start()
    desk.offer(a_call(store, nonce="first" + "-" * 16))
    assert reached.wait(WAIT_S)
    for number in range(remote_desk.WAITING + 1):
        desk.offer(a_call(store, nonce=f"{number:016}"))
    assert json.loads(desk.answers[0].body)["refused"] == "acknowledge: busy, try again"
    held.set()
    until(lambda: len(desk.answers) == remote_desk.WAITING + 2)
    desk.stop()
    told = [json.loads(answer.body) for answer in list(desk.answers)[1:]]
    assert told == [{"result": "acknowledged"}] * (remote_desk.WAITING + 1)
    assert {(answer.topic, answer.correlation) for answer in desk.answers} == {
        (f"{BASE}/resp", b"7")
    }


def test_who_asks_for_no_answer_gets_none(store: Store, keys) -> None:
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), Plant())
    desk.start()
    desk.offer(replace(a_call(store), answer_to=""))
    desk.offer(replace(a_call(store), correlation=b"the second"))
    until(lambda: len(desk.answers) == 1)
    desk.stop()
    assert desk.answers[0].correlation == b"the second"


@pytest.mark.parametrize("key", [None, "short\n"])
def test_keys_that_are_none_are_refused_at_the_start(
    store: Store, tmp_path: Path, key: str | None
) -> None:
    if key is not None:
        (tmp_path / "key").write_text(key)
    with pytest.raises(ConfigError, match="key"):
        RemoteDesk(store, CommandSettings(acknowledge={"room": tmp_path / "key"}))


def test_a_changed_key_serves_at_once(store: Store, keys) -> None:
    desk = RemoteDesk(store, CommandSettings(acknowledge=keys), Plant())
    keys["room"].write_bytes(b"quite another key")
    assert "refused" in ask(desk, a_call(store))
    assert "result" in ask(desk, a_call(store, key=b"quite another key"))
