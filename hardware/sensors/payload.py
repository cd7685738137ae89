"""A vibration record as one MQTT message: a small binary header and the samples, or JSON.

Binary, little-endian; the samples follow axis after axis:

| bytes | field | meaning |
|--:|---|---|
| 0–3 | magic | `LSV1` |
| 4–5 | header | u16, bytes of the header: 80 |
| 6 | axes | u8, 1 to 3 |
| 7 | type | u8: 1 int16, 2 int32, 3 float32 |
| 8–11 | samples | u32, of each axis |
| 12–15 | sequence | u32, the sensor's count of records; it wraps |
| 16–23 | rate | f64, Hz |
| 24–31 | scale | f64, m/s² of one count |
| 32–39 | taken | u64, µs since 1970 UTC; 0 is not known |
| 40–55 | rpm, rpm change, load, °C | 4 × f32; NaN is not known |
| 56–59 | missing | u32, samples that the sensor knows to be lost |
| 60–75 | sensor | its serial number, ASCII, filled with zeros |
| 76–79 | check | CRC-32 of bytes 0–75 and all samples |

JSON: an object of `fs_hz` and `acceleration_m_s2` (one list, or one per axis), and where
known `sensor`, `sequence`, `time` (s since 1970 UTC), `rpm`, `rpm_change`, `load`,
`temperature_c`, `missing`. Without samples it brings the values beside them alone.

Nothing here raises for what came from outside: what cannot be read is a reading with a
fault, because a machine whose sensor talks nonsense must not look like a silent one.
"""

import json
import math
import struct
import zlib
from typing import Any

import numpy as np

from common.ports import VibrationReading

MAGIC = b"LSV1"
HEADER = struct.Struct("<4sHBBIIddQ4fI16sI")
CHECKED = HEADER.size - 4
TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<i2"), 2: np.dtype("<i4"), 3: np.dtype("<f4")}
MOST_SAMPLES = 1 << 22
"""Of one axis: 164 s at 25.6 kHz."""
MOST_BYTES = HEADER.size + 3 * 4 * MOST_SAMPLES
NOTHING = np.zeros((1, 0), np.float32)
NUMBERS = {"rpm", "rpm_change", "load", "temperature_c"}
KEYS = NUMBERS | {"fs_hz", "acceleration_m_s2", "sensor", "sequence", "time", "missing"}


def encode(reading: VibrationReading, scale: float = 0.0) -> bytes:
    """A reading as binary message: int16 counts of `scale` m/s², float32 without one."""
    kind, dtype = (1, TYPES[1]) if scale else (3, TYPES[3])
    samples = reading.acceleration / scale if scale else reading.acceleration
    if scale:
        samples = np.clip(np.rint(samples), -32_768, 32_767)
    axes, count = samples.shape
    beside = [
        math.nan if value is None else value
        for value in (reading.rpm, reading.rpm_change, reading.load, reading.temperature_c)
    ]
    head = HEADER.pack(
        MAGIC, HEADER.size, axes, kind, count, (reading.sequence or 0) & 0xFFFFFFFF,
        reading.fs_hz, scale or 1.0, round((reading.wall_time or 0.0) * 1e6), *beside,
        reading.missing, reading.sensor.encode("ascii")[:16], 0,
    )[:CHECKED]  # fmt: skip
    body = bytes(samples.astype(dtype).tobytes())
    return head + struct.pack("<I", zlib.crc32(body, zlib.crc32(head))) + body


def decode(asset: str, payload: bytes) -> VibrationReading:
    """The reading in a message of either form; never raises, a wrong one has its fault."""
    try:
        if payload[:4] == MAGIC:
            return _binary(asset, payload)
        if payload[:1] == b"{":
            return _json(asset, payload)
        return broken(asset, "is neither a binary record nor a JSON object")
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return broken(asset, str(error))


def broken(asset: str, why: str, sensor: str = "") -> VibrationReading:
    """What came of this machine and cannot be used."""
    return VibrationReading(asset, NOTHING, 0.0, sensor, fault=f"payload: {why[:200]}")


# ---------------------------------------------------------------------------- binary


def _binary(asset: str, payload: bytes) -> VibrationReading:
    if len(payload) < HEADER.size:
        raise ValueError(f"{len(payload)} bytes; the header alone has {HEADER.size}")
    (
        _, header, axes, kind, samples, sequence, rate, scale, taken,
        rpm, change, load, celsius, missing, serial, check,
    ) = HEADER.unpack_from(payload)  # fmt: skip
    _check_form(header, axes, kind, samples)
    dtype = TYPES[kind]
    wanted = header + axes * samples * dtype.itemsize
    if len(payload) != wanted:
        raise ValueError(f"{len(payload)} of {wanted} bytes came")
    if zlib.crc32(payload[header:], zlib.crc32(payload[:CHECKED])) != check:
        raise ValueError("the checksum does not fit: bytes changed on the way")
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale of {scale} m/s² a count")
    counts = np.frombuffer(payload, dtype, axes * samples, header).reshape(axes, samples)
    return VibrationReading(
        asset, _scaled(counts, scale), rate, _serial(serial), sequence,
        taken / 1e6 if taken else None, None,
        _known(rpm), _known(change), _known(load), _known(celsius), missing,
    )  # fmt: skip


def _check_form(header: int, axes: int, kind: int, samples: int) -> None:
    if header != HEADER.size:
        raise ValueError(f"a header of {header} bytes; known is {HEADER.size}")
    if not 1 <= axes <= 3:
        raise ValueError(f"{axes} axes; 1 to 3 are possible")
    if kind not in TYPES:
        raise ValueError(f"sample type {kind}; known: {', '.join(map(str, TYPES))}")
    if samples > MOST_SAMPLES:
        raise ValueError(f"{samples} samples; {MOST_SAMPLES} at most")


def _scaled(counts: np.ndarray, scale: float) -> np.ndarray:
    if counts.dtype.kind == "f" and scale == 1.0:
        return counts
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is refused later
        return np.asarray(np.multiply(counts, np.float32(scale), dtype=np.float32))


def _serial(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode("ascii", "replace")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


# ------------------------------------------------------------------------------ JSON


def _json(asset: str, payload: bytes) -> VibrationReading:
    told = json.loads(payload)
    unknown = sorted(set(told) - KEYS)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(KEYS))}")
    beside = {name: _number(told, name) for name in NUMBERS}
    if "acceleration_m_s2" not in told:
        if all(value is None for value in beside.values()):
            raise ValueError("says nothing: neither acceleration nor a value beside it")
        return VibrationReading(asset, NOTHING, 0.0, _text(told, "sensor"), **beside)  # type: ignore[arg-type]
    rate = _number(told, "fs_hz")
    if rate is None:
        raise ValueError("fs_hz is missing")
    return VibrationReading(
        asset, _samples(told["acceleration_m_s2"]), rate, _text(told, "sensor"),
        _count(told, "sequence"), _number(told, "time"), None,
        beside["rpm"], beside["rpm_change"], beside["load"], beside["temperature_c"],
        _count(told, "missing") or 0,
    )  # fmt: skip


def _samples(values: Any) -> np.ndarray:
    if not isinstance(values, list) or not values:
        raise ValueError("acceleration_m_s2 must be a list of numbers, or one per axis")
    axes = values if isinstance(values[0], list) else [values]
    lengths = {len(axis) if isinstance(axis, list) else -1 for axis in axes}
    if -1 in lengths or len(lengths) != 1:
        raise ValueError(f"axes of different lengths {sorted(lengths)}")
    if not all(type(value) in (int, float) for axis in axes for value in axis):
        raise ValueError("acceleration_m_s2 holds something that is no number")
    with np.errstate(over="ignore"):  # infinity is refused later
        return np.array(axes, np.float64).astype(np.float32)


def _number(told: dict[str, Any], name: str) -> float | None:
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no number")  # noqa: TRY004 - told from outside
    return float(value)


def _count(told: dict[str, Any], name: str) -> int | None:
    value = told.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be a whole number from 0")
    return value


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name, "")
    if not isinstance(value, str) or len(value) > 100:
        raise ValueError(f"{name} must be a text of up to 100 characters")
    return value
