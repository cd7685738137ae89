"""Every row of the trail leaves the station once and in order; nothing loses one."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from common import audit, audit_upstream
from common.audit import Act
from common.audit_upstream import AUDIT_EVENT, AuditUpstream
from common.clock import HeldClock
from common.storage.schema import MIGRATIONS
from common.telemetry.outbox import Outbox, OutboxSettings


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript("".join(MIGRATIONS))
        yield connection


def upstream(sinks: tuple[str, ...] = ("mqtt",), max_bytes: int = 1 << 20) -> AuditUpstream:
    settings = OutboxSettings(max_bytes=max_bytes)
    outbox = Outbox(
        source="urn:x", epoch="e", boot_id="b", clock=HeldClock(), settings=settings
    )
    return AuditUpstream(outbox, sinks)


def act(connection: sqlite3.Connection, number: int, reason: str = "") -> audit.AuditRow:
    return audit.append(connection, Act("mia", "operator", "x", f"{number}", reason), 5.0)


def told(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = connection.execute("SELECT payload FROM outbox WHERE class = 'audit' ORDER BY seq")
    events = [json.loads(bytes(row[0])) for row in rows]
    assert all(event["type"] == AUDIT_EVENT for event in events)
    return [event["data"] for event in events]


def test_every_row_is_told_once_and_as_it_is(connection: sqlite3.Connection) -> None:
    teller, rows = upstream(), [act(connection, n) for n in range(3)]
    assert teller.tell(connection) is False
    assert teller.tell(connection) is False
    assert [audit.AuditRow(**data) for data in told(connection)] == rows
    rows.append(act(connection, 3))
    upstream().tell(connection)  # another start goes on where the last one was
    assert [audit.AuditRow(**data) for data in told(connection)] == rows


def test_many_rows_go_in_portions(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_upstream, "AT_ONCE", 2)
    for number in range(5):
        act(connection, number)
    teller = upstream()
    assert [teller.tell(connection) for _ in range(3)] == [True, True, False]
    assert [data["seq"] for data in told(connection)] == [1, 2, 3, 4, 5]


def test_without_a_way_out_nothing_waits(connection: sqlite3.Connection) -> None:
    act(connection, 1)
    assert upstream(()).tell(connection) is False
    assert told(connection) == []


def test_a_full_outbox_keeps_nothing_half_and_loses_nothing(
    connection: sqlite3.Connection,
) -> None:
    for number in range(200):
        act(connection, number, "x" * 500)
    small = upstream(max_bytes=1 << 16)
    small.tell(connection)
    assert told(connection) == []
    large = upstream()
    while large.tell(connection):
        pass
    assert [data["seq"] for data in told(connection)] == list(range(1, 201))
