"""What a command does is audited: with its write or not at all, and what failed never."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from common.clock import HeldClock
from common.deeds import Deed, carry_out
from common.storage.queries import audit_tail, open_readonly
from common.store import Store, StoreSettings
from common.users import User

MIA, WAIT_S = User("mia", "engineer"), 10.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(group_ms=0.0)
    with closing(Store(tmp_path / "station.db", HeldClock(), settings)) as store:
        yield store


def done(store: Store, deed: Deed) -> Any:
    return carry_out(store, deed, "mend", MIA, lambda work: work())


def audited(store: Store) -> list[tuple[str, str, str]]:
    store.submit(lambda _: None).result(WAIT_S)
    with closing(open_readonly(store.path)) as connection:
        return [(row.action, row.target, row.reason) for row in audit_tail(connection, 9)]


def refused(connection: sqlite3.Connection) -> None:
    del connection
    raise ValueError("refused")


def test_an_answer_that_needs_no_disk_is_told_at_once_and_audited(store: Store) -> None:
    assert done(store, Deed("done", "line", "it jams")) == "done"
    assert audited(store) == [("mend", "line", "it jams")]


def test_a_write_is_kept_with_its_audit_and_then_what_follows_is_done(store: Store) -> None:
    followed: list[bool] = []
    stored = done(store, Deed(lambda _: "kept", "line", after=followed.append))
    assert (stored.result(WAIT_S), followed) == ("kept", [True])
    assert audited(store) == [("mend", "line", "")]


def test_a_write_that_fails_is_not_audited_and_what_follows_is_told(store: Store) -> None:
    followed: list[bool] = []
    stored = done(store, Deed(refused, "line", after=followed.append))
    with pytest.raises(ValueError, match="refused"):
        stored.result(WAIT_S)
    assert (audited(store), followed) == ([], [False])


def test_a_future_is_audited_once_it_is_done_well(store: Store) -> None:
    good, bad = Future[str](), Future[str]()
    assert [done(store, Deed(one, "baseline")) for one in (good, bad)] == [good, bad]
    assert audited(store) == []
    good.set_result("learned")
    bad.set_exception(ValueError("too little"))
    assert audited(store) == [("mend", "baseline", "")]
