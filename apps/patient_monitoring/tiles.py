"""One bed as a screen shows it: who, score, signs, what is missing, what is called for.

A tile never shows a number without saying whose and how old it is; where the score is
incomplete it says so, with what is known at least.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.patient_monitoring.bed_alarms import IEC_PRIORITY, RISK, WITHIN_S, alarm_of
from apps.patient_monitoring.domain import Array, Extreme, Flag, Patient, Priority, Risk, Sign
from apps.patient_monitoring.evidence import SIGN_OF, bits, number, scored, signs_of
from apps.patient_monitoring.pause import PAUSED
from apps.patient_monitoring.protocol import CHART, EXTREMES, TECHNICAL
from apps.patient_monitoring.risk import reasons
from apps.patient_monitoring.ward import Decision, Percept
from common.alarms.alarm import Alarm
from common.alarms.engine import State

if TYPE_CHECKING:
    from apps.patient_monitoring.station import Station


class Tiles:
    """Makes the tiles of a ward at one moment."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._told_of: Array | None = None
        self._told: dict[int, list[dict[str, Any]]] = {}
        self._courses: list[list[int | None]] = []

    def all(self, alarms: list[Alarm], wall: float, now: float) -> list[dict[str, Any]]:
        """A tile per bed, in the order of the rows."""
        by_bed: dict[str, list[Alarm]] = {}
        for alarm in alarms:
            bed = alarm.definition.id.partition("/")[2]
            if bed:
                by_bed.setdefault(bed, []).append(alarm)
        self._courses = self._station.histories.courses()
        return [
            self._tile(row, by_bed.get(bed, []), wall, now)
            for row, bed in enumerate(self._station.beds)
        ]

    def _tile(self, row: int, alarms: list[Alarm], wall: float, now: float) -> dict[str, Any]:
        station, bed = self._station, self._station.beds[row]
        patient = station.patients[row]
        tile: dict[str, Any] = {"bed": bed, "row": row, **_person(station, bed, patient)}
        tile["alarms"] = [self._alarm(a) for a in alarms if patient and _is_of(patient, a)]
        tile["owner"] = next((one["owner"] for one in tile["alarms"] if one["owner"]), "")
        tile["paused_until"] = self._paused_until(bed)
        percept, decision = station.percept, station.decision
        if patient is None or percept is None or decision is None:
            return tile | UNKNOWN
        return tile | self._known(row, percept, decision, wall, now)

    def _known(
        self, row: int, percept: Percept, decision: Decision, wall: float, now: float
    ) -> dict[str, Any]:
        station, reading = self._station, percept.reading
        risk = Risk(int(decision.risk[row]))
        invalid = float(decision.invalid_since[row])
        oldest = _oldest(percept, row)
        due_s = float(percept.due_s[row])
        observed = float(reading.age_s[row, Sign.ACVPU])
        if not math.isfinite(observed):  # by nobody yet: since the patient came
            stay = station.intake.census.stays.get(station.beds[row])
            observed = max(wall - stay.since if stay else 0.0, now - invalid)
        technical = int(decision.technical[row])
        return {
            "score": {
                **scored(decision, row),
                "trend": station.histories.trend(row),
                "history": self._courses[row],
            },
            "risk": risk.name,
            "priority": Priority(int(decision.priority[row])).name,
            "observe": CHART[risk].observe,
            "due_s": due_s,
            "due_in_s": round(due_s - observed, 1),
            "signs": signs_of(reading, row),
            "oldest": oldest.name if oldest is not None else None,
            "oldest_s": number(reading.age_s[row, oldest]) if oldest is not None else None,
            "invalid_since": wall - (now - invalid) if math.isfinite(invalid) else None,
            "extreme": [
                EXTREMES[Extreme[e]] for e in bits(Extreme, int(decision.extreme[row]))
            ],
            "technical": [TECHNICAL[Flag[f]] for f in bits(Flag, technical)],
            "technical_flags": bits(Flag, technical),
            "model_risk": number(percept.risk[row]),
            "advised_model": bool(decision.advised_model[row]),
            "advised_anomaly": bool(decision.advised_anomaly[row]),
            "anomaly": number(percept.anomaly[row]),
            "reasons": self._reasons(percept, row),
        }

    def _reasons(self, percept: Percept, row: int) -> list[dict[str, Any]]:
        """The model speaks once a minute; until it does again its reasons are the same."""
        if percept.contributions is not self._told_of:
            self._told_of, self._told = percept.contributions, {}
        if row not in self._told:
            self._told[row] = _reasons(percept, row)
        return self._told[row]

    def _alarm(self, alarm: Alarm) -> dict[str, Any]:
        definition = alarm.definition
        return {
            "id": definition.id,
            "state": alarm.state.name.value,
            "priority": IEC_PRIORITY[alarm.priority].name,
            "text": definition.text,
            "detail": alarm.detail,
            "since": alarm.changed_at,
            "active_since": alarm.active_since,
            "respond_by": _respond_by(alarm),
            "owner": self._station.owners.of(alarm),
            "ack_user": alarm.ack_user,
            "ack_time": alarm.ack_time,
            "revision": alarm.revision,
        }

    def _paused_until(self, bed: str) -> float | None:
        board = self._station.parts.alarms
        states = (board.alarm(alarm_of(kind, bed)).state for kind in PAUSED)
        hidings = (state.hiding(State.SHELVED) for state in states if state.hidden)
        return max((h.until for h in hidings if h and h.until), default=None)


UNKNOWN: dict[str, Any] = {
    "score": None, "risk": Risk.ROUTINE.name, "priority": Priority.NONE.name, "observe": "",
    "due_s": None, "due_in_s": None, "signs": {}, "oldest": None, "oldest_s": None,
    "invalid_since": None, "extreme": [], "technical": [], "technical_flags": [],
    "model_risk": None, "advised_model": False, "advised_anomaly": False, "anomaly": None,
    "reasons": [],
}  # fmt: skip
"""An empty bed, or a gateway that has not yet looked."""


def _person(station: "Station", bed: str, patient: Patient | None) -> dict[str, Any]:
    if patient is None:
        return {
            "patient": None, "initials": "", "age": None, "scale2": False, "pregnant": False,
            "refusal": "", "admitted_at": None,
        }  # fmt: skip
    stay = station.intake.census.stays.get(bed)
    shown = station.settings.ward.initials
    known = station.parts.identities.real(patient.pseudonym) if shown else None
    same = stay is not None and stay.patient.pseudonym == patient.pseudonym
    return {
        "patient": patient.pseudonym,
        "initials": known.initials if known else "",
        "age": math.floor(patient.age) if math.isfinite(patient.age) else None,
        "scale2": patient.scale2,
        "pregnant": patient.pregnant,
        "refusal": patient.refusal,
        "admitted_at": stay.since if stay and same else None,
    }


def _is_of(patient: Patient, alarm: Alarm) -> bool:
    """Whether nobody says that the alarm is of somebody else."""
    return bool(alarm.about.get("patient", patient.pseudonym) == patient.pseudonym)


def _respond_by(alarm: Alarm) -> float | None:
    """By when somebody is at the bed: of a risk by the chart, since it was raised to that."""
    since, within_s = alarm.active_since, alarm.definition.time_to_respond_s
    if alarm.definition.id.startswith(RISK):
        since = alarm.about.get("raised_at", since)
        within_s = WITHIN_S.get(alarm.priority, within_s)
    return since + within_s if since else None


def _oldest(percept: Percept, row: int) -> Sign | None:
    """The oldest of what the score is made of; None where nothing is."""
    ages, missing = percept.reading.age_s[row].tolist(), percept.score.missing[row].tolist()
    there = [(ages[sign], sign) for p, sign in SIGN_OF.items() if not missing[p]]
    known = [one for one in there if math.isfinite(one[0])]
    return max(known)[1] if known else None


def _reasons(percept: Percept, row: int) -> list[dict[str, Any]]:
    if not np.isfinite(percept.risk[row]):
        return []
    found = reasons(percept.features[row], percept.contributions[row])
    return [reason.document() for reason in found]
