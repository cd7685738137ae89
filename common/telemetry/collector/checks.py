"""What makes a message one of ours and an event one that can be kept, and what does not.

This is the long way: it takes any spelling of an event, and says why where it takes none.
"""

import json
from dataclasses import dataclass
from typing import Any

from common.telemetry.collector.data_text import Unfit
from common.telemetry.collector.plain import (
    MOST_NAME,
    MOST_TEXT,
    is_canonical_time,
    type_trouble,
)
from common.telemetry.collector.rows import EventRow, Rejected, Tiding
from common.telemetry.collector.settings import LEAVES
from common.telemetry.collector.tidings import tiding_of
from common.telemetry.event import Event, decode_event, iso_time
from common.telemetry.topics import Identity, parse_topic

MOST_SEQUENCE = 2**63 - 1
FUTURE_S = 300.0
"""So far ahead of us a time is not believed (DOMAIN F6)."""
KEPT_RAW = 16_000
"""Bytes of what is rejected."""


class Refusal(Exception):
    """Why something is not kept."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came."""

    topic: str
    body: bytes
    encoding: str
    historical: bool
    """It waited in the station, or was retained: its age says nothing of the clock."""
    received: float
    """By our clock: UTC, seconds since 1970."""


def station_of(topic: str) -> Identity:
    """The station that a topic of events belongs to; raises Refusal."""
    try:
        station, leaf = parse_topic(topic)
    except ValueError as error:
        raise Refusal(str(error)[:MOST_TEXT]) from error
    if leaf not in LEAVES:
        raise Refusal(f"leaf {leaf[:MOST_TEXT]!r} carries no events")
    for name in station.path:
        _check_text("topic's name", name, MOST_NAME)
    return station


def event_row(
    value: Any, text: str | Unfit, source: str, received: float, majors: tuple[int, ...]
) -> tuple[EventRow, Tiding | None]:
    """The row of an event of `source`, and what it tells; raises EventError, Refusal.

    `text` is its data as JSON, `received` UTC in s.
    """
    event = decode_event(value)
    if event.source != source:
        raise Refusal(f"source {event.source[:MOST_TEXT]!r} is not its topic's station")
    if isinstance(text, Unfit):
        raise Refusal(text.reason)
    if not isinstance(event.data, dict):
        raise Refusal("data is no object")
    if not 0 < event.sequence <= MOST_SEQUENCE:
        raise Refusal(f"sequence {event.sequence} is out of range")
    _check_texts(event)
    trouble = type_trouble(event.type, majors)
    if trouble:
        raise Refusal(trouble)
    time, recorded = (
        _spelt(value["time"], event.time),
        _spelt(value["recordedtime"], event.recorded_time),
    )
    ahead = event.time - received
    suspect = f"{ahead:.0f} s ahead" if ahead >= FUTURE_S else ""
    row = EventRow(
        source, event.epoch, event.sequence, event.type, event.subject, time, recorded,
        iso_time(received), time, suspect, event.boot_id, event.clock_quality, text,
    )  # fmt: skip
    return row, tiding_of(event)


def _check_texts(event: Event) -> None:
    _check_text("epoch", event.epoch, MOST_NAME)
    for name in ("type", "subject", "boot_id", "clock_quality"):
        _check_text(name, getattr(event, name), MOST_TEXT)


def _check_text(name: str, text: Any, most: int) -> None:
    if not isinstance(text, str) or len(text) > most or not text.isprintable():
        raise Refusal(f"{name}: a text of at most {most} printable characters is needed")


def _spelt(text: Any, wall: float) -> str:
    if isinstance(text, str) and is_canonical_time(text):
        return text
    try:
        return iso_time(wall)
    except (ValueError, OverflowError) as error:
        raise Refusal(f"time {wall} is beyond the calendar") from error


def data_of(value: Any) -> Any:
    """What an event carries; None for what is no event."""
    return value.get("data") if isinstance(value, dict) else None


def raw_of(value: Any) -> bytes:
    """A value as it may have come, to be kept with its rejection."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b""


def rejected(arrival: Arrival, reason: str, raw: bytes) -> Rejected:
    """A message or an event of one, turned away."""
    return Rejected(
        _storable(arrival.topic)[:MOST_TEXT], _storable(reason)[: 2 * MOST_TEXT],
        raw[:KEPT_RAW], len(raw), iso_time(arrival.received),
    )  # fmt: skip


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
