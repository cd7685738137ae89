"""What every station says of itself, whatever its app: the part of the snapshot all share.

The screens, the API and Prometheus read the snapshot; an app adds its own keys.
"""

from dataclasses import asdict
from functools import partial
from typing import Any

from common.alarms.board import AlarmBoard
from common.alarms.document import document as alarm_document
from common.meta import put
from common.station_parts import StationParts
from common.station_settings import StationSettings
from common.store import Store


def shared(who: StationSettings, app: str, parts: StationParts) -> dict[str, Any]:
    """The keys that all snapshots have, as of this moment."""
    store, board = parts.store, parts.alarms
    alarms, burden = board.summary(), board.burden()
    firsts = {alarm.first_out for alarm in alarms if alarm.first_out}
    named = firsts.union(burden.chattering, burden.stale)  # and perhaps in no list
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
        "alarms": [alarm_document(alarm) for alarm in alarms],
        "hidden_alarms": [alarm_document(alarm) for alarm in board.hidden()],
        "alarm_burden": asdict(burden),
        "alarm_texts": {name: _text(board, name) for name in sorted(named)},
        "host": parts.host(),
        "notification": parts.notification(),
    }


def _text(board: AlarmBoard, alarm_id: str) -> str:
    """The text of an alarm; of one that is no longer defined its id."""
    try:
        return board.alarm(alarm_id).definition.text
    except KeyError:
        return alarm_id


def keep(store: Store, document: dict[str, Any], before: dict[str, Any]) -> None:
    """Hand a snapshot to the store; `before` is the last one.

    Where an alarm has changed the commit waits for no company: a person waits for it.
    """
    store.submit(partial(put, key="snapshot", document=document))
    if _alarms(document) != _alarms(before):
        store.hurry()


def _alarms(document: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(alarm["id"], alarm["state"]) for alarm in document.get("alarms", ())]
