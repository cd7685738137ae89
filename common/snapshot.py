"""What every station says of itself, whatever its app: the part of the snapshot all share.

The screens, the API and Prometheus read the snapshot; an app adds its own keys.
"""

from dataclasses import asdict
from functools import partial
from typing import Any

from common.alarms.document import document as alarm_document
from common.meta import put
from common.station_parts import StationParts
from common.station_settings import StationSettings
from common.store import Store


def shared(who: StationSettings, app: str, parts: StationParts) -> dict[str, Any]:
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
