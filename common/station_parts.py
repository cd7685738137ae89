"""What every station is made of, whatever its app: the part of `station.Parts` all share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.alarms.board import AlarmBoard
from common.ports import Clock
from common.store import Store
from common.telemetry.outbox import Outbox


@dataclass(frozen=True, kw_only=True)
class StationParts:
    """An app inherits and adds its devices and its model."""

    store: Store
    outbox: Outbox
    alarms: AlarmBoard
    clock: Clock
    sinks: tuple[str, ...] = ()
    """Where events go."""
    link: Callable[[], dict[str, Any]] = dict
    """State of the ways out, for the screen."""
    host: Callable[[], dict[str, Any]] = dict
    """Temperature, memory, disk and load of the device, for the screen."""
    notification: Callable[[], dict[str, Any]] = dict
    """Who was told of alarms, and what became of it; {} where nobody is told."""
    software: str = ""
    """Name and version."""
