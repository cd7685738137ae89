"""The gateway of a ward: the wiring of the five steps in flow order.

Read this file first. `build` joins the steps; `Station.turn` is one turn of the loop: carry
out what people asked for, look at the whole ward once per beat, then at the alarms that are
not the protocol's, and at the time for a snapshot.

Reference software for simulation and research, not a medical device.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from apps.patient_monitoring import NOT_A_DEVICE, evidence, resume
from apps.patient_monitoring import decide as rules
from apps.patient_monitoring import perceive as signs
from apps.patient_monitoring.act import Act
from apps.patient_monitoring.census import Census, Move, beds_in
from apps.patient_monitoring.commands import ROLES, Commands
from apps.patient_monitoring.config import Settings
from apps.patient_monitoring.decide import Protocol, WardState
from apps.patient_monitoring.domain import Patient
from apps.patient_monitoring.history import Histories
from apps.patient_monitoring.identity import KeyMap
from apps.patient_monitoring.incoming.observed import Refused
from apps.patient_monitoring.intake import Intake
from apps.patient_monitoring.owners import OWNERS, Owners
from apps.patient_monitoring.perceive import Perceive
from apps.patient_monitoring.readings import Readings
from apps.patient_monitoring.record import CENSUS, FORCE, SPOTS, Recorder
from apps.patient_monitoring.risk import RiskModel
from apps.patient_monitoring.sense import Sense
from apps.patient_monitoring.snapshot import Snapshots
from apps.patient_monitoring.ward import Decision, Percept
from apps.patient_monitoring.watch import Listener, Watch
from common import meta, records
from common.inference.selection import Choice
from common.pipeline import Fault, Outcome, Pipeline
from common.service.command_queue import CommandQueue
from common.station_parts import StationParts
from common.users import User

POLL_S = 0.05  # longest wait for the next beat before people's commands get their turn
SNAPSHOT_S = 1.0
HERE_BEFORE = ("restore", "transfer", "swap")
"""Moves of a patient who was here before."""
log = logging.getLogger("lineside")
Turn = Outcome[Readings, Percept, Decision]


@dataclass(frozen=True)
class Parts(StationParts):
    """What this gateway is made of beside what all have; apps/open_*.py opens them by name."""

    identities: KeyMap
    model: Choice | None
    """None: no model runs; the score needs none."""
    orders: frozenset[str] = frozenset()
    """Beds whose simulated patients have a simulated clinician's order of SpO2 scale 2."""
    listeners: list[Listener] = field(default_factory=list)
    """Filled by whoever opens them, once there is an intake that they can speak to."""


def build(settings: Settings, parts: Parts) -> "Station":
    """The gateway of `settings`, its steps joined in flow order."""
    beds, store = settings.ward.names, parts.store
    patients: list[Patient | None] = [None] * len(beds)
    model = parts.model.model if parts.model else None
    provenance = evidence.AlertProvenance(
        settings.station.name, parts.software, model.describe() if model else "",
        model.artefact.sha256 if model else "", asdict(settings.advisory),
    )  # fmt: skip
    record = Recorder(
        store, parts.outbox, parts.sinks, provenance, patients, signs.inputs, resume.document
    )
    intake = Intake(Census(beds), parts.identities, settings.intake, parts.clock, record.moved)
    perceive = Perceive(patients, settings, RiskModel(model) if model else None)
    act = Act(parts.alarms, beds, patients, parts.clock.wall, settings.escalation.release_s)
    station = Station(settings, parts, intake, perceive, act)
    sense = Sense(intake, parts.clock, settings.ward.period_s, station.moved)
    pipeline: Pipeline[Readings, Percept, WardState, Decision] = Pipeline(
        sense=sense,
        perceive=perceive,
        decide=Protocol(settings.escalation, settings.advisory),
        act=act,
        record=record,
        state=rules.start(len(beds), parts.clock.monotonic()),
        clock=parts.clock,
    )
    station.join(pipeline, sense, record, patients)
    return station


class Station:
    """Runs the loop in one thread; commands and state come and go through safe queues."""

    roles = ROLES

    def __init__(
        self, settings: Settings, parts: Parts, intake: Intake, perceive: Perceive, act: Act
    ) -> None:
        self.settings, self.parts, self.intake = settings, parts, intake
        self.perceive, self.act = perceive, act
        self.beds = settings.ward.names
        self.percept: Percept | None = None
        """The ward as it was at the last look; None: nothing is known of it now."""
        self.decision: Decision | None = None
        self.fault = ""
        """Why nothing is known of the ward; empty while it is."""
        self.beats = self.behind = 0
        self._was_in_force: dict[str, Any] = {}
        self.histories = Histories(len(self.beds))
        self._snapshot_due = 0.0
        self._commands = Commands(self)
        self._watch = Watch(self)
        self._snapshots = Snapshots(self)
        self._queue = CommandQueue()

    def join(
        self,
        pipeline: Pipeline[Readings, Percept, WardState, Decision],
        sense: Sense,
        record: Recorder,
        patients: list[Patient | None],
    ) -> None:
        """Take the loop, and go on with whoever lay here when the station last ran."""
        self.pipeline, self.sense = pipeline, sense
        self.record, self.patients = record, patients
        store = self.parts.store
        keys = (CENSUS, SPOTS, OWNERS, FORCE)
        found = [store.submit(partial(meta.get, key=k)).result() or {} for k in keys]
        stays, spots, owners, self._was_in_force = found
        self.intake.restore(stays, spots, store.submit(records.newest_wall).result())
        if gone := sorted(set(beds_in(stays)) - set(self.intake.census.stays)):
            what = f"nobody watches who lay in {', '.join(gone)}: not here, or not readable now"
            self.intake.refuse("census", "", Refused("bed", what))
        self.owners = Owners(self.parts.alarms, owners)

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop`; then leave the ward knowing that nobody watches here."""
        log.warning("%s: %s", self.settings.station.name, NOT_A_DEVICE)
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self.act.safe_state(Fault("sense", "gateway", "the gateway stops"))
            self.record.spots(self.intake.spots_document())

    def turn(self) -> Turn | None:
        """One turn of the loop."""
        self._queue.carry_out(self._commands.carry_out)
        outcome = self.pipeline.step(POLL_S)
        if outcome is not None:
            self._note(outcome)
        now = self.parts.clock.monotonic()
        changed = outcome is not None and bool(outcome.decision.changes)
        if changed or now >= self._snapshot_due:
            self._snapshot_due = now + SNAPSHOT_S
            self._look_around(now)
        return outcome

    def moved(self, moves: Sequence[Move], now: float) -> None:
        """Others lie in these beds from this beat on. What was in force goes with a patient."""
        was = self._was_in_force | resume.document(self.pipeline.state, self.patients)
        self._was_in_force = {}
        for move in moves:
            self._moved(move, now, was)

    def _moved(self, move: Move, now: float, was_in_force: Mapping[str, Any]) -> None:
        """Nothing of the last one is left in the bed."""
        row, patient, before = move.row, move.patient, self.patients[move.row]
        self.patients[row] = patient
        self.perceive.admit(row, patient)
        self.act.admit(row, patient)
        if move.what == "admit" and patient and patient.bed in self.parts.orders:
            ordered = replace(patient, scale2=True)
            self.intake.change(lambda now: now.census.describe(ordered), "simulation/clinician")
        same = before is not None and patient is not None
        if same and before.pseudonym == patient.pseudonym:  # type: ignore[union-attr]
            return
        state = rules.admit(self.pipeline.state, row, now)
        if move.what in HERE_BEFORE and patient is not None:
            state = resume.resumed(state, row, was_in_force.get(patient.pseudonym))
        self.pipeline.state = state
        self.histories.clear(row)
        self._watch.cleared(self.beds[row])

    # ------------------------------------------------------------ what a turn consists of

    def _note(self, outcome: Turn) -> None:
        self.decision = outcome.decision
        if isinstance(outcome.percept, Fault):
            self.fault = outcome.percept.says
            self.percept = None  # what was known grows old, and may be of who lay there before
            return
        self.fault = ""
        self.beats += 1
        self.percept = outcome.percept
        self.histories.add(outcome.percept)
        self.behind = self.sense.missed

    def _look_around(self, now: float) -> None:
        self._watch.set_alarms(now, self.parts.link())
        self.parts.alarms.tick()
        if self.intake.spots.changed:
            self.record.spots(self.intake.spots_document())
        self._snapshots.take()

    # ------------------------------------------- asked from other threads (common.service)

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        """Queue a command for the loop's own thread."""
        return self._queue.put(name, arguments, user)

    def later(self, work: Callable[[], None]) -> None:
        """Have the loop's own thread do this before its next turn; from any thread."""
        self._queue.later(work)

    def snapshot(self) -> dict[str, Any]:
        """The last snapshot."""
        return self._snapshots.last

    def metrics(self) -> bytes:
        """Prometheus text of the last snapshot."""
        return self._snapshots.metrics()
