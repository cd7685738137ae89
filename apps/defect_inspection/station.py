"""The station: the wiring of the five steps in flow order, and what keeps them honest.

Read this file first. `build` joins the steps; `Station.turn` is one turn of the loop:
carry out what people asked for, inspect the next part or, when none came, a known board;
then look at the PLC, the alarms and the time for a snapshot.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from apps.defect_inspection import decide as rules
from apps.defect_inspection.act import Act
from apps.defect_inspection.challenge import ChallengeTest
from apps.defect_inspection.commands import ROLES, Commands
from apps.defect_inspection.config import Settings
from apps.defect_inspection.decide import LineState, Rules
from apps.defect_inspection.domain import Decision, Inspection, Shot
from apps.defect_inspection.golden import Golden, known_board
from apps.defect_inspection.perceive import Perceive
from apps.defect_inspection.record import PartProvenance, Recorder, Turn
from apps.defect_inspection.sense import Sense
from apps.defect_inspection.snapshot import Snapshots
from apps.defect_inspection.status import Status
from apps.defect_inspection.tally import Tally
from apps.defect_inspection.watch import Condition, active_alarms
from common.alarms.diagnostics import Diagnostics
from common.errors import ConfigError, DeviceError, PlcError
from common.inference.selection import Choice
from common.overlap import Overlap
from common.pipeline import Pipeline
from common.ports import Camera, PartGate, PlcView
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
        self.status = Status(parts.gate.name, parts.camera.name, parts.clock.monotonic())
        self.golden = golden
        wait_s = settings.line.challenge_wait_s
        self.challenge = ChallengeTest(act, recorder.challenge, wait_s)
        self._golden_due = self._snapshot_due = 0.0
        self._recipe_id = -1
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

    def turn(self) -> Turn | None:
        """One turn of the loop."""
        self._queue.carry_out(self._commands.carry_out)
        turn = self.pipeline.step(POLL_S)
        now = self.parts.clock.monotonic()
        self.status.note(turn, now)
        if turn is not None and turn.decision.part_id:
            self.tally.add(turn.decision, now)
            self.challenge.note(turn.decision)
        self._prove_sight(idle=turn is None)
        self._look_around()
        if turn is not None and not turn.decision.part_id:
            self.parts.clock.sleep(REST_S)
        return turn

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
            self._fail("plc" if isinstance(error, PlcError) else "inference", error)
            return
        self.status.proved(self.parts.clock.monotonic())

    def _look_around(self) -> None:
        now = self.parts.clock.monotonic()
        plc = self.parts.gate.view()
        if plc and self.tally.confirm(plc.confirmed_id):
            self.pipeline.state = rules.confirm(self.pipeline.state, plc.confirmed_id)
        if plc:
            self.status.note_plc(plc)
        if plc and plc.recipe_id != self._recipe_id:
            self._follow_recipe(plc.recipe_id)
        if now < self._snapshot_due:
            return
        self._snapshot_due = now + SNAPSHOT_S
        self.pipeline.state = self.challenge.follow(self.pipeline.state, now)
        self._tell_plc()
        self._set_alarms(plc)
        self._snapshots.take(plc)

    def _set_alarms(self, plc: PlcView | None) -> None:
        status, host = self.status, self._snapshots.last.get("host", {})
        condition = Condition(
            self.pipeline.state, plc, dict(status.failures), status.bad_pictures, status.late,
            status.unknown_recipe, status.refused_ids, status.stale_triggers,
            self._diagnostics.details(host, self.parts.link()),
        )  # fmt: skip
        for alarm_id, detail in active_alarms(condition).items():
            self.parts.alarms.set(alarm_id, active=bool(detail), detail=detail)
        self.parts.alarms.tick()

    def _follow_recipe(self, recipe_id: int) -> None:
        """The PLC changed the product: acknowledge its recipe, or say we do not have it."""
        known, have = self.settings.recipe(recipe_id), ", ".join(self.settings.recipes)
        asked = f"the PLC runs recipe {recipe_id}; this station has {have}"
        self.status.unknown_recipe = "" if known else asked
        try:
            self.parts.gate.accept_recipe(recipe_id, known is not None)
        except DeviceError as error:
            self._fail("plc", error)
            return
        self._recipe_id = recipe_id

    def _tell_plc(self) -> None:
        """Line stop and challenge requests also reach the PLC when no part comes."""
        if "plc" in self.status.failures:
            return
        try:
            self.act.request(bool(self.pipeline.state.line_stop))
        except DeviceError as error:
            self._fail("plc", error)

    def _fail(self, source: str, error: DeviceError) -> None:
        self.status.failures[source] = str(error)
        self.parts.gate.safe_state(str(error))

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
