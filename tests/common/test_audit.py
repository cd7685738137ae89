import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common import audit
from common.audit import FIRST, Act
from common.clock import HeldClock
from common.storage.queries import Refusal, audit_tail, open_readonly, refusals
from common.store import Store, StoreRefused, StoreSettings

WAIT_S = 10.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(
        Store(tmp_path / "station.db", HeldClock(), StoreSettings(group_ms=0.0))
    ) as store:
        yield store


@pytest.fixture
def chain(store: Store) -> sqlite3.Connection:
    """Four sealed rows, on a connection that a forger would have: without the triggers."""
    for number in range(4):
        act = Act("mia", "quality", "overrule", f"record/{number}", "only dust")
        audit.submit(store, act).result(WAIT_S)
    store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        yield_to_forger(connection)
        yield connection


def yield_to_forger(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TRIGGER audit_stays")
    connection.execute("DROP TRIGGER audit_unchanged")


def test_rows_are_chained_from_the_first(store: Store) -> None:
    rows = [
        audit.submit(store, Act("mia", "operator", "acknowledge", "alarm/a")).result(WAIT_S),
        audit.submit(store, Act("ben", "service", "recipe", "recipe/7", "new")).result(WAIT_S),
    ]
    with closing(open_readonly(store.path)) as connection:
        assert audit_tail(connection) == rows
        assert audit.verify(connection) is None
    assert rows[0].prev_hash == FIRST
    assert rows[1].prev_hash == rows[0].hash
    assert rows[0].wall_time == store.clock.wall()


def test_an_empty_trail_is_sound(store: Store) -> None:
    assert store.submit(audit.verify).result(WAIT_S) is None


def test_the_trail_is_append_only(store: Store) -> None:
    audit.submit(store, Act("mia", "operator", "acknowledge", "alarm/a")).result(WAIT_S)
    for statement in ("DELETE FROM audit", "UPDATE audit SET user = 'eve'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.submit(lambda c, s=statement: c.execute(s)).result(WAIT_S)


def test_a_row_that_the_store_does_not_take_is_logged_counted_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held, few = threading.Event(), StoreSettings(queue_operations=1, group_ms=0.0)
    with closing(Store(tmp_path / "full.db", HeldClock(), few)) as store:
        store.submit(lambda _: held.wait(WAIT_S))
        while len(store._queue):
            time.sleep(0.001)
        kept = audit.submit(store, Act("mia", "operator", "acknowledge", "alarm/a"))
        lost = audit.submit(store, Act("ben", "operator", "shelve", "alarm/b"))
        assert isinstance(lost.exception(0), StoreRefused)
        held.set()
        assert kept.result(WAIT_S).action == "acknowledge"
        for operation in store._upkeep:
            store.submit(operation).result(WAIT_S)
        with closing(open_readonly(store.path)) as connection:
            assert refusals(connection) == [Refusal("audit", "queue", 1)]
    assert "not audited: 'shelve'" in caplog.text
    assert "acknowledge" not in caplog.text


def test_an_act_that_fails_leaves_no_row_and_no_gap(store: Store) -> None:
    def act_and_fail(connection: sqlite3.Connection) -> None:
        audit.append(connection, Act("mia", "operator", "x", "y"), 1.0)
        raise KeyError("bug")

    with pytest.raises(KeyError):
        store.submit(act_and_fail).result(WAIT_S)
    audit.submit(store, Act("mia", "operator", "acknowledge", "alarm/a")).result(WAIT_S)
    assert store.submit(audit.verify).result(WAIT_S) is None


@pytest.mark.parametrize(
    ("forgery", "broken"),
    [
        ("UPDATE audit SET user = 'eve' WHERE seq = 2", 2),
        ("UPDATE audit SET reason = '' WHERE seq = 4", 4),
        ("UPDATE audit SET wall_time = wall_time + 0.001 WHERE seq = 1", 1),
        ("UPDATE audit SET hash = '0' WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit", 1),
        ("INSERT INTO audit SELECT 9, 1, 'e', 'e', 'e', 'e', 'e', hash, '0' FROM audit", 5),
    ],
)
def test_verify_names_the_first_broken_row(
    chain: sqlite3.Connection, forgery: str, broken: int
) -> None:
    chain.execute(forgery if "INSERT" not in forgery else forgery + " WHERE seq = 4")
    assert audit.verify(chain) == broken


def test_the_head_seals_what_is_there(store: Store) -> None:
    assert store.submit(audit.head).result(WAIT_S) is None
    rows = [
        audit.submit(store, Act("mia", "operator", "x", f"{n}")).result(WAIT_S) for n in (1, 2)
    ]
    assert store.submit(audit.head).result(WAIT_S) == rows[-1]
    assert store.submit(lambda c: audit.holds(c, rows[0].hash)).result(WAIT_S) == 1
    assert store.submit(lambda c: audit.holds(c, "f" * 64)).result(WAIT_S) is None
    assert store.submit(lambda c: audit.since(c, 1, 10)).result(WAIT_S) == rows[1:]


def test_a_tail_cut_and_covered_up_shows_only_against_a_head_seen_elsewhere(
    chain: sqlite3.Connection,
) -> None:
    seen = audit.head(chain)
    assert seen is not None
    chain.execute("DELETE FROM audit WHERE seq > 2")
    chain.execute("UPDATE sqlite_sequence SET seq = 2 WHERE name = 'audit'")
    assert audit.verify(chain) is None
    assert audit.holds(chain, seen.hash) is None
