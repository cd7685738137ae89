"""What people may ask of the station, which role it takes, and the audit of it."""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from apps.defect_inspection import decide as rules
from common import audit, records
from common.records import Label
from common.users import User

if TYPE_CHECKING:
    from apps.defect_inspection.station import Station

ROLES = {
    "acknowledge": "operator",
    "reset_alarm": "operator",
    "reset_line": "operator",
    "overrule": "operator",
    "challenge": "engineer",
}
LABELS = ("good", "defective")


class Commands:
    """Carries commands out in the loop's thread; ValueError is the asker's mistake."""

    def __init__(self, station: "Station") -> None:
        self._station = station

    def carry_out(self, name: str, arguments: dict[str, Any], user: User) -> Any:
        """Do it and audit it; returns what the asker shall see, or a future of it.

        What takes the disk is done and audited in one transaction, or not at all.
        """
        result, target, reason = getattr(self, f"_{name}")(arguments, user)
        store = self._station.parts.store
        act = audit.Act(user.name, user.role, name, target, reason)
        if not callable(result):
            audit.submit(store, act)
            return result
        wall_time = store.clock.wall()

        def both(connection: sqlite3.Connection) -> Any:
            answer = result(connection)
            audit.append(connection, act, wall_time)
            return answer

        return store.submit(both)

    def _acknowledge(self, arguments: dict[str, Any], user: User) -> tuple[str, str, str]:
        alarm_id = _text(arguments, "alarm_id")
        noted = _known(self._station.parts.alarms.acknowledge, alarm_id, user)
        return "acknowledged" if noted else "nothing to acknowledge", alarm_id, ""

    def _reset_alarm(self, arguments: dict[str, Any], user: User) -> tuple[str, str, str]:
        alarm_id = _text(arguments, "alarm_id")
        if not _known(self._station.parts.alarms.reset, alarm_id, user):
            raise ValueError(f"{alarm_id}: acknowledge it, and its cause must be gone")
        return "reset", alarm_id, ""

    def _reset_line(self, arguments: dict[str, Any], user: User) -> tuple[str, str, str]:
        del user
        reason = _text(arguments, "reason")
        pipeline = self._station.pipeline
        stopped = pipeline.state.line_stop
        pipeline.state = rules.reset_line(pipeline.state)
        return "the line may run", stopped or "line", reason

    def _challenge(self, arguments: dict[str, Any], user: User) -> tuple[str, str, str]:
        del user
        shipped = self._station.settings.line.challenge_pieces
        pieces = arguments.get("pieces", shipped)
        if type(pieces) is not int or not 1 <= pieces <= 100:
            raise ValueError("pieces must be a number from 1 to 100")
        pipeline = self._station.pipeline
        pipeline.state = rules.start_challenge(pipeline.state, pieces)
        self._station.act.ask_challenge()
        return f"feeding {pieces} pieces", "challenge test", ""

    def _overrule(
        self, arguments: dict[str, Any], user: User
    ) -> tuple[Callable[[sqlite3.Connection], str], str, str]:
        seq, label = arguments.get("record_seq"), _text(arguments, "label")
        reason = _text(arguments, "reason")
        if type(seq) is not int or seq < 1:
            raise ValueError("record_seq must be a number from 1")
        if label not in LABELS:
            raise ValueError(f"label must be one of {', '.join(LABELS)}")
        wall_time = self._station.parts.store.clock.wall()
        entry = Label(seq, wall_time, user.name, label, reason)

        def keep(connection: sqlite3.Connection) -> str:
            records.overrule(connection, entry)
            return "kept as a label; the verdict sent stays"

        return keep, f"record {seq}: {label}", reason


def _known(act: Callable[[str, str], bool], alarm_id: str, user: User) -> bool:
    try:
        return act(alarm_id, user.name)
    except KeyError as error:
        raise ValueError(f"there is no alarm {alarm_id}") from error


def _text(arguments: dict[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 500:
        raise ValueError(f"{name} must be a text of 1 to 500 characters")
    return value.strip()
