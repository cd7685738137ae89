"""What people may ask of the station, which role it takes, and the audit of it."""

import sqlite3
from typing import TYPE_CHECKING, Any

from apps.defect_inspection import decide as rules
from common import deeds, records
from common.alarms import commands as alarm_commands
from common.arguments import text
from common.deeds import Deed
from common.records import Label
from common.telemetry import dead_letters
from common.users import User

if TYPE_CHECKING:
    from apps.defect_inspection.station import Station

ROLES = {
    **alarm_commands.ROLES,
    "reset_line": "operator",
    "overrule": "operator",
    "challenge": "engineer",
    "resend": dead_letters.ROLE,
}
LABELS = ("good", "defective")


class Commands:
    """Carries commands out in the loop's thread; ValueError is the asker's mistake."""

    def __init__(self, station: "Station") -> None:
        self._station = station

    def carry_out(self, name: str, arguments: dict[str, Any], user: User) -> Any:
        """Do it and audit it; returns what the asker shall see, or a future of it."""
        if name in alarm_commands.ROLES:
            return alarm_commands.carry_out(self._station.parts.alarms, name, arguments, user)
        deed, store = getattr(self, f"_{name}")(arguments, user), self._station.parts.store
        return deeds.carry_out(store, deed, name, user, self._station.later)

    def _reset_line(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        reason = text(arguments, "reason")
        pipeline = self._station.pipeline
        stopped = pipeline.state.line_stop
        pipeline.state = rules.reset_line(pipeline.state)
        return Deed("the line may run", stopped or "line", reason)

    def _challenge(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        reason = text(arguments, "reason")
        shipped = self._station.settings.line.challenge_pieces
        pieces = arguments.get("pieces", shipped)
        if type(pieces) is not int or not 1 <= pieces <= 100:
            raise ValueError("pieces must be a number from 1 to 100")
        pipeline = self._station.pipeline
        pipeline.state = rules.start_challenge(pipeline.state, pieces)
        self._station.challenge.begin()
        return Deed(f"feeding {pieces} pieces", "challenge test", reason)

    def _resend(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        return Deed(dead_letters.resend, "dead letters", text(arguments, "reason"))

    def _overrule(self, arguments: dict[str, Any], user: User) -> Deed:
        seq, label = arguments.get("record_seq"), text(arguments, "label")
        reason = text(arguments, "reason")
        if type(seq) is not int or seq < 1:
            raise ValueError("record_seq must be a number from 1")
        if label not in LABELS:
            raise ValueError(f"label must be one of {', '.join(LABELS)}")
        wall_time = self._station.parts.store.clock.wall()
        entry = Label(seq, wall_time, user.name, label, reason)

        def keep(connection: sqlite3.Connection) -> str:
            records.overrule(connection, entry)
            return "kept as a label; the verdict sent stays"

        return Deed(keep, f"record {seq}: {label}", reason)
