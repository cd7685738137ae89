import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import asdict
from functools import partial
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import HeldClock
from common.storage import epoch as store_epoch
from common.storage.commit import Waiting, run_together
from common.storage.epoch import Replaces
from common.storage.schema import MIGRATIONS
from common.telemetry import outbox_rows as rows
from common.telemetry.event import Event, decode_event
from common.telemetry.outbox import (
    DROPPED,
    EPOCH,
    MQTT,
    REFUSED,
    WEBHOOK,
    BadMessage,
    Message,
    Outbox,
    OutboxFull,
    OutboxSettings,
)
from common.telemetry.outbox_tally import Place, Size, kept_sizes

DAY, HOUR = 86_400.0, 3600.0
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


RECURSIVE: dict[str, Any] = {}
RECURSIVE["self"] = RECURSIVE
BAD = {
    "class 'gossip' is none of alarm, audit, verdict, metric, sample": {"of_class": "gossip"},
    "not JSON compliant": {"data": {"score": float("nan")}},
    "not JSON serializable": {"data": {"when": object()}},
    "Circular reference": {"data": RECURSIVE},
    "surrogates not allowed": {"data": {"text": "\ud800"}},
    "its data a JSON object": {"data": ["a list"]},
    "its subject must be a text": {"subject": None},
    "it has no type": {"type": ""},
    "are none of email, fhir, .*mqtt, .*webhook": {"sinks": ("mqqt",)},
    "\\(\\) are none of": {"sinks": ()},
    "cannot convert float": {"time": float("inf")},
    "out of range|too large": {"time": 1e18},
    "bytes, 262144 allowed": {"data": {"text": "x" * (256 << 10)}},
}


@pytest.mark.parametrize("why", BAD)
def test_what_cannot_be_an_event_is_one_clear_line_and_takes_no_number(
    connection: sqlite3.Connection, outbox: Outbox, why: str
) -> None:
    facts = {"of_class": "verdict", "type": "t.v1", "subject": "s", "data": {}, "time": 1.0}
    with pytest.raises(BadMessage, match=why) as caught:
        outbox.append(connection, Message(**{**facts, **BAD[why]}))
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400
    assert outbox.append(connection, message()) == "e1-1"


def test_a_bad_message_costs_nobody_else_of_its_group_anything(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    offered = [message() for _ in range(5)]
    offered[2] = message("gossip")
    batch = [Waiting(partial(outbox.append, message=one), Future()) for one in offered]
    run_together(connection, batch)
    assert [one.result for one in batch] == ["e1-1", "e1-2", None, "e1-3", "e1-4"]
    assert isinstance(batch[2].failure, BadMessage)
    assert sequences(rows.pending(connection, MQTT, 10)) == [1, 2, 3, 4]


def test_what_becomes_of_the_data_afterwards_does_not_change_the_message(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    data = {"defects": [1]}
    offered = Message("verdict", "t.v1", "part/1", data, 1.0)
    data["defects"].append(2)
    outbox.append(connection, offered)
    (row,) = rows.pending(connection, MQTT, 10)
    assert decode_event(json.loads(row.payload)).data == {"defects": [1]}


def test_many_messages_are_put_in_at_once_or_none(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    given = outbox.append_many(connection, [message() for _ in range(3)])
    assert list(given) == [1, 2, 3]
    many = Waiting(
        partial(outbox.append_many, messages=[message(), message("gossip")]), Future()
    )
    run_together(connection, [many])
    assert isinstance(many.failure, BadMessage)
    assert sequences(rows.pending(connection, MQTT, 10)) == [1, 2, 3]


# The epoch


def begun(connection: sqlite3.Connection, replaces: Replaces | None, above: int = 0) -> str:
    """A new epoch, as a start of the station begins it."""
    return store_epoch.begin(connection, above, replaces, None)


def an_outbox_of(epoch: str) -> Outbox:
    return Outbox(source=SOURCE, epoch=epoch, boot_id="boot-1", clock=HeldClock())


def events(connection: sqlite3.Connection, of_type: str) -> list[Event]:
    waiting = rows.pending(connection, MQTT, 10_000, classes=("audit",))
    found = [decode_event(json.loads(row.payload)) for row in waiting]
    return [event for event in found if event.type == of_type]


REPLACED = Replaces("old", "header", 7, lost_unknown=True, moved_to="x.corrupt")


@pytest.mark.parametrize("replaces", [None, REPLACED])
def test_the_first_event_of_an_epoch_says_what_it_replaces(
    connection: sqlite3.Connection, replaces: Replaces | None
) -> None:
    epoch = begun(connection, replaces, above=41)
    outbox = an_outbox_of(epoch)
    assert outbox.append(connection, message("alarm")) == f"{epoch}-43"
    for _ in range(2):
        outbox.begin(connection)
        outbox.keep_up(connection)
    (event,) = events(connection, EPOCH)
    assert (event.id, event.subject) == (f"{epoch}-42", "outbox")
    told = None if replaces is None else asdict(replaces)
    assert event.data == {"first": 42, "replaces": told}


def test_an_epoch_whose_first_event_was_rolled_back_is_told_later(
    connection: sqlite3.Connection,
) -> None:
    outbox = an_outbox_of(begun(connection, None))
    connection.execute("BEGIN")
    outbox.append(connection, message())
    connection.execute("ROLLBACK")
    assert rows.backlog(connection, MQTT).count == 0
    outbox.begin(connection)
    assert [event.sequence for event in events(connection, EPOCH)] == [1]


def test_another_epoch_than_the_files_own_is_not_told(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    epoch = begun(connection, None)
    outbox.begin(connection)
    assert events(connection, EPOCH) == []
    an_outbox_of(epoch).begin(connection)
    assert len(events(connection, EPOCH)) == 1


def test_drops_are_told_epoch_by_epoch_oldest_first(
    connection: sqlite3.Connection, clock: HeldClock
) -> None:
    old, new = begun(connection, None), ""
    an_outbox_of(old).append_many(connection, [message("sample") for _ in range(3)])
    new = begun(connection, None, above=4)
    clock.sleep(-HOUR)
    an_outbox_of(new).append_many(connection, [message("sample") for _ in range(2)])
    later = HeldClock(monotonic=20 * DAY)
    Outbox(source=SOURCE, epoch=new, boot_id="boot-1", clock=later).keep_up(connection)
    told = [event.data for event in events(connection, DROPPED)]
    assert [(one["epoch"], one["count"], one["from"], one["to"]) for one in told] == [
        (old, 3, 2, 4),
        (new, 2, 6, 7),
    ]


def test_a_loss_of_another_sink_leaves_no_hole_in_the_sequence_of_mqtt(
    connection: sqlite3.Connection, clock: HeldClock
) -> None:
    outbox = Outbox(source=SOURCE, epoch="e1", boot_id="boot-1", clock=clock)
    sample = message("sample", sinks=(MQTT, WEBHOOK))
    sent: list[Event] = []
    for _ in range(3):
        clock.sleep(2 * DAY)
        outbox.append(connection, sample)
        outbox.keep_up(connection)
        came = rows.pending(connection, MQTT, 10)
        sent += sorted(
            (decode_event(json.loads(row.payload)) for row in came), key=attrgetter("sequence")
        )
        rows.confirm(connection, [row.seq for row in came])
    told = [event.data for event in sent if event.type == DROPPED]
    assert {(one["sink"], one["class"]) for one in told} == {(WEBHOOK, "sample")}
    assert [event.sequence for event in sent] == list(range(1, 1 + len(sent)))


def test_what_the_store_refused_is_told_apart_from_what_was_dropped(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    connection.execute("INSERT INTO refused(class, reason, count) VALUES('verdict', 'disk', 3)")
    outbox.keep_up(connection)
    connection.execute("UPDATE refused SET count = count + 2")
    outbox.keep_up(connection)
    (first,) = events(connection, REFUSED)
    assert first.data == {"class": "verdict", "reason": "disk", "count": 3}
    rows.confirm(connection, [1])
    outbox.keep_up(connection)
    (second,) = events(connection, REFUSED)
    assert second.data["count"] == 2, "what came while the first waited"
    assert events(connection, DROPPED) == []


# Counts in memory and in the file


GROUPS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["append", "confirm", "bury", "revive", "fail", "keep_up"]),
            st.sampled_from(list(rows.PRIORITIES)),
            st.integers(0, 3000),
        ),
        max_size=8,
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(GROUPS)
def test_the_counts_kept_are_the_counts_there_and_no_number_comes_twice(groups) -> None:
    outbox = an_outbox(HeldClock(), max_bytes=1 << 16)
    with closing(fresh()) as connection:
        given: list[str] = []
        seqs: list[int] = []
        for group in groups:
            batch = [Waiting(acted(outbox, *act), Future()) for act in group]
            run_together(connection, batch)
            given += [one.result for one in batch if isinstance(one.result, str)]
            kept = {
                place: size for place, size in kept_sizes(connection).items() if size.events
            }
            assert kept == counted(connection)
            there = [
                seq for (seq,) in connection.execute("SELECT seq FROM outbox ORDER BY seq")
            ]
            fresh_ones = [seq for seq in there if seq not in seqs]
            assert all(seq > max(seqs, default=0) for seq in fresh_ones)
            seqs += fresh_ones
            assert rows.newest(connection) >= max(seqs, default=0)
        assert len(set(given)) == len(given)


def acted(outbox: Outbox, act: str, of_class: str, number: int):
    """An operation of the store's thread."""

    def fail(connection: sqlite3.Connection) -> None:
        outbox.append(connection, message(of_class, number))
        raise KeyError("a bug")

    def seqs(connection: sqlite3.Connection) -> list[int]:
        return [row.seq for row in rows.pending(connection, MQTT, number % 7)]

    return {
        "append": lambda c: outbox.append(c, message(of_class, number, (MQTT, WEBHOOK))),
        "confirm": lambda c: rows.confirm(c, seqs(c)),
        "bury": lambda c: rows.bury(c, seqs(c), "refused"),
        "revive": lambda c: rows.revive(c, MQTT),
        "fail": fail,
        "keep_up": outbox.keep_up,
    }[act]


def counted(connection: sqlite3.Connection) -> dict[Place, Size]:
    """What there is, row by row."""
    found: dict[Place, Size] = {}
    every = "SELECT sink, state, priority, length(payload) FROM outbox"
    for sink, state, priority, in_bytes in connection.execute(every):
        size = found.setdefault((sink, state, priority), Size())
        size.events, size.bytes = size.events + 1, size.bytes + in_bytes
    return found


def test_counts_that_are_garbled_are_counted_anew(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    outbox.append_many(connection, [message("alarm"), message("sample")])
    size = rows.size(connection)
    connection.execute("UPDATE meta SET value = 'x' WHERE key LIKE 'outbox mqtt%'")
    assert (rows.size(connection), rows.backlog(connection, MQTT).count) == (size, 2)
    outbox.append(connection, message("alarm"))
    assert rows.backlog(connection, MQTT).count == 3


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


def test_a_payload_whose_type_has_rotted_stops_no_reader(
    connection: sqlite3.Connection, outbox: Outbox
) -> None:
    outbox.append(connection, message())
    connection.execute("UPDATE outbox SET payload = CAST(x'ff' || payload AS TEXT)")
    (row,) = rows.pending(connection, MQTT, 10)
    assert not row.sound
    rows.bury(connection, [row.seq], "its checksum is wrong")
    (letter,) = rows.dead_letters(connection)
    assert letter.payload == row.payload


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
