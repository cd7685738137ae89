"""From a decision to the nurse: one alarm per bed and kind. Safe state: the ward knows
that it is not monitored.

The engine escalates, re-alarms and remembers; here is only what is set and cleared in it,
and only where something differs from what was told last: a ward is one comparison of
arrays. An occurrence keeps the highest priority that it had, and says whose it is.

After a restart the protocol knows nothing yet, and that is no reason to call a patient
well: an alarm that was in force stays so until the bed has been known for `settle_s` (of an
extreme: the signs that have extremes), or the protocol speaks for itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.patient_monitoring import bed_alarms
from apps.patient_monitoring.bed_alarms import (
    ADVICE,
    BOARD_PRIORITY,
    EXTREME,
    RISK,
    TECHNICAL,
    UNMONITORED,
    WITHIN_S,
    alarm_of,
)
from apps.patient_monitoring.domain import (
    Array,
    Extreme,
    Flag,
    Parameter,
    Patient,
    Priority,
    Risk,
)
from apps.patient_monitoring.lasting import since
from apps.patient_monitoring.parameter_names import PARAMETER_NAMES
from apps.patient_monitoring.protocol import CHART, EXTREMES
from apps.patient_monitoring.protocol import TECHNICAL as FAULTS
from apps.patient_monitoring.ward import Decision, Kind
from common.alarms import orders
from common.alarms.alarm import Alarm
from common.alarms.board import AlarmBoard
from common.alarms.engine import ABNORMAL
from common.pipeline import Fault
from common.users import User

KINDS = (RISK, EXTREME, TECHNICAL, ADVICE)
HELD = -1
"""Told before the last restart; what exactly is in the engine."""
BEHIND_EXTREMES = [Parameter.RESPIRATION, Parameter.SPO2, Parameter.PULSE]
LOGIC = User(orders.LOGIC, "operator")
RISK_PRIORITY = np.array([CHART[risk].priority for risk in Risk])


@dataclass(frozen=True, slots=True)
class Call:
    """What a nurse is told of one bed."""

    detail: str
    what: tuple[str, ...]
    """Red parameters, extremes or faults, by name."""
    priority: Priority | None = None
    """None: the definition's own."""

    @property
    def board_priority(self) -> int | None:
        """As the alarm engine counts it."""
        return BOARD_PRIORITY[self.priority] if self.priority else None


class Act:
    """Sets the alarms of `beds`; who lies there is told by `admit`."""

    def __init__(
        self,
        board: AlarmBoard,
        beds: Sequence[str],
        patients: Sequence[Patient | None],
        wall: Callable[[], float],
        settle_s: float = 300.0,
    ) -> None:
        """`wall` gives the time of day, UTC s."""
        self._board, self._beds, self._settle_s = board, tuple(beds), settle_s
        self._wall = wall
        self._patients = list(patients)
        self._occupied = np.array([patient is not None for patient in patients], bool)
        self._told = {kind: self._in_force(kind) for kind in KINDS}
        self._begun: float | None = None
        self._known_since = {kind: np.full(len(self._beds), np.nan) for kind in (RISK, EXTREME)}

    def __call__(self, decision: Decision) -> None:
        """Call for what is new, worse or over; nothing else is touched."""
        if decision.fault:
            self._unmonitored(decision.fault)
            return
        self._board.set(UNMONITORED, active=False)
        settled = self._settled(decision)
        worse = np.zeros(len(self._beds), bool)
        worse[[c.bed for c in decision.changes if c.kind is Kind.WORSE]] = True
        for kind, found in codes(decision).items():
            code, told = np.where(self._occupied, found, 0), self._told[kind]
            differs = (code != told) & ((told != HELD) | (code != 0) | settled[kind])
            again = worse & (code != 0) if kind == RISK else np.zeros_like(worse)
            if kind == EXTREME:  # a further one
                again = (told > 0) & (code & ~told != 0)
            for row in np.flatnonzero(differs | again).tolist():
                self._tell(kind, row, decision, active=bool(code[row]), again=bool(again[row]))
            self._told[kind] = np.where(differs, code, told)

    def safe_state(self, fault: Fault) -> None:
        """Say that the ward is not monitored; never raises."""
        self._unmonitored(fault.says)

    def admit(self, row: int, patient: Patient | None) -> None:
        """Who lies in a bed from now on; None: nobody.

        The alarms and pauses of another patient end: the next ones are the new patient's
        own. What is from before a restart stays where the engine says that it is theirs.
        """
        before, self._patients[row] = self._patients[row], patient
        self._occupied[row] = patient is not None
        if before and patient and before.pseudonym == patient.pseudonym:
            return
        for kind in KINDS:
            alarm_id, told = alarm_of(kind, self._beds[row]), self._told[kind]
            whose = self._board.alarm(alarm_id).about.get("patient")
            theirs = patient is not None and whose == patient.pseudonym
            if not (theirs and told[row] == HELD):
                self._board.set(alarm_id, active=False)
                told[row] = 0
            if not theirs:
                self._board.command(alarm_id, orders.unshelve(LOGIC))
        for known_since in self._known_since.values():
            known_since[row] = np.nan

    def _in_force(self, kind: str) -> Array:
        alarms = (self._board.alarm(alarm_of(kind, bed)) for bed in self._beds)
        return np.array([HELD if alarm.state.life in ABNORMAL else 0 for alarm in alarms])

    def _settled(self, decision: Decision) -> Mapping[str, Array]:
        """Bool [beds] per kind: long enough known for a stored alarm to be over."""
        begun = self._begun = decision.at if self._begun is None else self._begun
        started = np.full(len(self._beds), decision.at - begun >= self._settle_s)
        missing, unscored = decision.score.missing, decision.score.refused
        found = {TECHNICAL: started, ADVICE: started}
        for kind, lacks in ((RISK, missing), (EXTREME, missing[:, BEHIND_EXTREMES])):
            seen = ~lacks.any(axis=1) | unscored
            began = since(self._known_since[kind], seen, decision.at)
            self._known_since[kind] = began
            known = decision.at - began >= self._settle_s
            found[kind] = known | started & ~self._occupied
        return found

    def _tell(
        self, kind: str, row: int, decision: Decision, *, active: bool, again: bool
    ) -> None:
        alarm_id = alarm_of(kind, self._beds[row])
        if not active:
            self._board.set(alarm_id, active=False)
            return
        call = CALLS[kind](decision, row)
        if Priority.HIGH in (call.priority, HIGH_KINDS.get(kind)):
            self._show(alarm_id)
        self._board.set(
            alarm_id,
            active=True,
            detail=call.detail,
            priority=call.board_priority,
            about=self._about(kind, row, decision, call),
            again=again,
        )

    def _show(self, alarm_id: str) -> None:
        """What is of high priority is not hidden by what was meant for less."""
        for order in (orders.unshelve, orders.return_to_service):
            self._board.command(alarm_id, order(LOGIC))

    def _about(self, kind: str, row: int, decision: Decision, call: Call) -> dict[str, Any]:
        patient, score = self._patients[row], decision.score
        alarm = self._board.alarm(alarm_of(kind, self._beds[row]))
        within = {"within_s": WITHIN_S[_urgency(alarm, call)]} if kind == RISK else {}
        return within | {
            "bed": self._beds[row],
            "patient": patient.pseudonym if patient else "",
            "kind": kind.removeprefix(bed_alarms.PER_BED),
            "what": list(call.what),
            "raised_at": self._raised_at(alarm, call),
            "news2": int(score.at_least[row]),
            "complete": bool(score.complete[row]),
            "risk": Risk(int(decision.risk[row])).name,
            "parts": {p.name: n for p in Parameter if (n := int(score.parts[row, p]))},
        }

    def _raised_at(self, alarm: Alarm, call: Call) -> float:
        """When the occurrence came to its priority: wall, UTC s."""
        stands = alarm.state.life in ABNORMAL and _urgency(alarm, call) == alarm.priority
        known = alarm.about.get("raised_at", alarm.active_since) if stands else None
        return self._wall() if known is None else float(known)

    def _unmonitored(self, why: str) -> None:
        about = {"bed": "", "patient": "", "kind": "technical", "what": ["UNMONITORED"]}
        self._board.set(UNMONITORED, active=True, detail=why, about=about)


HIGH_KINDS = {EXTREME: Priority.HIGH}


def codes(decision: Decision) -> dict[str, Array]:
    """Int [beds] per kind of alarm: 0 is "not active", else all that its detail tells."""
    score = decision.score
    called = RISK_PRIORITY[decision.risk] != Priority.NONE
    told = decision.risk * 1000 + score.at_least * 10 + score.complete * 2 + score.red
    by_advice = ~called & (decision.extreme == 0) & (decision.priority == Priority.LOW)
    advised = decision.advised_model * 1 + decision.advised_anomaly * 2
    return {
        RISK: np.where(called, told, 0),
        EXTREME: decision.extreme,
        TECHNICAL: decision.technical,
        ADVICE: np.where(by_advice, advised, 0),
    }


def _risk(decision: Decision, row: int) -> Call:
    risk, score = Risk(int(decision.risk[row])), decision.score
    chart = CHART[risk]
    parts = {p: int(score.parts[row, p]) for p in Parameter}
    named = ", ".join(f"{PARAMETER_NAMES[p]} {n}" for p, n in parts.items() if n)
    least = "" if score.complete[row] else "at least "
    now = f"Now {least}{int(score.at_least[row])}{f' ({named})' if named else ''}."
    red = tuple(p.name for p, n in parts.items() if n == 3)
    return Call(f"{chart.text}. {now} {chart.response}", red, chart.priority)


def _extreme(decision: Decision, row: int) -> Call:
    found = list(_bits(Extreme, decision.extreme[row]))
    return Call(", ".join(EXTREMES[one] for one in found), tuple(str(e.name) for e in found))


def _urgency(alarm: Alarm, call: Call) -> int:
    """The alarm engine's priority once this call is told: an occurrence keeps its highest."""
    asked = call.board_priority or alarm.priority
    return min(asked, alarm.priority) if alarm.state.life in ABNORMAL else asked


def _technical(decision: Decision, row: int) -> Call:
    found = [flag for flag in _bits(Flag, decision.technical[row]) if flag in FAULTS]
    return Call(", ".join(FAULTS[one] for one in found), tuple(str(f.name) for f in found))


def _advice(decision: Decision, row: int) -> Call:
    model = ("model",) if decision.advised_model[row] else ()
    anomaly = ("anomaly",) if decision.advised_anomaly[row] else ()
    texts = {"model": "the model's risk is high", "anomaly": "unlike the patient's usual state"}
    what = model + anomaly
    return Call("Advice: " + ", ".join(texts[one] for one in what), what)


CALLS = {RISK: _risk, EXTREME: _extreme, TECHNICAL: _technical, ADVICE: _advice}


def _bits(kind: type[Any], value: int) -> Iterator[Any]:
    return (one for one in kind if int(value) & one)
