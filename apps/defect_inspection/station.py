"""The station: the wiring of the five steps in flow order, and what keeps them honest.

Read this file first. `build` joins the steps; `Station.turn` is one turn of the loop:
carry out what people asked for, inspect the next part or, when none came, a known board;
then look at the PLC, the alarms and the time for a snapshot.
"""

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from apps.defect_inspection import decide as rules
from apps.defect_inspection.act import Act
from apps.defect_inspection.challenge import ChallengeTest
from apps.defect_inspection.commands import ROLES, Commands
from apps.defect_inspection.config import Settings
from apps.defect_inspection.decide import LineState, Rules
from apps.defect_inspection.domain import Decision, Inspection, Shot, Verdict
from apps.defect_inspection.golden import Golden, known_board
from apps.defect_inspection.perceive import Perceive
from apps.defect_inspection.record import PartProvenance, Recorder
from apps.defect_inspection.sense import Sense
from apps.defect_inspection.snapshot import Snapshots
from apps.defect_inspection.tally import Tally
from apps.defect_inspection.watch import Condition, active_alarms
from common.alarms.diagnostics import Diagnostics
from common.errors import WITHHELD, ConfigError, DeviceError
from common.inference.selection import Choice
from common.overlap import Overlap
from common.pipeline import Fault, Outcome, Pipeline
from common.ports import Camera, PartGate, PlcView
from common.quality import Quality
from common.service.command_queue import CommandQueue
from common.station_parts import StationParts
from common.users import User

POLL_S = 0.05  # longest wait for a part before people's commands get their turn
REST_S = 0.1  # after a fault that cost no part: a dead PLC is not asked without pause
SNAPSHOT_S = 0.5


@dataclass(frozen=True)
class Parts(StationParts):
    """What this station is made of beside what all have; apps/open_*.py opens them by name."""

    camera: Camera
    gate: PartGate
    model: Choice


def build(settings: Settings, parts: Parts) -> "Station":
    """The station of `settings`, its steps joined in flow order."""
    recipes = {int(key): recipe for key, recipe in settings.recipes.items()}
    model = parts.model.model
    provenance = PartProvenance(
        settings.station.name, parts.software, model.describe(), model.artefact.sha256,
        parts.camera.name,
    )  # fmt: skip

    depth = _depth(settings, parts.gate)
    _check_kinds(settings, model.card.labels)
    perceive = Perceive(model, recipes, parts.clock, depth)
    line = Overlap(Sense(parts.gate, parts.camera, parts.clock), perceive.begin, depth)
    decide = Rules(settings.line, recipes)
    act = Act(parts.gate, model.card.labels)
    record = Recorder(parts.store, parts.outbox, parts.sinks, settings, provenance)

    pipeline: Pipeline[Shot, Inspection, LineState, Decision] = Pipeline(
        sense=line.sense,
        perceive=line.perceive,
        decide=decide,
        act=act,
        record=record,
        state=LineState(),
        clock=parts.clock,
    )
    golden = Golden(perceive, *known_board(settings))
    return Station(settings, parts, pipeline, act, record, golden)


def _depth(settings: Settings, gate: PartGate) -> int:
    """Parts under way at once: as the settings say, if the PLC can have so many open."""
    depth = settings.model.depth
    if depth > gate.most_open:
        raise ConfigError(
            f"model.depth = {depth}: {gate.name} waits for a part's answer before the next "
            f"part; allowed: 1 … {gate.most_open}"
        )
    return depth


def _check_kinds(settings: Settings, labels: tuple[str, ...]) -> None:
    """A rule for a kind that the model never says would be a rule for nothing."""
    for name, recipe in settings.recipes.items():
        for kind in recipe.kinds:
            if kind not in labels:
                raise ConfigError(
                    f"recipes.{name}.kinds.{kind}: the model knows no such kind; "
                    f"allowed: {', '.join(labels)}"
                )


class Station:
    """Runs the loop in one thread; commands and state come and go through safe queues."""

    roles = ROLES

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        pipeline: Pipeline[Shot, Inspection, LineState, Decision],
        act: Act,
        recorder: Recorder,
        golden: Golden,
    ) -> None:
        self.settings, self.parts, self.pipeline, self.act = settings, parts, pipeline, act
        self.tally = Tally()
        self.failures: dict[str, str] = {}
        """Device → cause, as long as it lasts."""
        self.bad_pictures = self.late = self.unknown_recipe = ""
        self.refused_ids = self.stale_triggers = ""
        self.beats = self.batch = 0
        self.last_work = parts.clock.monotonic()
        self.golden = golden
        wait_s = settings.line.challenge_wait_s
        self.challenge = ChallengeTest(act, recorder.challenge, wait_s)
        self._golden_due, self._part_failed = 0.0, False
        self._recipe_id, self._refused, self._stale = -1, 0, 0
        self._snapshot_due = 0.0
        self._commands = Commands(self)
        self._queue = CommandQueue()
        self._snapshots = Snapshots(self)
        self._diagnostics = Diagnostics(parts.store)

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop`; then leave the PLC in its safe state."""
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self.parts.gate.safe_state("the station stops")
            self.golden.perceive.close()

    def turn(self) -> Outcome[Shot, Inspection, Decision] | None:
        """One turn of the loop."""
        self._queue.carry_out(self._commands.carry_out)
        outcome = self.pipeline.step(POLL_S)
        if outcome is None:
            self.failures.pop("plc", None)
        else:
            self._note(outcome)
        self._prove_sight(idle=outcome is None)
        self._look_around()
        if outcome is not None and not outcome.decision.part_id:
            self.parts.clock.sleep(REST_S)
        return outcome

    # ------------------------------------------------------------ what a turn consists of

    def _prove_sight(self, idle: bool) -> None:
        """Inspect the known board, best while no part comes; only the right answer beats."""
        now, period = self.parts.clock.monotonic(), self.settings.station.golden_period_s
        patience = 0.0 if idle or self.golden.perceive.blind else period
        if now < self._golden_due + patience:
            return
        self._golden_due = now + period
        try:
            self.golden.check()
            self.parts.gate.beat()
        except DeviceError as error:
            self._fail("plc" if error.device == self.parts.gate.name else "inference", error)
            return
        if not self._part_failed:  # since the last proof: who fails on parts is not well
            self.failures.pop("inference", None)
        self._part_failed = False
        self._worked()

    def _note(self, outcome: Outcome[Shot, Inspection, Decision]) -> None:
        percept, decision = outcome.percept, outcome.decision
        if outcome.sample:
            self.batch = outcome.sample.data.trigger.batch
        withheld = isinstance(percept, Fault) and percept.device == WITHHELD
        if withheld:
            pass  # this part's alone: the PLC has answered
        elif isinstance(percept, Fault):
            source = _alarm_source(percept, self.parts)
            if source != "plc" or percept.stage == "act" or not decision.part_id:
                self.failures[source] = percept.cause  # else: one missed part, no dead PLC
            self._part_failed |= source == "inference"
        else:
            self.failures.pop("plc", None)
            self.failures.pop("camera", None)
            if percept.quality is Quality.GOOD:  # no network was asked of a bad picture
                self.failures.pop("inference", None)
                self._worked()
        if decision.part_id:
            self.refused_ids = self.stale_triggers = ""
            self.tally.add(decision, self.parts.clock.monotonic())
            self.challenge.note(decision)
            reason = decision.reasons[0] if decision.reasons else ""
            self.bad_pictures = reason if decision.verdict is Verdict.BAD_IMAGE else ""
            late = withheld or decision.verdict is Verdict.LATE
            self.late = reason if late else ""

    def _look_around(self) -> None:
        now = self.parts.clock.monotonic()
        plc = self.parts.gate.view()
        if plc and self.tally.confirm(plc.confirmed_id):
            self.pipeline.state = rules.confirm(self.pipeline.state, plc.confirmed_id)
        if plc:
            self.refused_ids = _more(plc.refused, self._refused) or self.refused_ids
            self.stale_triggers = _more(plc.stale, self._stale) or self.stale_triggers
            self._refused, self._stale = plc.refused, plc.stale
        if plc and plc.recipe_id != self._recipe_id:
            self._follow_recipe(plc.recipe_id)
        if now < self._snapshot_due:
            return
        self._snapshot_due = now + SNAPSHOT_S
        self.pipeline.state = self.challenge.follow(self.pipeline.state, now)
        self._tell_plc()
        link = self.parts.link()
        self._set_alarms(plc, link)
        self._snapshots.take(plc)

    def _set_alarms(self, plc: PlcView | None, link: dict[str, Any]) -> None:
        condition = Condition(
            self.pipeline.state,
            plc,
            dict(self.failures),
            self.bad_pictures,
            self.late,
            self.unknown_recipe,
            self.refused_ids,
            self.stale_triggers,
            self._diagnostics.details(self._snapshots.last.get("host", {}), link),
        )
        for alarm_id, detail in active_alarms(condition).items():
            self.parts.alarms.set(alarm_id, active=bool(detail), detail=detail)
        self.parts.alarms.tick()

    def _follow_recipe(self, recipe_id: int) -> None:
        """The PLC changed the product: acknowledge its recipe, or say we do not have it."""
        known, have = self.settings.recipe(recipe_id), ", ".join(self.settings.recipes)
        asked = f"the PLC runs recipe {recipe_id}; this station has {have}"
        self.unknown_recipe = "" if known else asked
        try:
            self.parts.gate.accept_recipe(recipe_id, known is not None)
        except DeviceError as error:
            self._fail("plc", error)
            return
        self._recipe_id = recipe_id

    def _tell_plc(self) -> None:
        """Line stop and challenge requests also reach the PLC when no part comes."""
        if "plc" in self.failures:
            return
        try:
            stop = bool(self.pipeline.state.line_stop)
            self.act.request(stop)
        except DeviceError as error:
            self._fail("plc", error)

    def _fail(self, source: str, error: DeviceError) -> None:
        self.failures[source] = str(error)
        self.parts.gate.safe_state(str(error))

    def _worked(self) -> None:
        self.beats += 1
        self.last_work = self.parts.clock.monotonic()

    # ------------------------------------------- asked from other threads (common.service)

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        """Queue a command for the loop's own thread."""
        return self._queue.put(name, arguments, user)

    def snapshot(self) -> dict[str, Any]:
        """The last snapshot."""
        return self._snapshots.last

    def metrics(self) -> bytes:
        """Prometheus text of the last snapshot."""
        return self._snapshots.metrics()


def _alarm_source(fault: Fault, parts: Parts) -> str:
    if fault.device == parts.gate.name:
        return "plc"
    return "camera" if fault.device == parts.camera.name else "inference"


def _more(now: int, before: int) -> str:
    """What is told of a count of triggers that has risen; empty when it has not."""
    return f"{now} triggers since the start, {now - before} just now" if now > before else ""
