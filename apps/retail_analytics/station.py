"""The station: the wiring of the five steps in flow order, and what keeps them honest.

Read this file first. `build` joins the steps; `Station.turn` is one turn of the loop: carry
out what people asked for, look at the picture that has waited longest, then at the alarms,
the day and the time for a snapshot.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from apps.retail_analytics import kept
from apps.retail_analytics.act import Act
from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.commands import ROLES, Commands
from apps.retail_analytics.config import Settings
from apps.retail_analytics.crowd import Crowd, doors_of, local_time
from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.domain import Decision, Glance, View
from apps.retail_analytics.occupancy import day_start
from apps.retail_analytics.perceive import Detector, Eyes
from apps.retail_analytics.published import Published
from apps.retail_analytics.record import Recorder, Turn
from apps.retail_analytics.scene_setup import Setup, laid_over, read_setup
from apps.retail_analytics.sense import Sense
from apps.retail_analytics.shop_rules import ShopRules, ShopState
from apps.retail_analytics.snapshot import Snapshots
from apps.retail_analytics.status import Status
from apps.retail_analytics.upkeep import Upkeep
from apps.retail_analytics.watcher import Watcher
from common.inference.cooling import FrameRate
from common.inference.selection import Choice
from common.overlap import Overlap
from common.pipeline import Fault, Pipeline
from common.ports import Camera
from common.provenance import Provenance
from common.service.command_queue import CommandQueue
from common.station_parts import StationParts
from common.users import User

POLL_S = 0.05  # longest wait for a picture before people's commands get their turn
REST_S = 0.1  # after a fault: what is broken is not asked without pause


@dataclass(frozen=True)
class Parts(StationParts):
    """What this station is made of beside what all have; apps/open_*.py opens them by name."""

    cameras: Mapping[str, Camera]
    """By their names in the settings."""
    model: Choice
    folder: Path
    """The station's own: the set-up is kept there."""
    guarded: dict[str, Any] = field(default_factory=dict)
    """How this process is kept from writing pictures, for the screen."""
    detector: Detector | None = None
    """In place of the model's own reader: for tests."""


def build(settings: Settings, parts: Parts) -> "Station":
    """The station of `settings`, its steps joined in flow order.

    Raises ConfigError for a set-up file that does not fit.
    """
    setup = read_setup(parts.folder)
    cameras = laid_over(settings.camera, setup, parts.folder)
    settings = replace(settings, camera=cameras)
    model, news = parts.model.model, threading.Event()
    provenance = Provenance(
        settings.station.name, parts.software, model.describe(), model.artefact.sha256
    )
    depth = settings.model.depth
    detector = parts.detector or PersonDetector(model, depth)
    watchers = [
        Watcher(parts.cameras[one.name], one, settings.sense, parts.clock, news)
        for one in cameras
    ]

    sense = Sense(watchers, settings.sense, parts.clock, news)
    perceive = Eyes(cameras, detector, settings.tracking, settings.duty)
    under_way = Overlap(sense, perceive.begin, depth)
    decide = ShopRules(cameras, settings.counting, settings.queue)
    act = Act(parts.clock.wall)
    record = Recorder(
        parts.store, parts.outbox, parts.sinks, provenance, cameras, settings.privacy
    )

    pipeline: Pipeline[Glance, View, ShopState, Decision] = Pipeline(
        sense=under_way.sense,
        perceive=under_way.perceive,
        decide=decide,
        act=act,
        record=record,
        state={},
        clock=parts.clock,
    )
    return Station(
        settings, parts, Steps(pipeline, sense, perceive, decide, act, record), setup
    )


@dataclass(frozen=True)
class Steps:
    """What `build` has joined."""

    pipeline: Pipeline[Glance, View, ShopState, Decision]
    sense: Sense
    eyes: Eyes
    rules: ShopRules
    act: Act
    recorder: Recorder


class Station:
    """Runs the loop in one thread; commands and state come and go through safe queues."""

    roles = ROLES

    def __init__(self, settings: Settings, parts: Parts, steps: Steps, setup: Setup) -> None:
        self.settings, self.parts, self.setup = settings, parts, setup
        self.pipeline, self.sense, self.eyes = steps.pipeline, steps.sense, steps.eyes
        self.act, self.recorder, self._rules = steps.act, steps.recorder, steps.rules
        self.status = Status(settings.queue)
        self.rate = FrameRate(settings.cooling)
        """How many pictures are looked at when the device is hot."""
        wall, rules, privacy = parts.clock.wall(), settings.occupancy, settings.privacy
        day = day_start(local_time(wall), rules).timestamp()
        found = parts.store.submit(kept.read(self.cameras, day, wall)).result()
        doors = doors_of(settings.camera)
        self.crowd = Crowd(rules, privacy.k, doors, wall, found.occupancy)
        self.published = Published(day, found.today)
        self.recorder.version = setup.version
        self.recorder.begin(found.closed_until)
        parts.store.add_upkeep(kept.Erasing(privacy.intervals_days, parts.clock))
        self._commands = Commands(self)
        self._queue = CommandQueue()
        self._snapshots = Snapshots(self)
        self._upkeep = Upkeep(self, self._snapshots)

    @property
    def cameras(self) -> dict[str, CameraSettings]:
        """As they are set up now, by name."""
        return {camera.name: camera for camera in self.settings.camera}

    @property
    def dropped(self) -> int:
        """Pictures given up since the start."""
        waited = sum(watcher.ring.dropped for watcher in self.sense.watchers.values())
        return waited + self.sense.late

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop`; then close what is open, as partial."""
        self.sense.start()
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self.sense.stop()
            self.eyes.close()
            self._queue.settle(self.parts.store)
            self.recorder.finish(self.crowd.document())

    def turn(self) -> Turn | None:
        """One turn of the loop."""
        self._queue.carry_out(self._commands.carry_out)
        turn = self.pipeline.step(POLL_S)
        if turn is not None:
            self.status.note(turn, self.pipeline.state)
            self.crowd.add(turn.decision)
        self._upkeep()
        if turn is not None and isinstance(turn.percept, Fault):
            self.parts.clock.sleep(REST_S)
        return turn

    # ---------------------------------------------------------------- what commands change

    def see_by(self, setup: Setup, camera: CameraSettings) -> None:
        """Another set-up of one camera, from this turn on; in the loop's own thread."""
        self.setup = setup
        cameras = tuple(camera if c.name == camera.name else c for c in self.settings.camera)
        self.settings = replace(self.settings, camera=cameras)
        self.sense.watchers[camera.name].change(camera)
        self.eyes.change(camera)
        self._rules.change(camera)
        states = self.pipeline.state
        self.pipeline.state = {name: s for name, s in states.items() if name != camera.name}
        self.act.forget(camera.name)
        self.recorder.change(camera, setup.version)
        self.status.forget(camera.name)
        self.crowd.renamed(doors_of(cameras))
        self._upkeep.state_anew()

    def later(self, work: Callable[[], None]) -> None:
        """Have the loop's own thread do this before its next turn; from any thread."""
        self._queue.later(work)

    # --------------------------------------------------------------------- what is reported

    def faults(self) -> list[str]:
        """What keeps the station from its work, in words."""
        found, store = self.status.faults(), self.parts.store
        found += [self._commands.fault] if self._commands.fault else []
        return found if store.healthy else [*found, f"store: {store.last_error}"]

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
