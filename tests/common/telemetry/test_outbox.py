import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import HeldClock
from common.store_schema import MIGRATIONS
from common.telemetry import outbox_rows as rows
from common.telemetry.event import decode_event
from common.telemetry.outbox import (
    DROPPED,
    MQTT,
    WEBHOOK,
    Message,
    Outbox,
    OutboxFull,
    OutboxSettings,
)

DAY = 86_400.0
SOURCE = "urn:lineside:acme:plant1:line2:cam01"


def fresh() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript("".join(MIGRATIONS))
    return connection


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(fresh()) as connection:
        yield connection


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(monotonic=10 * DAY)


@pytest.fixture
def outbox(clock: HeldClock) -> Outbox:
    return an_outbox(clock)


def an_outbox(clock: HeldClock, boot_id: str = "boot-1", **limits) -> Outbox:
    return Outbox(
        source=SOURCE,
        epoch="e1",
        boot_id=boot_id,
        clock=clock,
        settings=OutboxSettings(**limits),
    )


def message(of_class: str = "verdict", size: int = 0, sinks: tuple[str, ...] = (MQTT,)):
    data = {"text": "x" * size}
    return Message(of_class, "lineside.test.v1", "part/1", data, 1_767_225_000.0, sinks)


def sequences(found: list[rows.Row]) -> list[int]:
    return [row.event for row in found]


def test_an_event_carries_when_it_happened_and_when_it_was_stored(
    connection: sqlite3.Connection, outbox: Outbox, clock: HeldClock
) -> None:
    assert outbox.append(connection, message()) == "e1-1"
    (row,) = rows.pending(connection, MQTT, 10)
    event = decode_event(json.loads(row.payload))
    assert (event.id, event.source, event.subject) == ("e1-1", SOURCE, "part/1")
    assert (event.time, event.recorded_time) == (1_767_225_000.0, clock.wall())
    assert (event.boot_id, event.clock_quality) == ("boot-1", "unknown")
    assert row.sound


def test_one_record_leaves_by_both_sinks_with_one_id(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    outbox.append(connection, message(sinks=(MQTT, WEBHOOK)))
    outbox.append(connection, message())
    assert sequences(rows.pending(connection, MQTT, 10)) == [1, 2], "no hole in the sequence"
    (other,) = rows.pending(connection, WEBHOOK, 10)
    assert other.event == 1
    rows.confirm(connection, [other.seq])
    assert rows.backlog(connection, WEBHOOK).count == 0
    assert rows.backlog(connection, MQTT).count == 2


def test_what_rolls_back_leaves_neither_row_nor_hole(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    connection.execute("BEGIN")
    outbox.append(connection, message())
    connection.execute("ROLLBACK")
    assert rows.backlog(connection, MQTT).count == 0
    assert outbox.append(connection, message()) == "e1-1"


def test_priority_first_then_oldest(connection: sqlite3.Connection, outbox: Outbox) -> None:
    order = ["sample", "verdict", "metric", "alarm", "audit", "alarm", "verdict"]
    for of_class in order:
        outbox.append(connection, message(of_class))
    assert sequences(rows.pending(connection, MQTT, 10)) == [4, 6, 5, 2, 7, 3, 1]
    assert sequences(rows.pending(connection, MQTT, 3)) == [4, 6, 5]
    only = rows.pending(connection, MQTT, 10, classes=("metric", "sample"))
    assert sequences(only) == [3, 1]


def test_a_sender_keeps_its_place_and_tells_live_from_backlog(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    for of_class in ("verdict", "alarm", "verdict"):
        outbox.append(connection, message(of_class))
    mark = rows.newest(connection)
    outbox.append(connection, message())
    live = rows.pending(connection, MQTT, 10, after=dict.fromkeys(rows.PRIORITIES, mark))
    assert sequences(live) == [4]
    assert sequences(rows.pending(connection, MQTT, 10, upto=mark)) == [2, 1, 3]
    rest = rows.pending(connection, MQTT, 10, upto=mark, after={"verdict": 1})
    assert sequences(rest) == [2, 3]


def test_an_unknown_class_is_refused(connection: sqlite3.Connection, outbox: Outbox) -> None:
    with pytest.raises(KeyError):
        outbox.append(connection, message("gossip"))


def test_the_backlog_says_how_many_and_since_when(
    connection: sqlite3.Connection, outbox: Outbox, clock: HeldClock
) -> None:
    assert rows.backlog(connection, MQTT) == rows.Backlog(0, None, 0)
    since = clock.wall()
    outbox.append(connection, message("sample"))
    clock.sleep(60)
    outbox.append(connection, message("alarm"))
    assert rows.backlog(connection, MQTT) == rows.Backlog(2, since, 0)
    rows.confirm(connection, [1])
    assert rows.backlog(connection, MQTT) == rows.Backlog(1, since + 60, 0)


def test_a_rotten_payload_is_noticed(connection: sqlite3.Connection, outbox: Outbox) -> None:
    outbox.append(connection, message())
    connection.execute(
        "UPDATE outbox SET payload = CAST(replace(payload, 'part', 'pert') AS BLOB)"
    )
    (row,) = rows.pending(connection, MQTT, 10)
    assert not row.sound


def test_dead_letters_are_listed_with_the_reason_and_can_be_revived(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    for _ in range(3):
        outbox.append(connection, message())
    rows.bury(connection, [1, 2], "Not authorized")
    assert sequences(rows.pending(connection, MQTT, 10)) == [3]
    assert rows.backlog(connection, MQTT).dead == 2
    letters = rows.dead_letters(connection)
    assert [(letter.event, letter.reason) for letter in letters] == [
        (2, "Not authorized"),
        (1, "Not authorized"),
    ]
    assert rows.revive(connection, WEBHOOK) == 0
    assert rows.revive(connection, MQTT) == 2
    assert sequences(rows.pending(connection, MQTT, 10)) == [1, 2, 3]
    assert rows.backlog(connection, MQTT) == rows.Backlog(3, 1_767_225_600.0, 0)


# Quota


def tellings(connection: sqlite3.Connection, sink: str = MQTT) -> list[dict[str, object]]:
    waiting = rows.pending(connection, sink, 10_000, classes=("audit",))
    events = [decode_event(json.loads(row.payload)) for row in waiting]
    return [dict(event.data) for event in events if event.type == DROPPED]


def test_over_the_quota_the_lowest_class_goes_oldest_first(
    connection: sqlite3.Connection, clock: HeldClock
) -> None:
    outbox = an_outbox(clock, max_bytes=64_000)
    for of_class in ("verdict", "sample", "metric", "alarm", "sample"):
        for _ in range(10):
            outbox.append(connection, message(of_class, 900))
    assert rows.size(connection) <= 64_000
    kept = {row.event: row.of_class for row in rows.pending(connection, MQTT, 100)}
    verdicts = [event for event, of_class in kept.items() if of_class == "verdict"]
    samples = [event for event, of_class in kept.items() if of_class == "sample"]
    assert len(verdicts) == 10
    assert list(kept.values()).count("metric") == 10
    assert list(kept.values()).count("alarm") == 10
    assert samples == sorted(samples)
    assert samples[-1] == max(kept.keys() - {e for e, c in kept.items() if c == "audit"})


def test_every_drop_is_counted_and_told_once(
    connection: sqlite3.Connection, clock: HeldClock
) -> None:
    outbox = an_outbox(clock, max_bytes=64_000)
    for _ in range(300):
        outbox.append(connection, message("sample", 900))
    kept = rows.pending(connection, MQTT, 1000, classes=("sample",))
    (first,) = tellings(connection)
    dropped = 300 - len(kept)
    assert 0 < first["count"] < dropped, "told of the first drops; the rest adds up"
    assert first == {**first, "class": "sample", "reason": "space", "from": 1}

    telling = rows.pending(connection, MQTT, 10, classes=("audit",))
    rows.confirm(connection, [row.seq for row in telling])
    outbox.keep_up(connection)
    (second,) = tellings(connection)
    assert first["count"] + second["count"] == dropped
    assert second["from"] == first["to"] + 1
    counted = connection.execute("SELECT what, class, count FROM drops").fetchall()
    assert counted == [("outbox:mqtt", "sample", dropped)]


def test_a_very_long_outage_stays_within_the_quota(
    connection: sqlite3.Connection, clock: HeldClock
) -> None:
    outbox = an_outbox(clock, max_bytes=64_000)
    for number in range(2000):
        outbox.append(connection, message(("sample", "verdict", "metric")[number % 3], 900))
    outbox.append(connection, message("alarm", 900))
    assert rows.size(connection) <= 64_000
    assert rows.pending(connection, MQTT, 1)[0].of_class == "alarm"


def test_audit_is_never_dropped_but_refused(
    connection: sqlite3.Connection, clock: HeldClock
) -> None:
    outbox = an_outbox(clock, max_bytes=64_000)
    outbox.append(connection, message("audit", 900))
    each = rows.size(connection)
    while rows.size(connection) + each <= 64_000:
        outbox.append(connection, message("audit", 900))
    before = rows.backlog(connection, MQTT)
    connection.execute("BEGIN")
    with pytest.raises(OutboxFull, match="audit wait already"):
        outbox.append(connection, message("audit", 1100))
    connection.execute("ROLLBACK")
    assert rows.backlog(connection, MQTT) == before
    assert connection.execute("SELECT * FROM drops").fetchall() == []


def test_samples_and_metrics_go_by_age(
    connection: sqlite3.Connection, outbox: Outbox, clock: HeldClock
) -> None:
    for of_class in ("sample", "metric", "verdict", "alarm"):
        outbox.append(connection, message(of_class))
    clock.sleep(2 * DAY)
    outbox.append(connection, message("sample"))
    outbox.keep_up(connection)
    assert sequences(rows.pending(connection, MQTT, 10, classes=rows.PRIORITIES)) == [
        4,
        6,  # what was dropped
        3,
        2,
        5,
    ]
    clock.sleep(8 * DAY)
    outbox.keep_up(connection)
    left = [row.of_class for row in rows.pending(connection, MQTT, 10)]
    assert [name for name in left if name != "audit"] == ["alarm", "verdict"]
    assert {told["class"]: told["reason"] for told in tellings(connection)} == {
        "sample": "age",
        "metric": "age",
    }


def test_a_leaping_clock_drops_nothing_of_this_boot(
    connection: sqlite3.Connection, outbox: Outbox, clock: HeldClock
) -> None:
    outbox.append(connection, message("sample"))
    clock.set_wall(clock.wall() + 3650 * DAY)
    outbox.keep_up(connection)
    assert rows.backlog(connection, MQTT).count == 1
    after_reboot = an_outbox(clock, boot_id="next-2")
    after_reboot.keep_up(connection)
    assert rows.pending(connection, MQTT, 10, classes=("sample",)) == []


class Ledger:
    """What was produced for a sink, and where it is now."""

    def __init__(self, connection: sqlite3.Connection, sink: str) -> None:
        self._connection, self._sink = connection, sink
        self.produced = self._arrived = 0

    def send(self) -> None:
        batch = rows.pending(self._connection, self._sink, 5)
        rows.confirm(self._connection, [row.seq for row in batch])
        self._arrived += sum(self._worth(row) for row in batch)

    def accounted(self) -> int:
        waiting = rows.pending(self._connection, self._sink, 10_000)
        assert rows.backlog(self._connection, self._sink).count == len(waiting)
        untold = self._connection.execute(
            "SELECT total(count) FROM lost WHERE sink = ?", (self._sink,)
        ).fetchone()[0]
        return self._arrived + sum(self._worth(row) for row in waiting) + int(untold)

    @staticmethod
    def _worth(row: rows.Row) -> int:
        """Events that a row accounts for: itself, or those it tells as dropped."""
        event = json.loads(row.payload)
        return int(event["data"]["count"]) if event["type"] == DROPPED else 1


ACTS = st.tuples(
    st.sampled_from([*rows.PRIORITIES, "send"]),
    st.integers(0, 9000),
    st.sampled_from([(MQTT,), (MQTT, WEBHOOK)]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTS, max_size=60))
def test_what_is_produced_is_sent_waiting_or_told_as_dropped(acts) -> None:
    outbox = an_outbox(HeldClock(), max_bytes=1 << 16)
    with closing(fresh()) as connection:
        ledgers = {sink: Ledger(connection, sink) for sink in (MQTT, WEBHOOK)}
        for of_class, size, sinks in acts:
            if of_class == "send":
                for sink in sinks:
                    ledgers[sink].send()
                outbox.keep_up(connection)
            elif accepted(connection, outbox, message(of_class, size, sinks)):
                for sink in sinks:
                    ledgers[sink].produced += 1
            assert rows.size(connection) <= 1 << 16
        for ledger in ledgers.values():
            assert ledger.accounted() == ledger.produced


def accepted(connection: sqlite3.Connection, outbox: Outbox, offered: Message) -> bool:
    connection.execute("BEGIN")
    try:
        outbox.append(connection, offered)
    except OutboxFull:
        connection.execute("ROLLBACK")
        return False
    connection.execute("COMMIT")
    return True
