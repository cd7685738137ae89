"""The envelope in which everything leaves a station: CloudEvents 1.0, in JSON batches.

`id` is "<epoch>-<sequence>": a fresh store has a new epoch, so (source, id) never comes
again and whoever receives an event twice can tell. `sequence` orders the events of one
epoch; `time` is when it happened, `recordedtime` when it was stored (DOMAIN F4).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import zstandard

from common.canonical import canonical_json
from common.errors import LinesideError

EVENT_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"
ZSTD = "zstd"
ZSTD_LEVEL = 3
ZSTD_FROM_BYTES = 512
"""Below, the frame's own overhead eats what it saves."""
WORTH_IT = 0.9
"""Compressed only when it comes to less than this share: someone has to unpack it."""
MAX_BATCH_BYTES = 16 << 20
"""Of an unpacked batch; a small body may not unpack to fill the memory."""


class EventError(LinesideError):
    """What was received is no batch of our events."""


class Spelled(NamedTuple):
    """What an event says as canonical JSON, apart from its envelope."""

    data: str
    rest: str
    """Subject, time and type: the last names of the event, up to its closing brace."""


def spell(type_: str, subject: str, time: float, data: Mapping[str, Any]) -> Spelled:
    """Raises ValueError, TypeError, RecursionError or OverflowError for what is no JSON."""
    text = canonical_json
    rest = f'"subject":{text(subject)},"time":"{iso_time(time)}","type":{text(type_)}}}'
    return Spelled(text(data), rest)


class Said(Protocol):
    """What has something to say, e.g. a message."""

    @property
    def spelled(self) -> Spelled:
        """As JSON."""


class Envelope:
    """What all events of one start of a station share, spelled once.

    The result is the canonical JSON of the whole, put together instead of sorted anew for
    every event: the names stand here in their order.
    """

    def __init__(self, epoch: str, source: str, boot_id: str) -> None:
        text = canonical_json
        self._start = f'{{"bootid":{text(boot_id)},"clockquality":'
        self._id = f',"datacontenttype":"application/json","id":{text(epoch + "-")[:-1]}'
        self._source = f'"source":{text(source)},"specversion":"1.0"'

    def recorded(self, time: float, clock_quality: str) -> "Recorded":
        """For events that are recorded at the same moment."""
        return Recorded(
            f'{self._start}{canonical_json(clock_quality)},"data":',
            self._id,
            f'","recordedtime":"{iso_time(time)}","sequence":"',
            f'",{self._source},',
        )


class Recorded(NamedTuple):
    """The envelope of one moment, in pieces: between them stands what the events say."""

    start: str
    id: str
    time: str
    source: str

    def encode(self, sequence: int, said: Said) -> bytes:
        """The JSON of event number `sequence`."""
        start, id_, time, source = self
        data, rest = said.spelled
        return f"{start}{data}{id_}{sequence}{time}{sequence:012d}{source}{rest}".encode()


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at a station."""

    epoch: str
    sequence: int
    source: str
    """Who says so, e.g. "urn:lineside:acme:plant1:line2:cam01"."""
    type: str
    """E.g. "lineside.inspection.verdict.v1"."""
    subject: str
    time: float
    """When it happened: UTC, seconds since 1970."""
    recorded_time: float
    """When it was stored: UTC, seconds since 1970."""
    boot_id: str
    clock_quality: str
    """"ptp", "ntp", "rtc", "unsynced"; "unknown" where nobody can say."""
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Unique per source."""
        return f"{self.epoch}-{self.sequence}"

    @property
    def spelled(self) -> Spelled:
        """What it says as JSON; raises ValueError for NaN or infinity in `data`."""
        return spell(self.type, self.subject, self.time, self.data)

    def encode(self) -> bytes:
        """Its JSON; raises ValueError for NaN or infinity in `data`."""
        envelope = Envelope(self.epoch, self.source, self.boot_id)
        return envelope.recorded(self.recorded_time, self.clock_quality).encode(
            self.sequence, self
        )


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body and what a receiver must know to read it."""

    body: bytes
    content_type: str = BATCH_TYPE
    encoding: str = ""
    """"zstd", or empty for plain JSON."""


def encode_batch(events: Sequence[bytes]) -> Encoded:
    """Already encoded events as one JSON array, compressed where it pays."""
    plain = b"[" + b",".join(events) + b"]"
    if len(plain) >= ZSTD_FROM_BYTES:
        packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(plain)
        if len(packed) < WORTH_IT * len(plain):
            return Encoded(packed, encoding=ZSTD)
    return Encoded(plain)


def decode_batch(body: bytes, encoding: str = "") -> list[Event]:
    """The events in `body`; raises EventError when it is anything else."""
    return [decode_event(value) for value in read_batch(body, encoding)]


def read_batch(body: bytes, encoding: str = "") -> list[Any]:
    """The JSON values in `body`, each still to be looked at; raises EventError."""
    try:
        values = json.loads(unpacked(body, encoding), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EventError(f"batch: cannot be read ({error})") from error
    if not isinstance(values, list):
        raise EventError("batch: is no JSON array")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def unpacked(body: bytes, encoding: str) -> bytes:
    """The plain bytes of a body; raises EventError where there are none."""
    if encoding == ZSTD:
        try:
            size = zstandard.frame_content_size(body)
            if 0 <= size <= MAX_BATCH_BYTES:
                return bytes(zstandard.ZstdDecompressor().decompress(body))
        except zstandard.ZstdError as error:
            raise EventError(f"batch: cannot be unpacked ({error})") from error
        raise EventError(f"batch: would unpack to {size} bytes, {MAX_BATCH_BYTES} allowed")
    if encoding:
        raise EventError(f"batch: encoding {encoding!r} is not known; known: {ZSTD}")
    return body


def decode_event(value: Any) -> Event:
    """An event from its parsed JSON; raises EventError naming what is wrong."""
    try:
        if value["specversion"] != "1.0":
            raise EventError(f"event: specversion {value['specversion']!r} is not 1.0")
        epoch, _, number = value["id"].rpartition("-")
        event = Event(
            epoch=epoch,
            sequence=int(value["sequence"]),
            source=_text(value, "source"),
            type=_text(value, "type"),
            subject=value.get("subject", ""),
            time=_seconds(value["time"]),
            recorded_time=_seconds(value["recordedtime"]),
            boot_id=value.get("bootid", ""),
            clock_quality=value.get("clockquality", "unknown"),
            data=value["data"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EventError(f"event: {type(error).__name__} {error}") from error
    if not epoch or str(event.sequence) != number:
        raise EventError(f"event {value['id']}: id and sequence {event.sequence} disagree")
    return event


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value[name]
    if not isinstance(text, str) or not text:
        raise ValueError(f"{name} must be a text that is not empty")
    return text


def iso_time(wall: float) -> str:
    """A wall time (s since 1970, UTC) as events carry it: 2026-01-01T12:00:00.123Z."""
    second = math.floor(wall)
    micros = round((wall - second) * 1e6)  # to the nearest one, then cut to ms, as datetime
    return f"{_to_the_second(second + micros // 1_000_000)}.{micros // 1000 % 1000:03d}Z"


@lru_cache(maxsize=16)
def _to_the_second(wall: int) -> str:
    return datetime.fromtimestamp(wall, UTC).isoformat()[:19]


def _seconds(iso: str) -> float:
    moment = datetime.fromisoformat(iso)
    if moment.tzinfo is None:
        raise ValueError(f"time {iso} has no zone")
    return moment.timestamp()
