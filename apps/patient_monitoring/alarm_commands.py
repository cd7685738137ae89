"""Who looks after an alarm, and which alarms nobody may hide."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apps.patient_monitoring.bed_alarms import RISK, alarm_of, bed_of
from apps.patient_monitoring.owners import OWNERS
from common import meta
from common.alarms import commands as alarm_commands
from common.alarms.alarm import Alarm
from common.alarms.engine import ABNORMAL
from common.arguments import text
from common.deeds import Deed
from common.users import User

if TYPE_CHECKING:
    from apps.patient_monitoring.station import Station

HIGH = 1


class AlarmCommands:
    """Carried out in the loop's thread; ValueError is the asker's mistake."""

    def __init__(self, station: "Station") -> None:
        self._station = station

    def take(self, arguments: dict[str, Any], user: User) -> Deed:
        """Acknowledge an alarm, where that is open, and answer for it from now on."""
        alarm_id = self._active(arguments)
        order = {"alarm_id": alarm_id, "comment": "taken"}
        alarm_commands.carry_out(self._station.parts.alarms, "acknowledge", order, user)
        return self._owned(alarm_id, user.name, "")

    def hand_over(self, arguments: dict[str, Any]) -> Deed:
        """Somebody else answers for an alarm; it stays what it is."""
        alarm_id, to = self._active(arguments), text(arguments, "to")
        return self._owned(alarm_id, to[:64], text(arguments, "reason"))

    def refuse_hidden(self, arguments: Mapping[str, Any]) -> None:
        """What is HIGH of a patient is neither shelved nor taken out of service, and a risk
        not at all: it may become HIGH. A pause hides it within its limits.
        """
        named = arguments.get("alarms") or {arguments.get("alarm_id"): None}
        for alarm_id in named if isinstance(named, dict) else ():
            alarm = self._alarm(alarm_id) if isinstance(alarm_id, str) else None
            if alarm and bed_of(alarm_id) and alarm.priority == HIGH:
                raise ValueError(f"{alarm_id} is of high priority: it is not hidden")
            if alarm and alarm_id == alarm_of(RISK, bed_of(alarm_id)):
                raise ValueError(f"{alarm_id} may become high: pause the bed's alarms instead")

    def _active(self, arguments: dict[str, Any]) -> str:
        """The alarm that is named, of the patient who was seen in its bed; raises Refused."""
        alarm_id = text(arguments, "alarm_id")
        alarm, bed = self._alarm(alarm_id), bed_of(alarm_id)
        if alarm is None:
            raise ValueError(f"there is no alarm {alarm_id}")
        if bed:
            self._station.intake.census.lies(text(arguments, "patient"), bed)
        if alarm.state.life not in ABNORMAL:
            raise ValueError(f"{alarm_id} is not active")
        return alarm_id

    def _alarm(self, alarm_id: str) -> Alarm | None:
        try:
            return self._station.parts.alarms.alarm(alarm_id)
        except KeyError:
            return None

    def _owned(self, alarm_id: str, owner: str, reason: str) -> Deed:
        owners = self._station.owners
        owners.put(alarm_id, owner)
        document = owners.document()

        def write(connection: sqlite3.Connection) -> str:
            meta.put(connection, OWNERS, document)
            return f"{owner} looks after it"

        return Deed(write, alarm_id, f"to {owner}" + (f": {reason}" if reason else ""))
