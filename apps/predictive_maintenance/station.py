"""The station: the wiring of the five steps in flow order, and what keeps them honest.

Read this file first. `build` joins the steps; `Station.turn` is one turn of the loop: carry
out what people asked for, look at the records that came, then at the alarms and the time for
a snapshot.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from apps.predictive_maintenance.act import Act
from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.commands import ROLES, Commands
from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.decide import Rules
from apps.predictive_maintenance.desk import Desk
from apps.predictive_maintenance.domain import Batch, Decision, Health
from apps.predictive_maintenance.learning import Learning
from apps.predictive_maintenance.look import Look
from apps.predictive_maintenance.memory import stored_memories
from apps.predictive_maintenance.orders import Order, Orders, repaired
from apps.predictive_maintenance.perceive import Perceive
from apps.predictive_maintenance.record import Recorder
from apps.predictive_maintenance.remembered import Memory, State
from apps.predictive_maintenance.sense import Sense
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.shelf import Shelf
from apps.predictive_maintenance.snapshot import Snapshots
from apps.predictive_maintenance.status import Plant, Turn
from apps.predictive_maintenance.upkeep import Upkeep
from common.inference.selection import Choice
from common.pipeline import Fault, Pipeline
from common.ports import StatusLight, VibrationSource
from common.provenance import Provenance
from common.service.command_queue import CommandQueue
from common.station_parts import StationParts
from common.users import User

POLL_S = 0.05  # longest wait for a record before people's commands get their turn
REST_S = 0.1  # after a fault: what is away is not asked without pause


@dataclass(frozen=True)
class Parts(StationParts):
    """What this station is made of beside what all have; apps/open_*.py opens them by name."""

    sources: Sequence[VibrationSource]
    model: Choice | None
    """None: no model runs; signature and rules need none."""
    shelf: Shelf
    light: StatusLight | None = None


def build(settings: Settings, parts: Parts) -> "Station":
    """The station of `settings`, its steps joined in flow order."""
    machines, desk_rules = settings.machines, settings.orders
    criticality = {asset: machine.criticality for asset, machine in machines.items()}
    model = parts.model.model if parts.model else None
    sequence = SequenceModel(model) if model else None
    provenance = Provenance(
        settings.station.name, parts.software, model.describe() if model else "none",
        model.artefact.sha256 if model else "",
    )  # fmt: skip
    remembered, unreadable = parts.store.submit(stored_memories).result()

    sense = Sense(parts.sources, machines, settings.sense, parts.clock)
    look = Look(Perceive(machines, settings.quality, settings.states, sequence))
    decide = Rules(machines, settings.decide)
    desk = Desk(
        Orders(desk_rules, criticality), machines, settings.station.name,
        parts.store, parts.outbox, parts.sinks,
    )  # fmt: skip
    act = Act(desk, parts.light, lambda: pipeline.state)
    record = Recorder(
        parts.store, parts.outbox, parts.sinks, provenance,
        settings.station.health_period_s, look, lambda: pipeline.state,
    )  # fmt: skip
    record.begin(remembered)

    pipeline: Pipeline[Batch, tuple[Health, ...], State, tuple[Decision, ...]] = Pipeline(
        sense=sense,
        perceive=look,
        decide=decide,
        act=act,
        record=record,
        state={asset: remembered[asset] for asset in machines if asset in remembered},
        clock=parts.clock,
    )
    learning = Learning(parts.store, parts.shelf, machines, settings.baseline, sequence)
    steps = Steps(pipeline, sense, look, act, record, learning, (*unreadable, *desk.unreadable))
    return Station(settings, parts, steps)


@dataclass(frozen=True)
class Steps:
    """What `build` has joined."""

    pipeline: Pipeline[Batch, tuple[Health, ...], State, tuple[Decision, ...]]
    sense: Sense
    look: Look
    act: Act
    recorder: Recorder
    learning: Learning
    unreadable: tuple[str, ...] = ()
    """Keys of what was stored and could not be read at the start."""


class Station:
    """Runs the loop in one thread; commands and state come and go through safe queues."""

    roles = ROLES

    def __init__(self, settings: Settings, parts: Parts, steps: Steps) -> None:
        self.settings, self.parts = settings, parts
        self.pipeline, self.sense, self.look = steps.pipeline, steps.sense, steps.look
        self.act, self.learning = steps.act, steps.learning
        self.unreadable = steps.unreadable
        self.plant = Plant(tuple(settings.machines))
        self.rows_since_forget = steps.recorder.rows
        self.failure = ""
        """Why records cannot be looked at; empty while they can."""
        self.recorder = steps.recorder
        self._commands = Commands(self)
        self._queue = CommandQueue()
        self._snapshots = Snapshots(self)
        self._upkeep = Upkeep(self, self._snapshots)
        for baseline in self.learning.current():
            self.look.use(baseline)

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop`; then say on the light that nothing is known."""
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self.act.safe_state(Fault("station", "station", "it stops"))
            self.learning.close()
            self._queue.settle(self.parts.store)
            self.act.desk.flush()
            self.recorder.flush()

    def turn(self) -> Turn | None:
        """One turn of the loop."""
        self._queue.carry_out(self._commands.carry_out)
        turn = self.pipeline.step(POLL_S)
        if turn is not None:
            self._note(turn)
        self._upkeep()
        if turn is not None and isinstance(turn.percept, Fault):
            self.parts.clock.sleep(REST_S)
        return turn

    # ------------------------------------------------------------ what a turn consists of

    def _note(self, turn: Turn) -> None:
        if isinstance(turn.percept, Fault):
            if turn.percept.device not in self.sense.failures:  # these have an alarm of theirs
                self.failure = turn.percept.cause
            return
        self.failure = ""
        for health, decision in zip(turn.percept, turn.decision, strict=True):
            self.plant.note(health, decision)

    # ---------------------------------------------------------------- what commands change

    def use(self, baseline: Baseline) -> None:
        """Compare a machine with another baseline from now on; look at it anew."""
        self.look.use(baseline)
        self.learning.damaged.pop(baseline.asset, None)
        self.remember(baseline.asset, Memory())

    def repaired(self, order: Order) -> Memory:
        """What still holds of a machine once what `order` is about was repaired."""
        return repaired(self.pipeline.state.get(order.asset, Memory()), order)

    def remember(self, asset: str, memory: Memory) -> None:
        """What was found of a machine holds no longer, but for what is in `memory`."""
        self.pipeline.state = {**self.pipeline.state, asset: memory}
        self.recorder.remember(asset, memory)
        self.plant.forget(asset)
        self.look.forget(asset)

    def later(self, work: Callable[[], None]) -> None:
        """Have the loop's own thread do this before its next turn; from any thread."""
        self._queue.later(work)

    # --------------------------------------------------------------------- what is reported

    def faults(self) -> list[str]:
        """What keeps the station from its work, in words."""
        found = [f"{name}: {cause}" for name, cause in self.sense.failures.items()]
        if self.failure:
            found.append(self.failure)
        if not self.parts.store.healthy:
            found.append(f"store: {self.parts.store.last_error}")
        return found

    def simulation(self) -> dict[str, Any] | None:
        """What people must know of a simulated plant; None: it is a real one."""
        settings = self.settings.simulation
        if not settings.enabled:
            return None
        return {
            "speed_up": settings.speed_up,
            "text": f"simulated plant: {settings.speed_up:g} × as fast as real time",
        }

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
