"""What stations tell of their own telemetry: where an epoch begins, and what they dropped."""

from typing import Any

from common.telemetry.collector.rows import Began, Dropped, Tiding
from common.telemetry.event import Event, EventError
from common.telemetry.outbox_rows import MQTT

EPOCH = "lineside.telemetry.epoch.v1"
DROPPED = "lineside.telemetry.dropped.v1"
MOST = 2**63 - 1


def tiding_of(event: Event) -> Tiding | None:
    """What `event` tells of its telemetry; None when it tells of something else.

    Raises EventError where it would, but does not make sense.
    """
    if event.type not in (EPOCH, DROPPED):
        return None
    if event.type == DROPPED and event.data.get("sink", MQTT) != MQTT:
        return None  # nothing is missing here
    try:
        return _began(event) if event.type == EPOCH else _dropped(event)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EventError(
            f"event {event.id[:100]}: {event.type} makes no sense ({error})"
        ) from error


def _began(event: Event) -> Began:
    first = _number(event.data["first"], 1, event.sequence)
    before = event.data.get("replaces") or {}
    return Began(
        event.source, event.epoch, event.sequence, first,
        _name(before["epoch"]) if before.get("epoch") else "",
        before.get("lost_unknown") is True,
    )  # fmt: skip


def _dropped(event: Event) -> Dropped:
    epoch = _name(event.data["epoch"])
    first = _number(event.data["from"], 1, MOST)
    last = _number(event.data["to"], first, MOST)
    count = _number(event.data["count"], 0, last - first + 1)
    told_by = (event.epoch, event.sequence)
    return Dropped(event.source, told_by, epoch, (first, last), count)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
        raise ValueError("epoch is no name")
    return value


def _number(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{str(value)[:40]} is not from {low} to {high}")
    return value
