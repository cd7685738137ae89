"""Fakes of what hardware provides, and the shipped model, for the inspection's tests."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.defect_inspection.config import APP, Settings
from apps.defect_inspection.simulate import golden_board
from apps.defect_inspection.station import Parts, build
from common.alarms.definition import load_definitions
from common.alarms.persist import stored_board
from common.config import load
from common.errors import CameraError, PlcError
from common.inference.bundle import Model, open_bundle
from common.inference.selection import Choice, open_model
from common.ports import PlcView
from common.quality import Quality
from common.store import Store, StoreSettings
from common.telemetry.outbox import Outbox
from hardware.catalog import open_runtime

RUNNING = PlcView(
    mode=1,
    state=6,
    heartbeat_alive=True,
    heartbeat_lost=False,
    confirmed_id=0,
    reject_faults=0,
    consecutive_rejects=0,
    line_speed_mm_s=400,
    recipe_id=1,
)


class FakeGate:
    """common.ports.PartGate that remembers what it was told; `broken` names what fails."""

    name = "fake PLC"
    most_open = 3

    def __init__(self, clock):
        self._clock = clock
        self.triggers = deque()
        self.answers, self.calls, self.requests, self.reasons = [], [], [], []
        self.broken = set()
        self.plc = RUNNING

    def _call(self, name):
        self.calls.append(name)
        if name in self.broken or "everything" in self.broken:
            raise PlcError(self.name, f"{name} got no answer")

    def wait_for_part(self, timeout_s):
        self._call("wait_for_part")
        if self.triggers:
            return self.triggers.popleft()
        self._clock.sleep(timeout_s)
        return None

    def exposed(self):
        self._call("exposed")

    def answer(self, result):
        self._call("answer")
        self.answers.append(result)

    def beat(self):
        self._call("beat")

    def accept_recipe(self, recipe_id, known):
        self._call("accept_recipe")
        self.requests.append(("recipe", recipe_id, known))

    def request(self, line_stop, challenge):
        self._call("request")
        self.requests.append((line_stop, challenge))

    def safe_state(self, reason):
        self.calls.append("safe_state")
        self.reasons.append(reason)

    def view(self):
        return self.plc

    def say(self, **changes):
        """The PLC says something else from now on."""
        self.plc = replace(self.plc, **changes)

    @property
    def beats(self):
        return self.calls.count("beat")

    def close(self):
        """Nothing to leave."""


class FakeCamera:
    """common.ports.Camera that gives `frame`, or fails while `broken`."""

    name = "fake camera"

    def __init__(self):
        self.frame = np.zeros((8, 8), np.uint8)
        self.broken = False
        self.captured = []

    def capture(self, trigger):
        self.captured.append(trigger.part_id)
        if self.broken:
            raise CameraError(self.name, "no picture")
        return self.frame

    def close(self):
        """Nothing to free."""


class FakeRuntime:
    """common.ports.Runtime that sees one defect of each kind in every picture."""

    name, device = "fake", "none"

    def __init__(self, card):
        self.inputs, self.outputs = card.inputs, card.outputs
        self._output = np.zeros(card.outputs[0].shape, np.float32)
        for kind in range(len(card.labels)):
            self._output[0, :4, kind] = 100 + 80 * kind, 320, 24, 24
            self._output[0, 4 + kind, kind] = 0.9

    def run(self, _arrays):
        return {self.outputs[0].name: self._output}

    def close(self):
        """Nothing to free."""


@pytest.fixture
def gate(clock):
    return FakeGate(clock)


@pytest.fixture
def camera():
    return FakeCamera()


@pytest.fixture(scope="session")
def shipped():
    """app.toml as it ships."""
    return load(Settings, APP / "app.toml")


@pytest.fixture(scope="session")
def choice(shipped):
    """The shipped model on the runtime that every install has."""
    bundle = open_bundle(APP / shipped.model.bundle)
    chosen = open_model(bundle, open_runtime, "onnxruntime", "fp32")
    yield chosen
    chosen.model.close()


@pytest.fixture(scope="session")
def shared_data():
    """The data sets that lie beside a developer's checkout; tests skip without them."""
    folder = Path(__file__).parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: data sets are not part of the repository")
    return folder


@pytest.fixture
def store(tmp_path, clock):
    made = Store(tmp_path / "station.sqlite", clock, StoreSettings(group_ms=1.0))
    yield made
    made.close()


@pytest.fixture(scope="session")
def board():
    """A defective board before the camera."""
    return golden_board().frame


@pytest.fixture
def station(shipped, gate, camera, store, clock, board):
    """A whole station on fakes and a real store."""
    camera.frame = board
    card = open_bundle(APP / shipped.model.bundle).card
    model = Model(card, card.artefacts[0], FakeRuntime(card))
    outbox = Outbox(source="urn:test", epoch=store.epoch, boot_id=store.boot_id, clock=clock)
    parts = Parts(
        camera=camera,
        gate=gate,
        model=Choice(model, "a fake"),
        store=store,
        outbox=outbox,
        alarms=stored_board(load_definitions(APP / "alarms.toml"), store),
        clock=clock,
        sinks=("mqtt",),
    )
    return build(shipped, parts)


@pytest.fixture
def see(station):
    """Let the station find this on parts from now on; the known board stays what it is."""
    perceive = station.golden.perceive
    real = perceive.look

    def show(defects):
        known = station.golden._frame
        perceive.look = lambda frame, recipe: (
            real(frame, recipe) if frame is known else lambda: defects
        )
        perceive.guard(1).check = lambda _: (Quality.GOOD, "")

    return show
