"""Pausing the alarms of one bed, e.g. while the patient is washed: short, counted, visible.

A pause is a shelving of the bed's risk and technical alarms. It takes a reason, ends by
itself, is limited per pause and per hour, and hides nothing of high priority: what is high
is not paused, and what becomes high ends the pause (act.py).
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from apps.patient_monitoring.bed_alarms import ADVICE, RISK, TECHNICAL, alarm_of
from common.alarms import orders
from common.alarms.alarm import Why
from common.alarms.engine import State
from common.alarms.shelving import Shelving
from common.arguments import number, text
from common.users import User

if TYPE_CHECKING:
    from apps.patient_monitoring.station import Station

PAUSE_ROLES = {"pause": "operator", "resume": "operator"}
PAUSED = (RISK, TECHNICAL, ADVICE)
HOUR_S = 3600.0
HIGH = 1


class Pauses:
    """The pauses of a ward's beds."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._given: dict[str, deque[tuple[float, float]]] = {}
        """Bed → when (monotonic s) and for how long, of the last hour."""

    def carry_out(self, name: str, arguments: dict[str, Any], user: User) -> str:
        """Pause or resume; the alarm engine audits each shelving. Raises ValueError or Refused:
        why not.
        """
        bed = text(arguments, "bed")
        self._station.intake.census.lies(text(arguments, "patient"), bed)
        if name == "resume":
            return self._resume(bed, user)
        return self._pause(bed, number(arguments, "seconds"), text(arguments, "reason"), user)

    def _pause(self, bed: str, seconds: float, reason: str, user: User) -> str:
        rules, now = self._station.settings.pause, self._station.parts.clock.monotonic()
        board = self._station.parts.alarms
        if not 0 < seconds <= rules.most_s:
            raise ValueError(f"a pause lasts at most {rules.most_s:g} s")
        given = self._given.setdefault(bed, deque())
        while given and given[0][0] <= now - HOUR_S:
            given.popleft()
        if sum(s for _, s in given) + seconds > rules.per_hour_s:
            raise ValueError(f"bed {bed}: at most {rules.per_hour_s:g} s of pause in an hour")
        alarms = [alarm_of(kind, bed) for kind in PAUSED]
        if any(board.alarm(a).priority == HIGH and board.alarm(a).state.name is not State.NORM
               for a in alarms):  # fmt: skip
            raise ValueError(f"bed {bed}: an alarm of high priority is not paused")
        for alarm_id in alarms:
            outcome = board.command(alarm_id, orders.shelve(user, Shelving(seconds, reason)))
            if outcome.why not in (None, Why.NOTHING):
                raise ValueError(f"{alarm_id}: {outcome.text}")
        given.append((now, seconds))
        return f"bed {bed}: paused for {seconds:g} s"

    def _resume(self, bed: str, user: User) -> str:
        for kind in PAUSED:
            self._station.parts.alarms.command(alarm_of(kind, bed), orders.unshelve(user))
        return f"bed {bed}: alarms sound again"
