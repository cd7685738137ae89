"""Who looks after an alarm: whoever took it, or to whom it was handed over.

An owner belongs to one occurrence of an alarm; when it comes again somebody must take it
anew. Kept over a restart beside the census.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from common.alarms.alarm import Alarm
from common.alarms.board import AlarmBoard
from common.alarms.engine import ABNORMAL

OWNERS = "owners"


class Owners:
    """Alarm → the occurrence and its owner."""

    def __init__(self, board: AlarmBoard, kept: Mapping[str, Any]) -> None:
        self._board = board
        self._owners: dict[str, tuple[int, str]] = {}
        for alarm_id, one in kept.items():
            with suppress(TypeError, ValueError):  # of another release: somebody takes it anew
                occurrence, owner = one
                self._owners[alarm_id] = int(occurrence), str(owner)

    def put(self, alarm_id: str, owner: str) -> None:
        """`owner` looks after the present occurrence."""
        self._owners[alarm_id] = (self._board.alarm(alarm_id).occurrence, owner)

    def of(self, alarm: Alarm) -> str:
        """Who looks after it; who acknowledged it, where nobody was named; or nobody."""
        occurrence, owner = self._owners.get(alarm.definition.id, (0, ""))
        if occurrence != alarm.occurrence or alarm.state.life not in ABNORMAL:
            owner = ""
        return owner or alarm.ack_user

    def document(self) -> dict[str, Any]:
        """As JSON; what is over is forgotten."""
        known = {}
        for alarm_id, kept in self._owners.items():
            alarm = self._board.alarm(alarm_id)
            if alarm.occurrence == kept[0] and alarm.state.life in ABNORMAL:
                known[alarm_id] = kept
        self._owners = known
        return {alarm_id: list(kept) for alarm_id, kept in known.items()}
