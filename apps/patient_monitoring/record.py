"""What is kept of a ward, what leaves it, and what never does.

Kept: every change of what is in force with its evidence, once a minute the signs of the
whole ward, every entry and move with who made it. Leaves: changes at once, and each
patient's state now and then, through the outbox in the transaction of the record. Never
leaves, and is never in this file: who the patients are; they are pseudonyms (identity.py).
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np

from apps.patient_monitoring.census import Move
from apps.patient_monitoring.domain import Patient, Sign
from apps.patient_monitoring.evidence import AlertProvenance, Inputs, Moment, number
from apps.patient_monitoring.readings import Readings
from apps.patient_monitoring.ward import Change, Decision, Percept
from common import audit, meta, records
from common.pipeline import Fault, Outcome
from common.records import Record
from common.store import Store
from common.telemetry.outbox import Message, Outbox

SCHEMA = "lineside.ward.alert/1"
ALERT_EVENT = "lineside.ward.alert.v1"
OBSERVATION_EVENT = "lineside.ward.observation.v1"
CENSUS, SPOTS, FORCE = "census", "spots", "in_force"
SIGNS_S = 60.0
OBSERVATION_S = 900.0
KEPT_SIGNS = (Sign.HR, Sign.PULSE, Sign.SPO2, Sign.RR, Sign.SBP, Sign.DBP, Sign.TEMP)
InForce = Callable[[Decision, Sequence[Patient | None]], dict[str, Any]]
Turn = Outcome[Readings, Percept, Decision]


class Recorder:
    """Outcome → records and events; nothing here waits for the disk."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        sinks: tuple[str, ...],
        provenance: AlertProvenance,
        patients: Sequence[Patient | None],
        inputs: Inputs,
        in_force: InForce,
    ) -> None:
        """`patients` is the station's own list, kept up to date by it; `in_force` says what
        a restart must know of a decision.
        """
        self._store, self._outbox, self._sinks = store, outbox, sinks
        self._provenance, self._patients, self._inputs = provenance, patients, inputs
        self._in_force, self._alerts = in_force, 0
        self._signs_due = self._observed_due = -np.inf
        self._fault = ""

    def __call__(self, turn: Turn) -> None:
        """Hand what is worth keeping of this turn to the store."""
        self._keep_fault(turn)
        if isinstance(turn.percept, Fault) or turn.sample is None:
            return
        now, wall = turn.sample.monotonic, turn.sample.wall_time
        moment = None
        if turn.decision.changes:
            moment = self._moment(turn.percept, turn.decision, wall)
            changes = [(self._alert_id(), change) for change in turn.decision.changes]
            write = partial(self._write_alerts, moment=moment, changes=changes)
            self._store.submit(write, of_class="alarm")
        if now >= self._signs_due:
            self._signs_due = now + SIGNS_S
            body = signs_body(turn.percept, self._patients, wall)
            self._store.submit(partial(records.add, record=self._record("signs", "ward", body)))
        if self._sinks and now >= self._observed_due:
            self._observed_due = now + OBSERVATION_S
            moment = moment or self._moment(turn.percept, turn.decision, wall)
            self._store.submit(partial(self._tell, moment=moment), of_class="verdict")

    def moved(self, census: Mapping[str, Any], moves: Sequence[Move], by: str) -> "Future[Any]":
        """Keep who lies where, and who changed it; from any thread."""
        wall = self._store.clock.wall()
        kept = [
            (self._record("move", self._bed(move), _move_body(move, by)), self._act(move, by))
            for move in moves
        ]

        def write(connection: sqlite3.Connection) -> None:
            meta.put(connection, CENSUS, dict(census))
            for record, act in kept:
                records.add(connection, record)
                audit.append(connection, act, wall)

        return self._store.submit(write, of_class="audit")

    def spots(self, spots: Mapping[str, Any]) -> None:
        """Keep the newest spot values, so that a restart does not lose the last round."""
        self._store.submit(partial(meta.put, key=SPOTS, document=dict(spots)))

    def entry(self, connection: sqlite3.Connection, bed: str, body: Mapping[str, Any]) -> None:
        """Keep what a person entered; in the transaction of its audit."""
        records.add(connection, self._record("entry", bed, dict(body)))

    # -------------------------------------------------------------------------- the parts

    def _moment(self, percept: Percept, decision: Decision, wall: float) -> Moment:
        given = self._inputs(percept.reading)
        return Moment(percept, decision, tuple(self._patients), given, wall)

    def _alert_id(self) -> str:
        self._alerts += 1
        return f"{self._store.boot_id}-{self._alerts}"

    def _write_alerts(
        self,
        connection: sqlite3.Connection,
        moment: Moment,
        changes: Sequence[tuple[str, Change]],
    ) -> None:
        meta.put(connection, FORCE, self._in_force(moment.decision, moment.patients))
        for alert_id, change in changes:
            body = {
                "schema": SCHEMA,
                **self._provenance.__dict__,
                "alert_id": alert_id,
                "kind": change.kind.value,
                "was": change.was,
                "now": change.now,
                **moment.of(change.bed),
                **moment.proof(change.bed),
            }
            records.add(connection, self._record("alert", alert_id, body, moment))
            self._queue(connection, "alarm", ALERT_EVENT, body, moment)

    def _tell(self, connection: sqlite3.Connection, moment: Moment) -> None:
        """Each patient's state, whether or not anything changed."""
        for row, patient in enumerate(moment.patients):
            if patient is not None:
                body = {**self._provenance.__dict__, **moment.of(row)}
                self._queue(connection, "verdict", OBSERVATION_EVENT, body, moment)

    def _queue(
        self,
        connection: sqlite3.Connection,
        of_class: str,
        kind: str,
        body: dict[str, Any],
        moment: Moment,
    ) -> None:
        if self._sinks:
            subject = f"bed/{body['bed']}"
            self._outbox.append(
                connection, Message(of_class, kind, subject, body, moment.wall, self._sinks)
            )

    def _keep_fault(self, turn: Turn) -> None:
        """A fault once as it begins: an alarm stands as long as it lasts."""
        fault = turn.percept if isinstance(turn.percept, Fault) else None
        told = f"{fault.device}: {fault.cause}" if fault else ""
        if told and told != self._fault:
            body = (
                {"stage": fault.stage, "device": fault.device, "cause": fault.cause}
                if fault
                else {}
            )
            record = self._record("fault", "ward", body)
            self._store.submit(partial(records.add, record=record), of_class="alarm")
        self._fault = told

    def _record(
        self, kind: str, subject: str, body: dict[str, Any], moment: Moment | None = None
    ) -> Record:
        clock = self._store.clock
        wall = moment.wall if moment else clock.wall()
        at = moment.percept.at if moment else clock.monotonic()
        return Record(kind, subject, wall, at, self._store.boot_id, body)

    def _bed(self, move: Move) -> str:
        return move.patient.bed if move.patient else str(move.row + 1)

    def _act(self, move: Move, by: str) -> audit.Act:
        name, _, role = by.partition("/")
        return audit.Act(name[:60], role or "system", move.what, f"bed/{self._bed(move)}")


def _move_body(move: Move, by: str) -> dict[str, Any]:
    patient = move.patient
    return {
        "action": move.what,
        "bed": patient.bed if patient else str(move.row + 1),
        "patient": patient.pseudonym if patient else None,
        "scale2": bool(patient and patient.scale2),
        "pregnant": bool(patient and patient.pregnant),
        "age": number(patient.age) if patient else None,
        "by": by[:80],
    }


def signs_body(
    percept: Percept, patients: Sequence[Patient | None], wall: float
) -> dict[str, Any]:
    """The ward's signs and scores at one moment, a column each, occupied beds only."""
    rows = np.flatnonzero([patient is not None for patient in patients])
    value, score = percept.reading.value[rows], percept.score
    return {
        "at": wall,
        "beds": rows.tolist(),
        "patients": [patient.pseudonym for patient in patients if patient],
        **{sign.name: [_short(one) for one in value[:, sign]] for sign in KEPT_SIGNS},
        "oldest_s": [_short(one) for one in np.nan_to_num(
            percept.reading.age_s[rows][:, KEPT_SIGNS], posinf=np.nan).max(axis=1)],
        "at_least": score.at_least[rows].tolist(),
        "complete": score.complete[rows].tolist(),
        "model_risk": [number(round(float(one), 4)) for one in percept.risk[rows]],
    }  # fmt: skip


def _short(value: float) -> float | None:
    found = number(value)
    return None if found is None else round(found, 1)
