"""The binary and the JSON record: what goes in comes out, and nothing else comes out."""

import json
import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ports import VibrationReading
from hardware.sensors.payload import CHECKED, HEADER, MAGIC, decode, encode

SAMPLES = np.arange(12, dtype=np.float32).reshape(3, 4) - 5.5
READING = VibrationReading(
    "fan-3", SAMPLES, 25_600.0, "SN-0042", 7, 1_767_225_600.25, None, 1480.0, -2.0, 0.75, 61.5
)


def test_a_binary_record_comes_back_whole():
    got = decode("fan-3", encode(READING))
    assert got.fault == ""
    assert np.array_equal(got.acceleration, SAMPLES)
    assert (got.fs_hz, got.sensor, got.sequence, got.missing) == (25_600.0, "SN-0042", 7, 0)
    assert got.wall_time == pytest.approx(1_767_225_600.25)
    assert (got.rpm, got.rpm_change, got.load, got.temperature_c) == (1480.0, -2.0, 0.75, 61.5)


def test_the_header_is_as_documented():
    assert HEADER.size == 80
    head = encode(READING)
    assert head[:4] == MAGIC
    assert (head[6], head[7]) == (3, 3)
    assert struct.unpack_from("<I", head, 8) == (4,)
    assert struct.unpack_from("<d", head, 16) == (25_600.0,)
    assert head[60:76].rstrip(b"\0") == b"SN-0042"


def test_counts_are_scaled():
    got = decode("fan-3", encode(READING, scale=0.5))
    assert np.array_equal(got.acceleration, SAMPLES)
    assert got.acceleration.dtype == np.float32


def test_what_is_not_known_is_none():
    bare = VibrationReading("a", SAMPLES, 100.0)
    got = decode("a", encode(bare))
    assert (got.rpm, got.load, got.temperature_c, got.wall_time) == (None, None, None, None)


def changed(payload, at, value):
    return payload[:at] + value + payload[at + len(value) :]


def sealed(payload):
    """The same with a checksum that fits."""
    check = zlib.crc32(payload[HEADER.size :], zlib.crc32(payload[:CHECKED]))
    return changed(payload, CHECKED, struct.pack("<I", check))


WHOLE = encode(READING)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "neither"),
        (b"hello", "neither"),
        (b"{}", "says nothing"),
        (b'{"rpm": null, "sensor": "a7"}', "says nothing"),
        (WHOLE[:40], "40 bytes; the header alone has 80"),
        (WHOLE[: len(WHOLE) // 2 + 40], "bytes came"),
        (WHOLE + b"x", "bytes came"),
        (changed(WHOLE, 100, b"\x55"), "checksum"),
        (sealed(changed(WHOLE, 6, b"\x04")), "4 axes"),
        (sealed(changed(WHOLE, 6, b"\x00")), "0 axes"),
        (sealed(changed(WHOLE, 7, b"\x09")), "sample type 9"),
        (sealed(changed(WHOLE, 4, b"\x40\x00")), "header of 64 bytes"),
        (sealed(changed(WHOLE, 8, b"\xff\xff\xff\xff")), "samples"),
        (sealed(changed(WHOLE, 24, struct.pack("<d", math.nan))), "scale"),
        (sealed(changed(WHOLE, 24, struct.pack("<d", -1.0))), "scale"),
    ],
)
def test_a_broken_binary_record_is_a_reading_with_a_fault(payload, why):
    got = decode("fan-3", payload)
    assert got.asset == "fan-3"
    assert why in got.fault
    assert got.acceleration.size == 0


@given(st.binary(max_size=200), st.integers(0, 3))
def test_whatever_bytes_come_there_is_a_reading(noise, kind):
    payload = [noise, MAGIC + noise, WHOLE[:80] + noise, b"{" + noise][kind]
    got = decode("m", payload)
    assert got.fault != "" or np.array_equal(got.acceleration, SAMPLES)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_never_believed(at, flip):
    payload = bytearray(WHOLE)
    payload[at] ^= flip
    assert decode("m", bytes(payload)).fault != ""


@given(
    st.integers(1, 3), st.integers(0, 40), st.floats(1.0, 1e5), st.integers(0, 2**32 - 1),
    st.none() | st.floats(-1e6, 1e6, width=32),
)  # fmt: skip
def test_any_record_comes_back(axes, samples, rate, sequence, rpm):
    values = np.random.default_rng(sequence).standard_normal((axes, samples), np.float32)
    made = VibrationReading("m", values, rate, "s", sequence, rpm=rpm)
    got = decode("m", encode(made))
    assert np.array_equal(got.acceleration, values)
    assert (got.fs_hz, got.sequence, got.rpm) == (rate, sequence, rpm)


def test_a_json_record_comes_back():
    told = {
        "fs_hz": 12_800, "acceleration_m_s2": [[1.0, 2, 3.5], [0.0, -1, 2]], "rpm": 990,
        "sensor": "x1", "sequence": 3, "time": 5.5, "load": 0.4, "temperature_c": 41.0,
        "rpm_change": 1.0, "missing": 2,
    }  # fmt: skip
    got = decode("a", json.dumps(told).encode())
    assert got.fault == ""
    assert got.acceleration.tolist() == [[1.0, 2.0, 3.5], [0.0, -1.0, 2.0]]
    assert (got.rpm, got.sequence, got.wall_time, got.missing) == (990.0, 3, 5.5, 2)


def test_one_axis_may_be_a_plain_list_and_values_may_come_alone():
    one = decode("a", b'{"fs_hz": 100, "acceleration_m_s2": [1, 2]}')
    assert one.acceleration.shape == (1, 2)
    beside = decode("a", b'{"rpm": 1480, "load": 0.5}')
    assert (beside.fault, beside.rpm, beside.load) == ("", 1480.0, 0.5)
    assert beside.acceleration.size == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"fs_hz": 100, "acceleration_m_s2": [[1], [1, 2]]}', "different lengths"),
        ('{"fs_hz": 100, "acceleration_m_s2": ["1"]}', "no number"),
        ('{"fs_hz": 100, "acceleration_m_s2": [true]}', "no number"),
        ('{"fs_hz": 100, "acceleration_m_s2": {}}', "must be a list"),
        ('{"acceleration_m_s2": [1, 2]}', "fs_hz is missing"),
        ('{"fs_hz": "fast", "acceleration_m_s2": [1]}', "fs_hz is no number"),
        ('{"fs_hz": 100, "acceleration_m_s2": [1], "sequence": -1}', "sequence"),
        ('{"fs_hz": 100, "acceleration_m_s2": [1], "sensor": 4}', "sensor"),
        ('{"fs_hz": 100, "accelleration": [1]}', "unknown key 'accelleration'"),
        ('{"fs_hz": 100', "payload"),
        ("[" * 10_000, "neither"),
        ('{"a":' * 100_000, "payload"),
    ],
)
def test_a_broken_json_record_is_a_reading_with_a_fault(text, why):
    assert why in decode("a", text.encode()).fault
