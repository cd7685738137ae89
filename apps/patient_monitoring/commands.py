"""What people may ask of the gateway, which role it takes, and the audit of it.

Whoever names a patient names the pseudonym that the screen showed: if another lies in the
bed by now, nothing is done.
"""

import math
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from apps.patient_monitoring import entry
from apps.patient_monitoring.admissions import Admissions
from apps.patient_monitoring.alarm_commands import AlarmCommands
from apps.patient_monitoring.census import Move
from apps.patient_monitoring.domain import NONE
from apps.patient_monitoring.incoming.adt import Person
from apps.patient_monitoring.incoming.observed import Refused
from apps.patient_monitoring.pause import PAUSE_ROLES, Pauses
from common import deeds
from common.alarms import commands as alarm_commands
from common.arguments import flag, number, text
from common.deeds import Deed
from common.telemetry import dead_letters
from common.users import User

if TYPE_CHECKING:
    from apps.patient_monitoring.station import Station

ROLES = {
    **alarm_commands.ROLES,
    **PAUSE_ROLES,
    "names": "viewer",
    "enter": "operator",
    "order_scale2": "operator",
    "describe": "operator",
    "admit": "operator",
    "discharge": "operator",
    "transfer": "operator",
    "swap": "operator",
    "take": "operator",
    "hand_over": "operator",
    "forget": "engineer",
    "resend": dead_letters.ROLE,
}
OLDEST = 130


class Commands:
    """Carries commands out in the loop's thread; ValueError is the asker's mistake."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._pauses, self._alarms = Pauses(station), AlarmCommands(station)

    def carry_out(self, name: str, arguments: dict[str, Any], user: User) -> Any:
        """Do it and audit it; returns what the asker shall see, or a future of it."""
        if name in alarm_commands.ROLES:
            if name in ("shelve", "remove_from_service"):
                self._alarms.refuse_hidden(arguments)
            return alarm_commands.carry_out(self._station.parts.alarms, name, arguments, user)
        try:
            if name in PAUSE_ROLES:
                return self._pauses.carry_out(name, arguments, user)
            deed = getattr(self, f"_{name}")(arguments, user)
        except Refused as error:
            raise ValueError(str(error)) from error
        store = self._station.parts.store
        return deeds.carry_out(store, deed, name, user, self._station.later)

    # ------------------------------------------------------------------- about a patient

    def _names(self, arguments: dict[str, Any], user: User) -> Deed:
        """Bed → initials; that somebody looked is audited."""
        del arguments, user
        found = {}
        for bed, stay in self._station.intake.census.stays.items():
            known = self._station.parts.identities.real(stay.patient.pseudonym)
            found[bed] = known.initials if known else ""
        return Deed(lambda _: found, "patients")

    def _enter(self, arguments: dict[str, Any], user: User) -> Deed:
        bed, patient = text(arguments, "bed"), text(arguments, "patient")
        given = arguments.get("values")
        values = entry.values(given)
        self._station.intake.enter(patient, bed, values)
        body = {"bed": bed, "patient": patient, "values": given, "user": user.name}
        keep = partial(self._station.record.entry, bed=bed, body=body)

        def write(connection: sqlite3.Connection) -> str:
            keep(connection)
            return f"entered: {', '.join(value.sign.name for value in values)}"

        return Deed(write, f"bed/{bed}")

    def _order_scale2(self, arguments: dict[str, Any], user: User) -> Deed:
        """SpO2 scale 2 by a clinician's order: who ordered it and why is kept."""
        clinician, reason = text(arguments, "clinician"), text(arguments, "reason")
        on = flag(arguments, "on")
        ordered = f"scale {2 if on else 1}, ordered by {clinician}: {reason}"
        return self._describe_as(arguments, user, {"scale2": on}, ordered)

    def _describe(self, arguments: dict[str, Any], user: User) -> Deed:
        """Age and pregnancy: whether NEWS2 may be used at all."""
        known: dict[str, Any] = {}
        if "age" in arguments:
            known["age"] = number(arguments, "age")
            if not 0 <= known["age"] <= OLDEST:
                raise ValueError(f"age must be 0 to {OLDEST} years")
        if "pregnant" in arguments:
            known["pregnant"] = flag(arguments, "pregnant")
        if not known:
            raise ValueError("age or pregnant is needed")
        return self._describe_as(arguments, user, known, text(arguments, "reason"))

    def _describe_as(
        self, arguments: dict[str, Any], user: User, known: Mapping[str, Any], reason: str
    ) -> Deed:
        bed, pseudonym = text(arguments, "bed"), text(arguments, "patient")

        def change(admissions: Admissions) -> list[Move]:
            admissions.census.lies(pseudonym, bed)
            patient = admissions.census.stays[bed].patient
            return admissions.census.describe(replace(patient, **known))

        return self._change(change, user, f"bed/{bed}", reason, "ordered")

    def _change(
        self, change: Callable[[Admissions], list[Move]], user: User, target: str,
        reason: str = "", answer: str = "done",
    ) -> Deed:  # fmt: skip
        """A change of the census; the answer comes once its audit is on disk, too."""
        self._station.intake.change(change, f"{user.name}/{user.role}")
        return Deed(lambda _: answer, target, reason)

    # ------------------------------------------------------------------ who lies where

    def _admit(self, arguments: dict[str, Any], user: User) -> Deed:
        bed, mrn = text(arguments, "bed"), text(arguments, "mrn")
        age = number(arguments, "age") if "age" in arguments else NONE
        if not (math.isnan(age) or 0 <= age <= OLDEST):
            raise ValueError(f"age must be 0 to {OLDEST} years")
        if not self._station.settings.intake.real_patients and not mrn.startswith("SIM"):
            raise ValueError(
                "real patients are not admitted to this simulation and research software "
                "(intake.real_patients); numbers of invented ones begin with SIM"
            )
        number_ = mrn if ":" in mrn else f"{text(arguments, 'authority', 'HOSP')}:{mrn}"
        person = Person(number_, text(arguments, "initials", "")[:3], age)
        wall = self._station.parts.clock.wall()
        change = lambda admissions: admissions.admit(person, bed, wall)  # noqa: E731
        return self._change(change, user, f"bed/{bed}")

    def _discharge(self, arguments: dict[str, Any], user: User) -> Deed:
        bed, patient = text(arguments, "bed"), text(arguments, "patient")
        change = lambda admissions: admissions.discharge(patient, bed)  # noqa: E731
        return self._change(change, user, f"bed/{bed}", text(arguments, "reason"))

    def _transfer(self, arguments: dict[str, Any], user: User) -> Deed:
        patient, to = text(arguments, "patient"), text(arguments, "to_bed")
        was, wall = text(arguments, "from_bed"), self._station.parts.clock.wall()

        def change(admissions: Admissions) -> list[Move]:
            admissions.census.lies(patient, was)
            return admissions.census.transfer(patient, to, wall)

        return self._change(change, user, f"bed/{was}", text(arguments, "reason"))

    def _swap(self, arguments: dict[str, Any], user: User) -> Deed:
        one, other = text(arguments, "patient"), text(arguments, "other")
        wall = self._station.parts.clock.wall()
        change = lambda admissions: admissions.census.swap(one, other, wall)  # noqa: E731
        return self._change(change, user, "beds", text(arguments, "reason"))

    def _take(self, arguments: dict[str, Any], user: User) -> Deed:
        return self._alarms.take(arguments, user)

    def _hand_over(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        return self._alarms.hand_over(arguments)

    def _forget(self, arguments: dict[str, Any], user: User) -> Deed:
        """Lose the way back to a person for good; their records stay a stranger's."""
        del user
        pseudonym, reason = text(arguments, "patient"), text(arguments, "reason")
        if self._station.intake.census.bed_of(pseudonym) is not None:
            raise ValueError("who lies here is not forgotten: discharge them first")
        if self._station.parts.identities.real(pseudonym) is None:
            raise ValueError("nobody is known by that pseudonym")
        self._station.parts.identities.forget(pseudonym)
        return Deed(lambda _: "forgotten", f"patient/{pseudonym}", reason)

    def _resend(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        return Deed(dead_letters.resend, "dead letters", text(arguments, "reason"))
