import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from common.canonical import canonical_json
from common.config import from_table
from common.errors import ConfigError
from common.telemetry.event import iso_time
from common.telemetry.remote import (
    ALLOWED,
    MOST_BYTES,
    MOST_NONCES,
    VALID_S,
    Command,
    CommandSettings,
    Nonces,
    Refused,
    answer,
    claimed,
    read_command,
    refusal,
    seal,
)

KEY, TOPIC = b"0123456789abcdef", "v1/a/b/c/d/e/cmd/acknowledge"
NOW = 1_767_225_600.0
ORDER = Command(
    "acknowledge", {"alarm_id": "plc_silent"}, "room", "seen", iso_time(NOW), "n" * 16
)
json_values = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | some.text(max_size=8),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def read(body: bytes, topic: str = TOPIC, key: bytes | None = KEY, **more) -> Command:
    name = topic.rpartition("/")[2]
    return read_command(name, topic, body, lambda by: key if by == "room" else None, **more)


def body_of(command: Command = ORDER, **changes) -> dict:
    return json.loads(seal(command, TOPIC, KEY)) | changes


@given(some.dictionaries(some.text(max_size=10), json_values, max_size=4))
def test_what_is_sealed_is_read(args) -> None:
    command = replace(ORDER, args=args)
    assert read(seal(command, TOPIC, KEY)) == command


@given(some.data())
def test_no_changed_body_is_taken(data) -> None:
    body = body_of()
    name = data.draw(some.sampled_from(sorted(body)))
    value = data.draw(json_values.filter(lambda other: other != body[name]))
    with pytest.raises(Refused):
        read(canonical_json({**body, name: value}).encode())


@given(some.binary(max_size=300) | json_values.map(lambda v: canonical_json(v).encode()))
def test_whatever_comes_is_refused_in_a_line(body) -> None:
    with pytest.raises(Refused) as refused:
        read(body)
    assert "\n" not in str(refused.value)
    assert claimed(body) == "unknown" or len(claimed(body)) <= 64


@pytest.mark.parametrize(
    ("topic", "key", "reason"),
    [
        (TOPIC.replace("/d/", "/other/"), KEY, "its signature is wrong"),
        (TOPIC.replace("acknowledge", "replay"), KEY, "its signature is wrong"),
        (TOPIC, b"another key, as long", "its signature is wrong"),
        (TOPIC, None, "unknown principal"),
        (TOPIC, b"", "unknown principal"),
        (TOPIC.replace("acknowledge", "reset_line"), KEY, "only on the station's own API"),
        (TOPIC.replace("acknowledge", "shelve"), KEY, "only on the station's own API"),
    ],
)
def test_it_serves_for_one_station_one_command_and_one_key(topic, key, reason) -> None:
    with pytest.raises(Refused, match=reason):
        read(seal(ORDER, TOPIC, KEY), topic, key)


def test_an_empty_key_opens_nothing() -> None:
    with pytest.raises(Refused):
        read(seal(ORDER, TOPIC, b""), key=b"")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"extra": 1}, "is no JSON object of"),
        ({"args": []}, "is no JSON object of"),
        ({"by": 7}, "is no JSON object of"),
        ({"by": "room\n"}, "unknown principal"),
        ({"by": ""}, "unknown principal"),
        ({"by": "x" * 65}, "unknown principal"),
        ({"reason": "  "}, "reason must be"),
        ({"reason": "a\nb"}, "reason must be"),
        ({"reason": "x" * 501}, "reason must be"),
        ({"nonce": "short"}, "nonce must be"),
        ({"nonce": "with a blank in it."}, "nonce must be"),
        ({"time": "yesterday"}, "time must be"),
        ({"time": "2026-01-01T00:00:00"}, "time must be"),
        ({"mac": "é" * 64}, "signature"),
        ({"mac": ""}, "signature"),
    ],
)
def test_what_is_out_of_shape_is_refused(changes, reason) -> None:
    with pytest.raises(Refused, match=reason):
        read(canonical_json(body_of(**changes)).encode())


@pytest.mark.parametrize("missing", ["by", "reason", "time", "nonce", "args", "mac"])
def test_nothing_may_be_missing(missing) -> None:
    body = body_of()
    del body[missing]
    with pytest.raises(Refused):
        read(canonical_json(body).encode())


def test_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refused, match="65537 bytes, 65536 allowed"):
        read(b"[" * (MOST_BYTES + 1))
    with pytest.raises(Refused):
        read(b"[" * MOST_BYTES)
    with pytest.raises(Refused):
        read(b'{"a":NaN}')


def test_replay_alone_may_come_unsigned() -> None:
    topic = TOPIC.replace("acknowledge", "replay")
    assert read(b'{"args":{"e":[[1,2]]}}', topic, unsigned=True) == Command(
        "replay", {"e": [[1, 2]]}
    )
    with pytest.raises(Refused):
        read(b'{"args":{"e":[[1,2]]}}', topic)
    for body in (b'{"args":[]}', b'{"args":{},"by":"room"}', b"{}"):
        with pytest.raises(Refused, match="without a signature"):
            read(body, topic, unsigned=True)


# ------------------------------------------------------------------ once, and in time


def order(number: int, at: float = NOW, by: str = "room") -> Command:
    return replace(ORDER, by=by, nonce=f"{number:016}", time=iso_time(at))


@pytest.mark.parametrize("off", [-VALID_S - 1, VALID_S + 1, -1e9])
def test_a_command_of_another_time_is_refused(off) -> None:
    with pytest.raises(Refused, match="from the station's"):
        Nonces().taking(order(1, NOW + off), NOW)


def test_a_command_is_taken_once_and_by_whom_matters() -> None:
    nonces = Nonces().taking(order(1), NOW)
    with pytest.raises(Refused, match="sent before"):
        nonces.taking(order(1), NOW + 200)
    nonces.taking(order(1, by="other"), NOW)


def test_no_more_are_remembered_than_need_be_and_none_is_pushed_out() -> None:
    nonces = Nonces()
    for number in range(MOST_NONCES):
        nonces = nonces.taking(order(number), NOW)
    with pytest.raises(Refused, match="too many"):
        nonces.taking(order(MOST_NONCES), NOW)
    later = NOW + 2 * VALID_S
    nonces = nonces.taking(order(MOST_NONCES, later), later)
    assert len(nonces.seen) == 1


@given(
    some.lists(
        some.tuples(some.integers(1, 4), some.integers(-400, 400), some.integers(-2000, 2000)),
        max_size=40,
    )
)
def test_nothing_is_taken_twice_whatever_the_clock_does(story) -> None:
    nonces, now, taken = Nonces(), NOW, []
    for number, off, jump in story:
        now += jump
        command = order(number, now + off)
        for candidate in (command, *taken):
            try:
                nonces = nonces.taking(candidate, now)
            except Refused:
                continue
            assert candidate not in taken
            taken.append(candidate)
            nonces = Nonces.of(json.loads(json.dumps(nonces.document())))


def test_nothing_stored_means_nothing_taken() -> None:
    assert Nonces.of(None) == Nonces()
    for damaged in ({}, {"seen": 1, "floor": 0}, {"seen": {"a": "x"}, "floor": 0}):
        with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
            Nonces.of(damaged)


# ------------------------------------------------------------------ answers and settings


def test_answers_are_json_whatever_came_out() -> None:
    assert json.loads(answer({"resent": 1})) == {"result": {"resent": 1}}
    assert json.loads(answer({1, 2}))["result"]
    assert json.loads(answer(float("nan"))) == {"result": "nan"}
    assert json.loads(refusal(Refused("no"))) == {"refused": "no"}


def test_the_settings_name_principals_and_key_files() -> None:
    table = {"acknowledge": {"room": "keys/room"}, "replay_unsigned": False}
    settings = from_table(CommandSettings, table, Path("app.toml"))
    assert settings.keys_of("acknowledge") == {"room": Path("keys/room")}
    assert set(ALLOWED) == {"acknowledge", "replay"}
    for wrong in ({"reset_line": {}}, {"replay": {"a b": "k"}}, {"acknowledge": {"a": 1}}):
        with pytest.raises(ConfigError):
            from_table(CommandSettings, wrong, Path("app.toml"))
