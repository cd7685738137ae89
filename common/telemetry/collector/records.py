"""How streams and rejections stand in a table: the same columns in every database."""

import hashlib
import json
from importlib.resources import files
from typing import Any

from common.telemetry.collector import ledger
from common.telemetry.collector.ledger import Stream
from common.telemetry.collector.rows import EventRow, Rejected

EVENT_COLUMNS = EventRow._fields
STREAM_COLUMNS = (
    "state", "received", "first", "last", "missing", "missing_count", "told_dropped",
    "unexplained", "asks", "ask_at", "opened", "last_seen", "behind_s", "clock_offset_s",
)  # fmt: skip
"""Beside source and epoch. All but `state` is there to be looked at, and follows from it."""
SHOWN_RANGES = 100
"""Of what is missing; `state` has all."""


def stream_values(stream: Stream) -> tuple[Any, ...]:
    """The values of STREAM_COLUMNS."""
    seen = stream.seen
    return (
        ledger.dump(stream), stream.received, stream.first, stream.last,
        json.dumps(stream.missing[:SHOWN_RANGES]), stream.missing_count, stream.told_dropped,
        stream.unexplained, stream.asks, stream.ask_at, stream.opened or None,
        seen.received_time if seen else None, seen.behind_s if seen else None,
        seen.clock_offset_s if seen else None,
    )  # fmt: skip


def rejected_values(one: Rejected) -> tuple[Any, ...]:
    """digest, topic, reason, raw, size, first and last time."""
    digest = hashlib.sha256(repr((one.topic, one.reason, one.size)).encode() + one.raw)
    return (
        digest.hexdigest(), one.topic, one.reason, one.raw, one.size,
        one.received_time, one.received_time,
    )  # fmt: skip


def script(name: str) -> str:
    """One of the SQL files beside this module."""
    return files("common.telemetry.collector").joinpath("sql", name).read_text("utf-8")
