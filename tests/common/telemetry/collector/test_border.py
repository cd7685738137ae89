"""What may come in, and what becomes of the rest."""

import json
import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from common.telemetry.collector import border as border_module
from common.telemetry.collector.border import Border
from common.telemetry.collector.checks import KEPT_RAW
from common.telemetry.collector.data_text import Unfit, data_texts
from common.telemetry.collector.keeper import receipts
from common.telemetry.collector.rows import Began, Dropped
from common.telemetry.collector.settings import CollectorSettings
from common.telemetry.event import iso_time
from tests.common.telemetry.collector.rig import EPOCH, NOW, STATION, arrival, body, event, raw


def check(*events, told=None, **more):
    return Border(told or CollectorSettings()).check(arrival(*events, **more))


def reasons(batch):
    return [one.reason for one in batch.rejected]


def test_an_event_becomes_a_row():
    batch = check(event(3, data={"b": 1, "a": [None]}), received=NOW + 0.5)
    (row,) = batch.rows
    assert row._asdict() == {
        "source": STATION.source, "epoch": EPOCH, "sequence": 3, "type": "lineside.test.v1",
        "subject": "part/3", "time": iso_time(NOW), "recorded_time": iso_time(NOW + 0.02),
        "received_time": iso_time(NOW + 0.5), "corrected_time": iso_time(NOW), "suspect": "",
        "boot_id": "b-1", "clock_quality": "ntp", "data": '{"a":[null],"b":1}',
    }  # fmt: skip
    assert batch.rejected == ()
    seen = batch.seen[STATION.source, EPOCH]
    assert seen.behind_s == pytest.approx(0.48)


def test_packed_batches_are_unpacked():
    encoded = body(event(number) for number in range(1, 51))
    assert encoded.encoding == "zstd"
    batch = Border(CollectorSettings()).check(
        arrival(body=encoded.body, encoding=encoded.encoding)
    )
    assert [row.sequence for row in batch.rows] == list(range(1, 51))


GOOD = event(1)
WRONG = {
    "no object": (7, "TypeError"),
    "another version of the envelope": (raw(event(2), specversion="0.3"), "specversion"),
    "no type": (raw(event(2), type=None), "type"),
    "no data": (raw(event(2), data=None), "data"),
    "another station's name": (raw(event(2), source="urn:lineside:a:b:c:d:e"), "not its topic"),
    "no version in the type": (raw(event(2), type="lineside.test"), "names no major version"),
    "a version to come": (raw(event(2), type="lineside.test.v2"), "major version is not known"),
    "id and sequence at odds": (raw(event(2), id="e1-3"), "disagree"),
    "sequence nought": (raw(event(2), id="e1-0", sequence="0"), "out of range"),
    "sequence too large": (
        raw(event(2), id=f"e1-{2**63}", sequence=str(2**63)), "out of range"
    ),
    "a time without a zone": (raw(event(2), time="2026-01-01T12:00:00"), "no zone"),
    "no time": (raw(event(2), time="yesterday"), "ValueError"),
    "a time beyond the calendar": (
        raw(event(2), time="0001-01-01T00:00:00+23:00"), "beyond the calendar"
    ),
    "a subject that is no text": (raw(event(2), subject={"a": 1}), "subject"),
    "a line break": (raw(event(2), subject="a\nb"), "subject"),
    "NUL in the envelope": (raw(event(2), bootid="a\0b"), "boot_id"),
    "half a character": (raw(event(2), subject="\ud800"), "subject"),
    "an endless epoch": (raw(event(2), id="e" * 65 + "-2"), "epoch"),
    "an endless subject": (raw(event(2), subject="x" * 501), "subject"),
    "data that is no object": (raw(event(2), data=[1]), "data is no object"),
    "NUL in data": (raw(event(2), data={"a": "\0"}), "NUL"),
    "half a character in data": (raw(event(2), data={"a": "\udfff"}), "data"),
    "a number beyond all": (
        {**raw(event(2)), "data": {"a": "INF"}}, "data"
    ),
    "an epoch's beginning after its event": (
        raw(event(2), type="lineside.telemetry.epoch.v1", data={"first": 3}), "makes no sense"
    ),
    "a loss larger than its window": (
        raw(event(2), type="lineside.telemetry.dropped.v1",
            data={"epoch": EPOCH, "from": 5, "to": 6, "count": 3}), "makes no sense"
    ),
    "a loss without an epoch": (
        raw(event(2), type="lineside.telemetry.dropped.v1",
            data={"from": 5, "to": 6, "count": 1}), "makes no sense"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_event_costs_itself_alone(wrong, reason):
    parts = [
        GOOD.encode(),
        json.dumps(wrong).replace('"INF"', "1e999").encode(),
        event(9).encode(),
    ]
    batch = check(body=b"[" + b",".join(parts) + b"]")
    assert [row.sequence for row in batch.rows] == [1, 9]
    assert [row.data for row in batch.rows] == ['{"n":1}', '{"n":9}']
    (one,) = batch.rejected
    assert reason in one.reason
    assert one.topic == STATION.topic("events")
    assert one.size == len(one.raw) > 0


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"body": b"{"}, "cannot be read"),
        ({"body": b"{}"}, "no JSON array"),
        ({"body": b"[NaN]"}, "NaN"),
        ({"body": b"\xff\xfe["}, "cannot be read"),
        ({"body": b"[" * 5000}, "cannot be read"),
        ({"body": b"[]", "encoding": "gzip"}, "gzip"),
        ({"body": b"junk", "encoding": "zstd"}, "batch"),
        ({"topic": "v1/a/b/c/d/events"}, "is needed"),
        ({"topic": "v2/a/b/c/d/e/events"}, "is needed"),
        ({"topic": "v1//b/c/d/e/events"}, "tenant"),
        ({"topic": "v1/a/b/c/d/e/status"}, "carries no events"),
        ({"topic": "v1/a/b/c/d/e/events/more"}, "carries no events"),
        ({"topic": "v1/a/b:c/d/e/f/events"}, "site"),
        ({"topic": "v1/a/b\x07/d/e/f/events"}, "printable"),
        ({"topic": f"v1/a/{'b' * 65}/d/e/f/events"}, "at most 64"),
        ({"body": b"[" + b" " * 5000 + b"]"}, "5002 bytes, 5000 allowed"),
        ({"body": b"[1,2,3,4]"}, "4 events, 3 allowed"),
    ],
)
def test_a_message_that_is_none_is_kept_apart(more, reason):
    told = CollectorSettings(max_message_bytes=5000, max_events=3)
    batch = check(told=told, **more)
    assert batch.rows == ()
    (one,) = batch.rejected
    assert reason in one.reason
    assert one.size == len(arrival(**more).body)


def test_a_small_body_may_not_unpack_to_fill_the_memory():
    encoded = body(event(1, data={"x": "y" * 1000}) for _ in range(20_000))
    assert len(encoded.body) < 1_000_000
    batch = check(body=encoded.body, encoding=encoded.encoding)
    assert "allowed" in reasons(batch)[0]


def test_what_is_rejected_is_bounded():
    batch = check(raw(event(1), subject="x" * 100_000), topic=STATION.topic("events"))
    (one,) = batch.rejected
    assert len(one.raw) == KEPT_RAW < one.size
    assert len(one.reason) <= 1000


def test_an_event_may_not_be_larger_than_allowed():
    told = CollectorSettings(max_event_bytes=1000)
    batch = check(event(1, data={"x": "y" * 900}), event(2, data={"x": "ü" * 600}), told=told)
    assert [row.sequence for row in batch.rows] == [1]
    assert reasons(batch) == ["data has 1208 bytes, 1000 allowed"]


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", 'a"b', "\x01", "🎈", "\u2028"])
def test_data_survives_its_encoding(text):
    (row,) = check(event(1, data={"text": text})).rows
    assert json.loads(row.data) == {"text": text}


def test_all_at_once_is_as_one_by_one():
    values = [{"a": 1}, {"b": ["x", None]}, {}, {"c": '"\\'}]
    one_by_one = [data_texts([value], 1000)[0] for value in values]
    assert data_texts(values, 1000) == one_by_one
    mixed = data_texts([*values, {"d": ["\0", "\0"]}], 1000)
    assert mixed[:-1] == one_by_one
    assert isinstance(mixed[-1], Unfit)
    assert data_texts([], 1000) == []


def test_types_of_others_pass_when_their_version_is_known():
    told = CollectorSettings(majors=(1, 3))
    batch = check(event(1, type="com.example.weight.v3"), told=told)
    assert len(batch.rows) == 1


def test_times_are_spelt_one_way():
    first = raw(event(1), time="2026-01-01T01:00:00.500+01:00")
    second = raw(event(2), time="2026-W01-4T00:00:00.500Z")
    rows = check(first, second).rows
    assert [row.time for row in rows] == [iso_time(NOW + 0.5)] * 2


def test_a_time_far_in_the_future_is_kept_and_not_believed():
    rows = check(event(1, time=NOW + 299), event(2, time=NOW + 312), received=NOW).rows
    assert [row.suspect for row in rows] == ["", "312 s ahead"]


def test_a_clock_that_is_wrong_is_found_from_live_events_and_corrected():
    border = Border(CollectorSettings())

    def corrected(late_s, *, historical=False, boot_id="b-1"):
        one = event(1, boot_id=boot_id)
        batch = border.check(
            arrival(one, received=NOW + 0.02 - 3600 + late_s, historical=historical)
        )
        return batch.rows[0].corrected_time, batch.seen[STATION.source, EPOCH].clock_offset_s

    assert corrected(9.0, historical=True) == (iso_time(NOW), None), "a backlog says nothing"
    assert corrected(0.5)[0] == iso_time(NOW - 3599.5)
    assert corrected(0.1)[1] == pytest.approx(-3599.9)
    assert corrected(7.0)[0] == iso_time(NOW - 3599.9), "what waited does not raise the least"
    assert corrected(99.0, historical=True)[0] == iso_time(NOW - 3599.9)
    assert corrected(99.0, historical=True, boot_id="b-0") == (iso_time(NOW), None)


def test_small_offsets_are_the_networks_and_change_nothing():
    (row,) = check(event(1), received=NOW + 1.5).rows
    assert row.corrected_time == row.time


def test_stations_tell_where_epochs_begin_and_what_they_dropped():
    began = event(5, type="lineside.telemetry.epoch.v1", data={"first": 5, "replaces": None})
    told = {"class": "sample", "reason": "quota", "count": 2, "bytes": 9, "from": 2, "to": 4}
    replaced = {"epoch": "e0", "damage": "x", "salvaged": 3, "lost_unknown": True}
    again = event(
        8, "e9", type="lineside.telemetry.epoch.v1", data={"first": 8, "replaces": replaced}
    )
    dropped = event(6, type="lineside.telemetry.dropped.v1", data={**told, "epoch": "e0"})
    assert check(began, dropped, again).tidings == (
        Began(STATION.source, EPOCH, 5, 5),
        Dropped(STATION.source, (EPOCH, 6), "e0", (2, 4), 2),
        Began(STATION.source, "e9", 8, 8, "e0", lost_unknown=True),
    )
    elsewhere = {**told, "epoch": EPOCH, "sink": "webhook"}
    assert not check(event(6, type="lineside.telemetry.dropped.v1", data=elsewhere)).tidings, (
        "a loss of another sink excuses nothing here"
    )


def test_a_mistake_of_ours_costs_no_other_message(monkeypatch):
    monkeypatch.setattr(border_module, "unpacked", lambda *_: 1 / 0)
    batch = check(event(1))
    assert batch.rows == ()
    assert reasons(batch) == ["cannot be checked here: ZeroDivisionError division by zero"]


def test_receipts_name_what_was_kept():
    batch = check(event(1), event(2), event(7, epoch="e2"))
    assert receipts(batch.rows) == {STATION.source: {EPOCH: [(1, 2)], "e2": [(7, 7)]}}


# ------------------------------------------------------------------ the short way

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DATA = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)  # fmt: skip
EVENTS = st.builds(
    event,
    sequence=st.integers(1, 10**12),
    epoch=st.sampled_from(["e1", "e-2", "ü"]),
    subject=st.sampled_from(["part/1", "", 'a"b', "ä/\u2028", "x" * 600]),
    type=st.sampled_from(
        ["lineside.test.v1", "lineside.test.v2", "lineside.telemetry.epoch.v1"]
    ),
    time=st.floats(0, 4e9),
    recorded_time=st.floats(0, 4e9),
    data=DATA,
)


def by_the_long_way(one, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(border_module, "plain_rows", lambda *_: None)
        return Border(CollectorSettings()).check(one)


def same(short, long):
    assert [row._replace(data="") for row in short.rows] == [
        row._replace(data="") for row in long.rows
    ]
    assert [json.loads(row.data) for row in short.rows] == [
        json.loads(row.data) for row in long.rows
    ]
    assert (short.tidings, short.rejected, short.seen) == (
        long.tidings,
        long.rejected,
        long.seen,
    )


@given(st.lists(EVENTS, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_short_way_leads_where_the_long_one_does(monkeypatch, events):
    one = arrival(*events)
    same(Border(CollectorSettings()).check(one), by_the_long_way(one, monkeypatch))


@given(st.data())
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_also_where_bytes_are_altered(monkeypatch, data):
    """Whoever attacks the short way with what the long one would refuse must fail."""
    changed = bytearray(arrival(event(1), event(2, data={"a": {"b": ['"', "x"]}})).body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        kind = data.draw(st.sampled_from(["replace", "insert", "remove", "copy"]))
        byte = data.draw(st.sampled_from(list(b'{}[],:"\\ 0e1-u\x00\xff')))
        if kind == "replace":
            changed[place] = byte
        elif kind == "insert":
            changed.insert(place, byte)
        elif kind == "remove":
            del changed[place]
        else:
            end = data.draw(st.integers(place, len(changed)))
            changed[place:place] = changed[place:end]
    assume(not re.search(rb"e\+?\d{3}", changed))  # kept as it came, or refused: see data_text
    one = arrival(body=bytes(changed))
    same(Border(CollectorSettings()).check(one), by_the_long_way(one, monkeypatch))


PLAIN = event(1).encode().decode()


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace('{"n":1}', '{"n":1},"data":{"n":2}'),
        PLAIN.replace('{"n":1}', '{"n":1},"dataschema":"x"'),
        PLAIN.replace('"time"', '"x":1,"time"'),
        PLAIN.replace("part/1", 'part","subject":"other'),
        PLAIN.replace("ntp", 'ntp","data":{"n":9},"clockquality":"ntp'),
        PLAIN.replace('{"n":1}', '{"n":1,"n":2}'),
        PLAIN.replace('{"n":1}', '{"n":"\\u0041"}'),
        PLAIN.replace("2026-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z"),
        PLAIN + " ",
        PLAIN + "," + PLAIN,
        PLAIN + ",",
        "",
        " ",
    ],
)
def test_spellings_made_to_confuse_the_short_way(text, monkeypatch):
    one = arrival(body=f"[{text}]".encode())
    same(Border(CollectorSettings()).check(one), by_the_long_way(one, monkeypatch))


def test_what_stations_send_takes_the_short_way(monkeypatch):
    events = [event(n, data={"ä": [1.5e-7, None], "n": n}, subject="Teil/ü") for n in (1, 2)]
    monkeypatch.setattr(border_module, "read_batch", None)  # the long way would need it
    rows = Border(CollectorSettings()).check(arrival(*events)).rows
    assert [json.loads(row.data) for row in rows] == [one.data for one in events]
