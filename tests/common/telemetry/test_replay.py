from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from common.clock import HeldClock
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry import replay as replay_module
from common.telemetry.outbox import MQTT, WEBHOOK, Message, Outbox
from common.telemetry.ranges import merged, ranges_of
from common.telemetry.receipt import ReceiptError
from common.telemetry.replay import answer_replay, asked_for

WAIT_S = 10.0
LAST = 40
EPOCHS = count()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("replay") / "station.db"
    with closing(Store(path, HeldClock(), StoreSettings(group_ms=0.0))) as store:
        yield store


def fill(store: Store, epoch: str, gone: set[int], dead: set[int]) -> int:
    """Puts 40 more events into the outbox, some gone and some dead; gives what to add to 1."""
    outbox = Outbox(source="s", epoch=epoch, boot_id="b", clock=store.clock)
    message = Message("verdict", "t.v1", "s", {}, 1.0, (WEBHOOK, MQTT))

    def all_of_it(connection) -> list[str]:
        return [outbox.append(connection, message) for _ in range(LAST)]

    before = int(store.submit(all_of_it).result(WAIT_S)[0].rpartition("-")[2]) - 1
    with closing(open_readonly(store.path)) as connection:
        waiting = rows.pending(connection, MQTT, 10**6)
    seqs = {row.event - before: row.seq for row in waiting if row.epoch == epoch}
    store.submit(lambda c: rows.confirm(c, [seqs[n] for n in gone])).result(WAIT_S)
    store.submit(lambda c: rows.bury(c, [seqs[n] for n in dead], "no")).result(WAIT_S)
    return before


def replay(store: Store, args: dict) -> dict:
    with closing(open_readonly(store.path)) as connection:
        return answer_replay(connection, MQTT, asked_for(args))


def flat(ranges) -> set[int]:
    return {n for first, last in ranges for n in range(first, last + 1)}


EVENTS = some.sets(some.integers(1, LAST), max_size=LAST)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(gone=EVENTS, dead=EVENTS, asked=some.sets(some.integers(1, LAST), min_size=1))
def test_every_event_asked_for_is_held_dead_or_gone(store, gone, dead, asked) -> None:
    dead -= gone
    epoch = f"e{next(EPOCHS)}"
    before = fill(store, epoch, gone, dead)
    wanted = [[first + before, last + before] for first, last in ranges_of(asked)]
    told = replay(store, {epoch: wanted})[epoch]
    assert told["resent"] == len(asked - gone - dead)
    assert {n - before for n in flat(told["gone"])} == asked & gone
    assert {n - before for n in flat(told.get("dead", []))} == asked & dead
    assert merged(told["gone"]) == told["gone"]


def test_an_answer_stays_small_and_the_rest_is_told_when_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "MOST_TOLD", 5)
    before = fill(store, "odd", set(range(1, LAST, 2)), set(range(2, LAST, 4)))
    told = replay(store, {"odd": [[before + 1, before + LAST]]})["odd"]
    assert flat(told["gone"]) == {before + n for n in range(1, 11, 2)}
    assert flat(told["dead"]) == {before + n for n in range(2, 21, 4)}
    assert told["resent"] == LAST // 4
    rest = replay(store, {"odd": [[before + 10, before + LAST]]})["odd"]
    assert flat(rest["gone"]) == {before + n for n in range(11, 21, 2)}


def test_of_another_epoch_all_is_gone(store: Store) -> None:
    fill(store, "one", set(), set())
    assert replay(store, {"other": [[3, 5], [9, 9]]}) == {
        "other": {"resent": 0, "gone": [(3, 5), (9, 9)]}
    }


def test_what_has_not_happened_yet_is_not_gone(store: Store) -> None:
    outbox = Outbox(source="s", epoch=store.epoch, boot_id="b", clock=store.clock)
    message = Message("verdict", "t.v1", "s", {}, 1.0)
    newest = store.submit(lambda c: outbox.append(c, message)).result(WAIT_S)
    last = int(newest.rpartition("-")[2])
    assert replay(store, {store.epoch: [[last, last + 1000], [last + 2000, 10**15]]}) == {
        store.epoch: {"resent": 1, "gone": []}
    }


@pytest.mark.parametrize(
    "args",
    [
        {"e": [[2, 1]]},
        {"e": [[0, 1]]},
        {"e": [[1, 2, 3]]},
        {"e": [["1", 2]]},
        {"e": 5},
        {"e": {"a": 1}},
        {str(n): [[1, 1]] for n in range(21)},
    ],
)
def test_what_is_no_range_is_refused(args) -> None:
    with pytest.raises((ReceiptError, ValueError)):
        asked_for(args)
