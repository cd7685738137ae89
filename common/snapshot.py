"""What every station says of itself, whatever its app: the part of the snapshot all share.

The screens, the API and Prometheus read the snapshot; an app adds its own keys.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol

from common.alarms.board import AlarmBoard
from common.alarms.document import document as alarm_document
from common.meta import put
from common.ports import Clock
from common.station_settings import StationSettings
from common.store import Store


class Parts(Protocol):
    """The parts that a station of any app has."""

    @property
    def store(self) -> Store:
        """Its file."""

    @property
    def alarms(self) -> AlarmBoard:
        """Its alarms."""

    @property
    def clock(self) -> Clock:
        """Its time."""

    @property
    def link(self) -> Callable[[], dict[str, Any]]:
        """State of the ways out."""

    @property
    def host(self) -> Callable[[], dict[str, Any]]:
        """Temperature, memory, disk and load of the device."""

    @property
    def notification(self) -> Callable[[], dict[str, Any]]:
        """Who was told of alarms, and what became of it; {} where nobody is told."""

    @property
    def software(self) -> str:
        """Name and version."""


def shared(who: StationSettings, app: str, parts: Parts) -> dict[str, Any]:
    """The keys that all snapshots have, as of this moment."""
    store, board = parts.store, parts.alarms
    return {
        "station": who.name,
        "app": app,
        "wall_time": parts.clock.wall(),
        "api_port": who.api_port,
        "software": parts.software,
        "link": parts.link(),
        "store": {
            "healthy": store.healthy,
            "refused": store.refused,
            "failed": store.failed,
            "error": store.last_error,
        },
        "alarms": [alarm_document(alarm) for alarm in board.summary()],
        "hidden_alarms": [alarm_document(alarm) for alarm in board.hidden()],
        "alarm_burden": asdict(board.burden()),
        "host": parts.host(),
        "notification": parts.notification(),
    }


def keep(store: Store, document: dict[str, Any], before: dict[str, Any]) -> None:
    """Hand a snapshot to the store; `before` is the last one.

    Where an alarm has changed the commit waits for no company: a person waits for it.
    """
    store.submit(partial(put, key="snapshot", document=document))
    if _alarms(document) != _alarms(before):
        store.hurry()


def _alarms(document: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(alarm["id"], alarm["state"]) for alarm in document.get("alarms", ())]
