"""What may come in: every message and every event is looked at before it is kept.

A wrong event costs itself, never its neighbours, and never the transaction that it would
have been in. What is turned away is kept apart with the reason (`Rejected`).
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.telemetry.collector.checks import (
    FUTURE_S,
    Arrival,
    Refusal,
    data_of,
    event_row,
    raw_of,
    rejected,
    station_of,
)
from common.telemetry.collector.data_text import data_texts
from common.telemetry.collector.plain import plain_rows
from common.telemetry.collector.rows import Batch, EventRow, Key, Rejected, Seen, Tiding
from common.telemetry.collector.settings import CollectorSettings
from common.telemetry.collector.skew import ClockOffsets
from common.telemetry.event import EventError, iso_time, read_batch, unpacked

log = logging.getLogger("lineside.collector")


@dataclass(slots=True)
class _Sorted:
    """A message's events, looked at one after the other."""

    rows: list[EventRow] = field(default_factory=list)
    tidings: list[Tiding] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class Border:
    """Checks arrivals and makes rows of them."""

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings = settings
        self._offsets = ClockOffsets()

    def check(self, arrival: Arrival) -> Batch:
        """What of a message is kept, and what is not; raises nothing, whatever it holds."""
        try:
            return self._checked(arrival)
        except Exception as error:  # our mistake; the message must not come for ever
            log.exception("a message on %r cannot be checked", arrival.topic)
            reason = f"cannot be checked here: {type(error).__name__} {error}"
            return Batch(rejected=(rejected(arrival, reason, arrival.body),))

    def _checked(self, arrival: Arrival) -> Batch:
        received = iso_time(arrival.received)
        try:
            station = station_of(arrival.topic)
            found = self._sorted(arrival, station.source, received)
        except (Refusal, EventError) as refusal:
            return Batch(rejected=(rejected(arrival, str(refusal), arrival.body),))
        newest = _newest(found.rows)
        if not arrival.historical:
            self._observe(newest, arrival.received)
        return Batch(
            self._corrected(found.rows, newest),
            tuple(found.tidings),
            tuple(found.rejected),
            self._seen(newest, arrival.received, received),
        )

    def _sorted(self, arrival: Arrival, source: str, received: str) -> _Sorted:
        of, size = self._settings, len(arrival.body)
        if size > of.max_message_bytes:
            raise Refusal(f"{size} bytes, {of.max_message_bytes} allowed")
        plain = unpacked(arrival.body, arrival.encoding)
        times = received, iso_time(arrival.received + FUTURE_S)
        rows = plain_rows(plain, source, times, of.majors, of.max_event_bytes)
        values = rows if rows is not None else read_batch(plain)
        if len(values) > of.max_events:
            raise Refusal(f"{len(values)} events, {of.max_events} allowed")
        if rows is not None:
            return _Sorted(rows)
        return self._looked_at(arrival, values, source)

    def _looked_at(self, arrival: Arrival, values: list[Any], source: str) -> _Sorted:
        """By the long way."""
        found, majors = _Sorted(), self._settings.majors
        texts = data_texts(list(map(data_of, values)), self._settings.max_event_bytes)
        for value, text in zip(values, texts, strict=True):
            try:
                row, tiding = event_row(value, text, source, arrival.received, majors)
            except (EventError, Refusal) as refusal:
                one = rejected(arrival, str(refusal), raw_of(value))
                found.rejected.append(one)
            else:
                found.rows.append(row)
                found.tidings += [tiding] if tiding else []
        return found

    def _observe(self, newest: dict[tuple[str, str, str], str], now: float) -> None:
        for (source, _, boot_id), recorded in newest.items():
            self._offsets.observe(source, boot_id, now - _seconds(recorded), now)

    def _corrected(
        self, rows: list[EventRow], newest: dict[tuple[str, str, str], str]
    ) -> tuple[EventRow, ...]:
        """The rows, with the times of clocks that are known to be wrong set right."""
        wrong = {}
        for source, _, boot_id in newest:
            offset = self._offsets.offset_s(source, boot_id)
            if offset is not None and abs(offset) > self._settings.clock_tolerance_s:
                wrong[boot_id] = offset
        if not wrong:
            return tuple(rows)
        return tuple(
            row._replace(corrected_time=_moved(row.time, wrong[row.boot_id]))
            if row.boot_id in wrong
            else row
            for row in rows
        )

    def _seen(
        self, newest: dict[tuple[str, str, str], str], now: float, received: str
    ) -> dict[Key, Seen]:
        return {
            (source, epoch): Seen(
                received, now - _seconds(recorded), self._offsets.offset_s(source, boot_id)
            )
            for (source, epoch, boot_id), recorded in sorted(
                newest.items(), key=lambda one: one[1]
            )
        }


def _newest(rows: list[EventRow]) -> dict[tuple[str, str, str], str]:
    """Source, epoch and start of the station → when its newest event was recorded."""
    newest: dict[tuple[str, str, str], str] = {}
    for row in rows:
        key = (row.source, row.epoch, row.boot_id)
        if row.recorded_time > newest.get(key, ""):
            newest[key] = row.recorded_time
    return newest


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _moved(text: str, seconds: float) -> str:
    try:
        return iso_time(_seconds(text) + seconds)
    except (ValueError, OverflowError):  # beyond the calendar
        return text
