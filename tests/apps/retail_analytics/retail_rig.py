"""A retail station on fakes and a real store: cameras that show what they are given."""

from collections import deque
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np

from apps.retail_analytics import ledger, station, watch
from apps.retail_analytics.camera import (
    CameraSettings,
    LineSettings,
    MaskSettings,
    ZoneSettings,
)
from apps.retail_analytics.config import OccupancyRules, Privacy, QueueRules, Settings
from common.alarms.persist import stored_board
from common.clock import HeldClock
from common.errors import CameraError, RuntimeFailure
from common.inference.bundle import Artefact, Model, ModelCard
from common.inference.images import Detections
from common.inference.selection import Choice
from common.storage.queries import latest, open_readonly
from common.store import Store, StoreSettings
from common.telemetry.outbox import Outbox
from common.users import User

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
ANNA, ERIC, VERA = User("anna", "operator"), User("eric", "engineer"), User("vera", "viewer")
FPS = 10.0
DOOR = CameraSettings(
    "door",
    line=(LineSettings("door", ((600.0, 240.0), (40.0, 240.0)), door=True),),
    mask=(MaskSettings("street", ((0.0, 0.0), (640.0, 0.0), (640.0, 40.0), (0.0, 40.0))),),
)
"""In is downwards in the picture is "out" here: from the lower half to the upper is "in"."""
TILLS = CameraSettings(
    "tills",
    zone=(
        ZoneSettings("queue", ((0.0, 200.0), (400.0, 200.0), (400.0, 470.0), (0.0, 470.0)),
                     queue=True, till="till"),
        ZoneSettings("till", ((400.0, 200.0), (630.0, 200.0), (630.0, 470.0), (400.0, 470.0))),
    ),
)  # fmt: skip
_BACKGROUND = np.random.default_rng(1).integers(40, 200, (480, 640, 3), dtype=np.uint8)


def picture(number=0):
    """A picture with structure that is never the same twice, as a camera's."""
    frame = _BACKGROUND.copy()
    frame[number % 480, :, :] = number % 251
    frame[(number * 7) % 480, ::3, 1] += 3
    return frame


class FakeCamera:
    """common.ports.Camera that shows what was put in, or fails."""

    def __init__(self, name):
        self.name = f"fake {name}"
        self.frames = deque()
        self.away = ""

    def capture(self, trigger):
        if self.away:
            raise CameraError(self.name, f"no picture of part {trigger.part_id}: {self.away}")
        return self.frames.popleft()

    def close(self):
        """Nothing stays open."""


@dataclass
class FakeDetector:
    """Finds the boxes it was told, or fails."""

    boxes: list = field(default_factory=list)
    broken: str = ""

    def detect(self, picture, threshold):
        del picture, threshold
        if self.broken:
            raise RuntimeFailure("fake runtime", self.broken)
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        count = len(boxes)
        return Detections(boxes, np.full(count, 0.9, np.float32), np.zeros(count, np.int64))

    def begin(self, picture, threshold):
        return lambda: self.detect(picture, threshold)

    def close(self):
        """Nothing is under way."""


def fake_choice():
    """A model that nobody asks, as the command line would have opened it."""
    card = ModelCard("fake", "1", "detection", "none", (), (), (), ())
    artefact = Artefact("fake", "fp32", "fake.onnx", "0" * 64)
    runtime = SimpleNamespace(
        name="fake", device="CPU", inputs=(), outputs=(), state=lambda: {"alive": True}
    )
    return Choice(Model(card, artefact, runtime), "the only one")


def settings_for(*cameras, **changes):
    base = Settings(
        camera=cameras or (DOOR, TILLS),
        privacy=Privacy(interval_min=1, k=3, merge_up_to_min=0),
        queue=QueueRules(call_length=2, call_s=3.0, clear_length=0, clear_s=3.0, join_s=1.0),
        occupancy=OccupancyRules(limit=4),
    )
    return replace(base, **changes)


def standing(x, y):
    """A box of somebody 120 px high whose foot is at (x, y)."""
    return [x - 20.0, y - 120.0, x + 20.0, float(y)]


class Rig:
    """A station, its shop and its clock."""

    def __init__(self, folder, settings=None, wall=NOON, sinks=("mqtt",), host=None):
        self.folder, self.clock, self.sinks = folder, HeldClock(wall), sinks
        self.settings = settings or settings_for()
        self.host = host or {}
        self.start()

    def start(self):
        clock = self.clock
        self.store = Store(self.folder / "station.sqlite", clock, StoreSettings(group_ms=1.0))
        self.cameras = {c.name: FakeCamera(c.name) for c in self.settings.camera}
        self.detector = FakeDetector()
        outbox = Outbox(
            source="urn:test", epoch=self.store.epoch, boot_id=self.store.boot_id, clock=clock
        )
        definitions = watch.definitions(self.cameras)
        self.board = stored_board(definitions, self.store, outbox, self.sinks)
        parts = station.Parts(
            cameras=self.cameras, model=fake_choice(), store=self.store, outbox=outbox,
            alarms=self.board, clock=clock, folder=self.folder, sinks=self.sinks,
            software="lineside test", detector=self.detector, host=lambda: self.host,
        )  # fmt: skip
        self.station = station.build(self.settings, parts)
        self.number = 0

    def stop(self):
        """As an orderly end."""
        self.station.sense.stop()
        self.station.recorder.finish(self.station.crowd.document())
        self.store.close()

    def kill(self):
        """As a power failure: what is open in memory is gone."""
        self.store.close()

    # ---------------------------------------------------------------------------- pictures

    def see(self, camera, boxes=(), frame=None, seconds=1 / FPS):
        """One picture of a camera, looked at; then time passes."""
        self.number += 1
        shown = picture(self.number) if frame is None else frame
        self.detector.boxes = list(boxes)
        self.cameras[camera].frames.append(shown)
        self.station.sense.watchers[camera].step()
        turn = self.station.turn()
        self.clock.sleep(seconds)
        return turn

    def watch(self, camera, seconds, boxes=(), fps=FPS, frame=None):
        """So long the same people stand before a camera."""
        for _ in range(round(seconds * fps)):
            self.see(camera, boxes, frame, 1 / fps)

    def walk(self, camera, start, end, seconds=2.0):
        """Somebody walks; then nobody is there until the tracker has forgotten."""
        steps = round(seconds * FPS)
        for step in range(steps + 1):
            share = step / steps
            x = start[0] + share * (end[0] - start[0])
            y = start[1] + share * (end[1] - start[1])
            self.see(camera, [standing(x, y)])
        self.watch(camera, 2.0)

    def enter(self, people=1, camera="door"):
        """So many come in, one behind the other."""
        for _ in range(people):
            self.walk(camera, (300, 360), (300, 160))

    def leave(self, people=1, camera="door"):
        for _ in range(people):
            self.walk(camera, (300, 160), (300, 360))

    def idle(self, turns=1, seconds=0.6):
        """Turns in which no picture comes."""
        for _ in range(turns):
            self.station._upkeep._due = float("-inf")
            self.station.turn()
            self.clock.sleep(seconds)

    def to_border(self, camera="door"):
        """Watch an empty shop until the interval has closed."""
        width = 60.0 * self.settings.privacy.interval_min
        left = width - self.clock.wall() % width
        self.watch(camera, left + 0.3)
        self.settle()

    # ----------------------------------------------------------------------------- reading

    def settle(self):
        self.store.submit(lambda _: None).result()

    def intervals(self, camera="door"):
        self.settle()
        with closing(open_readonly(self.store.path)) as connection:
            return ledger.read(connection, camera, 0, 4_000_000_000)

    def records(self, kind):
        self.settle()
        with closing(open_readonly(self.store.path)) as connection:
            return latest(connection, kind, limit=1000)

    def query(self, sql):
        self.settle()
        with closing(open_readonly(self.store.path)) as connection:
            return connection.execute(sql).fetchall()

    def snapshot(self):
        self.clock.sleep(1.0)
        self.station.turn()
        return self.station.snapshot()

    def camera(self, name="door"):
        (found,) = [one for one in self.snapshot()["cameras"] if one["name"] == name]
        return found

    def alarm(self, alarm_id):
        return self.board.alarm(alarm_id).state.name.name

    def command(self, name, user=ERIC, **arguments):
        future = self.station.command(name, arguments, user)
        for _ in range(200):
            self.station.turn()
            with suppress(FutureTimeout):
                return future.result(0.02)
        raise AssertionError(f"{name} never ended")
