import json
from datetime import UTC, datetime

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.canonical import canonical_json
from common.telemetry.event import (
    BATCH_TYPE,
    Event,
    EventError,
    decode_batch,
    decode_event,
    encode_batch,
    iso_time,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
TIMES = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)


def an_event(**more) -> Event:
    facts = {
        "epoch": "a1b2c3",
        "sequence": 123,
        "source": "urn:lineside:acme:plant1:line2:cam01",
        "type": "lineside.inspection.verdict.v1",
        "subject": "part/4711",
        "time": 1_767_225_600.123,
        "recorded_time": 1_767_225_600.140,
        "boot_id": "b77-1",
        "clock_quality": "ntp",
        "data": {"verdict": "fail"},
    }
    return Event(**{**facts, **more})


def test_the_envelope_is_cloudevents_1_0() -> None:
    assert json.loads(an_event().encode()) == {
        "specversion": "1.0",
        "id": "a1b2c3-123",
        "source": "urn:lineside:acme:plant1:line2:cam01",
        "type": "lineside.inspection.verdict.v1",
        "subject": "part/4711",
        "time": "2026-01-01T00:00:00.123Z",
        "recordedtime": "2026-01-01T00:00:00.140Z",
        "sequence": "000000000123",
        "bootid": "b77-1",
        "clockquality": "ntp",
        "datacontenttype": "application/json",
        "data": {"verdict": "fail"},
    }


def test_extension_names_are_what_cloudevents_allows() -> None:
    for name in json.loads(an_event().encode()):
        assert name.islower()
        assert name.isalnum()
        assert len(name) <= 20


def test_sequences_order_as_text() -> None:
    texts = [json.loads(an_event(sequence=n).encode())["sequence"] for n in (9, 10, 100)]
    assert texts == sorted(texts)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            an_event,
            sequence=st.integers(1, 10**12 - 1),
            subject=TEXT,
            time=TIMES,
            recorded_time=TIMES,
            data=st.dictionaries(TEXT, JSON, max_size=3),
        ),
        max_size=5,
    )
)
def test_a_batch_comes_back_as_it_went(events: list[Event]) -> None:
    encoded = encode_batch([event.encode() for event in events])
    assert encoded.content_type == BATCH_TYPE
    assert decode_batch(encoded.body, encoded.encoding) == events


def test_zstd_where_it_pays_and_only_there() -> None:
    one = an_event().encode()
    assert encode_batch([one]).encoding == ""
    hundred = encode_batch([an_event(sequence=n).encode() for n in range(1, 101)])
    assert hundred.encoding == "zstd"
    assert len(hundred.body) < 100 * len(one) / 4
    assert len(decode_batch(hundred.body, "zstd")) == 100


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", "zstd", "gzip"]))
def test_any_other_bytes_are_one_clear_error(body: bytes, encoding: str) -> None:
    with pytest.raises(EventError):
        decode_batch(b"\x00" + body, encoding)


def test_a_small_body_cannot_unpack_to_fill_the_memory() -> None:
    bomb = zstandard.ZstdCompressor().compress(b"[" + b" " * (17 << 20) + b"]")
    assert len(bomb) < 10_000
    with pytest.raises(EventError, match="would unpack to"):
        decode_batch(bomb, "zstd")


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"source": ""},
        {"type": None},
        {"id": "a1b2c3-124"},
        {"id": "-123"},
        {"time": "2026-01-01T00:00:00"},
        {"time": "yesterday"},
        {"sequence": "x"},
    ],
)
def test_a_wrong_envelope_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(EventError):
        decode_event({**json.loads(an_event().encode()), **change})


@pytest.mark.parametrize("value", [None, [], "text", 7, {}])
def test_what_is_no_event_is_refused(value: object) -> None:
    with pytest.raises(EventError):
        decode_event(value)


def test_a_batch_that_is_no_list_is_refused() -> None:
    with pytest.raises(EventError, match="no JSON array"):
        decode_batch(b"{}")


@settings(max_examples=200, deadline=None)
@given(
    st.builds(
        an_event,
        epoch=TEXT,
        sequence=st.integers(0, 10**13),
        source=TEXT,
        type=TEXT,
        subject=TEXT,
        boot_id=TEXT,
        clock_quality=TEXT,
        time=TIMES,
        recorded_time=TIMES,
        data=st.dictionaries(TEXT, JSON, max_size=3),
    )
)
def test_what_is_put_together_is_the_canonical_json_of_the_whole(event: Event) -> None:
    whole = {
        "specversion": "1.0",
        "id": f"{event.epoch}-{event.sequence}",
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": plain_iso(event.time),
        "recordedtime": plain_iso(event.recorded_time),
        "sequence": f"{event.sequence:012d}",
        "bootid": event.boot_id,
        "clockquality": event.clock_quality,
        "datacontenttype": "application/json",
        "data": event.data,
    }
    assert event.encode() == canonical_json(whole).encode()


def plain_iso(wall: float) -> str:
    moment = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


@settings(max_examples=500, deadline=None)
@given(st.floats(0, 253_402_300_799) | TIMES)
@example(0.9999996)
@example(1_767_225_599.9999998)
@example(253_402_300_799.0)
def test_a_time_is_spelled_as_the_standard_library_does(wall: float) -> None:
    assert iso_time(wall) == plain_iso(wall)


def test_nan_never_leaves() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        an_event(data={"score": float("nan")}).encode()
