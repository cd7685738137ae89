"""Group commit, the queue before it and the futures after it."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import HeldClock, SystemClock
from common.storage.commit import Waiting, run_together, shared
from common.storage.failures import StoreError
from common.storage.queries import Refusal, open_readonly, refusals
from common.storage.ticket import Ticket, begin, settle
from common.storage.waiting import Queue
from common.store import Store, StoreRefused, StoreSettings

WAIT_S = 10.0


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t(n INTEGER PRIMARY KEY)")
        yield connection


class Gathered:
    """Numbers that are written once, before the commit."""

    written = 0

    def __init__(self, _: sqlite3.Connection) -> None:
        self.numbers: list[int] = []

    def write(self, connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO t VALUES(?)", [(n,) for n in self.numbers])
        Gathered.written += 1


def waiting(operation) -> Waiting:
    return Waiting(operation, Ticket())


def there(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n")]


def insert(number: int):
    return lambda c: c.execute("INSERT INTO t VALUES(?)", (number,)).lastrowid


def fail(error: Exception):
    def operation(connection: sqlite3.Connection) -> None:
        insert(999)(connection)
        raise error

    return operation


def gather(number: int):
    def operation(connection: sqlite3.Connection) -> int:
        gathered = shared(connection, Gathered)
        assert gathered is not None
        gathered.numbers.append(number)
        return number

    return operation


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["insert", "gather", "fail"])), max_size=12
    )
)
@settings(max_examples=80, deadline=None)
def test_each_operation_ends_as_if_those_that_failed_had_never_been(acts) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t(n INTEGER PRIMARY KEY)")
        makers = {"insert": insert, "gather": gather, "fail": lambda _: fail(KeyError("own"))}
        # Numbers gathered are others than those inserted, and each comes once.
        numbered = [
            (how, 1000 + place if how == "gather" else n) for place, (n, how) in enumerate(acts)
        ]
        batch = [waiting(makers[how](n)) for how, n in numbered]
        assert run_together(connection, batch) == batch

        expected: set[int] = set()
        for (how, n), one in zip(numbered, batch, strict=True):
            if how == "fail":
                assert isinstance(one.failure, KeyError)
            elif n in expected:
                assert isinstance(one.failure, sqlite3.IntegrityError)
            else:
                assert (one.failure, one.result) == (None, n)
                expected.add(n)
        assert there(connection) == sorted(expected)
        assert not connection.in_transaction


def test_what_is_shared_is_written_once_for_all(connection: sqlite3.Connection) -> None:
    Gathered.written = 0
    run_together(connection, [waiting(gather(n)) for n in range(50)])
    assert there(connection) == list(range(50))
    assert Gathered.written == 1


def test_what_cannot_be_written_at_the_end_costs_only_those_who_gathered_it(
    connection: sqlite3.Connection,
) -> None:
    batch = [waiting(insert(1)), waiting(gather(1 << 64)), waiting(insert(2))]
    run_together(connection, batch)
    assert [type(one.failure) for one in batch] == [type(None), OverflowError, type(None)]
    assert there(connection) == [1, 2]


def test_nothing_is_shared_outside_of_a_group_commit(connection: sqlite3.Connection) -> None:
    assert shared(connection, Gathered) is None
    with closing(sqlite3.connect(":memory:")) as other:
        (one,) = run_together(connection, [waiting(lambda _: shared(other, Gathered))])
        assert one.result is None


def test_an_operation_that_ends_the_transaction_fails_and_its_neighbours_do_not(
    connection: sqlite3.Connection,
) -> None:
    def rogue(c: sqlite3.Connection) -> None:
        insert(7)(c)
        c.execute("ROLLBACK")

    batch = run_together(connection, [waiting(insert(1)), waiting(rogue), waiting(insert(2))])
    assert [type(one.failure) for one in batch] == [
        type(None),
        sqlite3.OperationalError,
        type(None),
    ]
    assert there(connection) == [1, 2]


def test_a_file_somebody_else_writes_fails_all_at_once(tmp_path: Path) -> None:
    def opened() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0.05)

    with closing(opened()) as mine, closing(opened()) as other:
        mine.execute("CREATE TABLE t(n INTEGER PRIMARY KEY)")
        other.execute("BEGIN IMMEDIATE")
        batch = run_together(mine, [waiting(insert(n)) for n in range(100)])
        assert {str(one.failure) for one in batch} == {"database is locked"}


# The queue


def test_a_group_waits_for_company_until_it_is_full_or_its_time_is_over() -> None:
    queue = Queue(100, 1 << 20)
    for _ in range(3):
        assert queue.put(waiting(int)) == ""
    begun = time.monotonic()
    assert len(queue.take(10, 0.05, WAIT_S)) == 3
    assert time.monotonic() - begun >= 0.04
    for _ in range(15):
        queue.put(waiting(int))
    assert len(queue.take(10, WAIT_S, WAIT_S)) == 10
    assert len(queue) == 5


@pytest.mark.parametrize("of_class", ["alarm", "audit"])
def test_what_a_person_waits_for_takes_all_others_along_at_once(of_class: str) -> None:
    queue = Queue(100, 1 << 20)
    queue.put(waiting(int))
    queue.put(Waiting(int, Ticket(), of_class=of_class))
    assert len(queue.take(10, WAIT_S, WAIT_S)) == 2
    queue.put(waiting(int))
    assert len(queue.take(10, 0.01, WAIT_S)) == 1


def test_a_closed_queue_takes_nothing_and_hands_over_what_waits() -> None:
    queue = Queue(100, 1 << 20)
    queue.put(waiting(int))
    queue.close()
    assert queue.put(waiting(int)) == "the store is closed"
    assert not queue.ended
    assert len(queue.take(10, WAIT_S, WAIT_S)) == 1
    assert queue.ended
    assert queue.take(10, WAIT_S, WAIT_S) == []


def test_a_queue_that_fills_while_it_is_emptied_loses_and_repeats_nothing() -> None:
    queue, found = Queue(1000, 1 << 20), []
    tickets = [waiting(int) for _ in range(4000)]

    def fill(mine: list[Waiting]) -> None:
        for one in mine:
            while queue.put(one):
                time.sleep(0.001)

    threads = [threading.Thread(target=fill, args=(tickets[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    while len(found) < len(tickets):
        found += queue.take(7, 0.001, WAIT_S)
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(map(id, found)) == sorted(map(id, tickets))


# Tickets


def test_a_ticket_is_a_future_in_all_its_manners() -> None:
    done, failed, cancelled, late = (waiting(int) for _ in range(4))
    called: list[Future] = []
    for one in (done, failed):
        one.future.add_done_callback(called.append)
    assert cancelled.future.cancel()
    assert begin([done, failed, cancelled]) == [done, failed]
    assert not done.future.cancel(), "it runs"
    done.result, failed.failure = 7, KeyError("x")
    settle([done, failed])
    assert called == [done.future, failed.future]
    assert done.future.result(0) == 7
    assert failed.future.exception(0) is failed.failure
    with pytest.raises(KeyError):
        failed.future.result()
    with pytest.raises(CancelledError):
        cancelled.future.result(0)
    with pytest.raises(FutureTimeout):
        late.future.result(0.01)
    with pytest.raises(FutureTimeout):
        late.future.exception(0.01)
    assert wait([done.future, failed.future, cancelled.future], 0).not_done == set()


def test_threads_that_wait_are_woken_each_for_its_own() -> None:
    tickets = [waiting(int) for _ in range(20)]
    results: dict[int, int] = {}

    def ask(place: int) -> None:
        results[place] = tickets[place].future.result(WAIT_S)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for first in range(0, 20, 5):
        group = begin(tickets[first : first + 5])
        for place, one in enumerate(group, first):
            one.result = place
        settle(group)
    for thread in threads:
        thread.join(WAIT_S)
    assert results == {n: n for n in range(20)}
    pending = [waiting(int) for _ in range(2)]
    timer = threading.Timer(0.02, lambda: settle(begin(pending)))
    timer.start()
    assert wait([one.future for one in pending], WAIT_S).not_done == set()
    timer.join()


def test_a_callback_may_use_the_store(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "s.db", SystemClock())) as store:
        heard = threading.Event()
        first = store.submit(lambda _: 1)
        first.add_done_callback(
            lambda _: store.submit(lambda _: 2).add_done_callback(lambda _: heard.set())
        )
        assert heard.wait(WAIT_S)


# The store


def test_whoever_waits_hurries_the_commit(tmp_path: Path) -> None:
    hour = StoreSettings(group_ms=1000.0)
    with closing(Store(tmp_path / "s.db", HeldClock(), hour)) as store:
        begun = time.monotonic()
        for _ in range(20):
            store.submit(lambda _: None).result(WAIT_S)
        assert time.monotonic() - begun < 10.0, "20 groups that wait take 20 s"


def test_the_caller_is_not_held_up_by_a_writer_that_is(tmp_path: Path) -> None:
    held = threading.Event()
    with closing(Store(tmp_path / "s.db", HeldClock(), StoreSettings(group_ms=0.0))) as store:
        store.submit(lambda _: held.wait(WAIT_S))
        futures = [store.submit(lambda _: None) for _ in range(1000)]
        assert not any(future.done() for future in futures)
        held.set()
        assert wait(futures, WAIT_S).not_done == set()


def test_a_writer_that_ends_by_a_bug_is_told_and_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with closing(Store(tmp_path / "s.db", HeldClock())) as store:
        monkeypatch.setattr(store, "_note", lambda _: 1 / 0)
        future = store.submit(fail(KeyError("own")))
        with pytest.raises(StoreError, match="the store has ended"):
            future.result(WAIT_S)
        store._thread.join(WAIT_S)
        assert not store.healthy
        assert store.last_error.endswith(
            "the store has ended (division by zero); restart the station"
        )


# What is refused


def refused(store: Store) -> list[Refusal]:
    for operation in store._upkeep:
        store.submit(operation).result(WAIT_S)
    with closing(open_readonly(store.path)) as connection:
        return refusals(connection)


def test_events_that_are_refused_are_counted_by_class_and_reason(tmp_path: Path) -> None:
    held = threading.Event()
    few = StoreSettings(queue_operations=2, group_ms=0.0)

    def fails(connection: sqlite3.Connection) -> None:
        raise ValueError("not an event")

    with closing(Store(tmp_path / "s.db", HeldClock(), few)) as store:
        running = store.submit(lambda _: held.wait(WAIT_S))
        while len(store._queue):
            time.sleep(0.001)
        taken = [store.submit(fails, of_class="metric"), store.submit(fails)]
        too_many = [store.submit(fails, of_class="verdict") for _ in range(3)]
        held.set()
        assert running.result(WAIT_S)
        assert all(isinstance(f.exception(WAIT_S), ValueError) for f in taken)
        assert all(isinstance(f.exception(0), StoreRefused) for f in too_many)
        assert (store.refused, store.failed) == (3, 2)
        assert refused(store) == [
            Refusal("metric", "invalid", 1),
            Refusal("verdict", "queue", 3),
        ]


def test_what_was_refused_just_before_the_store_closes_is_counted_too(tmp_path: Path) -> None:
    path, held = tmp_path / "s.db", threading.Event()
    store = Store(path, HeldClock(), StoreSettings(queue_operations=1, group_ms=0.0))
    store.submit(lambda _: held.wait(WAIT_S))
    while len(store._queue):
        time.sleep(0.001)
    too_many = [store.submit(lambda _: None, of_class="verdict") for _ in range(4)][1:]
    held.set()
    store.close()
    assert all(isinstance(f.exception(0), StoreRefused) for f in too_many)
    with closing(open_readonly(path)) as connection:
        assert refusals(connection) == [Refusal("verdict", "queue", 3)]
