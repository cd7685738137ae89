"""Machines, stations and a network that can rebuild nothing, for the tests beside this."""

import numpy as np
import pytest

from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.vibration import FEATURES
from common.inference.bundle import Artefact, Model, ModelCard, Tensor
from common.ports import TensorSpec
from tests.apps.predictive_maintenance.rotors import Rotors
from tests.apps.predictive_maintenance.station_rig import HEALTHY, Rig

STEPS = 4


class NothingRebuilt:
    """A runtime whose network gives noughts, whatever it is shown; it counts its calls."""

    name, device = "fake", "CPU"
    inputs = (TensorSpec("sequences", (-1, STEPS, FEATURES), "float32"),)
    outputs = (TensorSpec("rebuilt", (-1, STEPS, FEATURES), "float32"),)

    def __init__(self):
        self.batches = []

    def run(self, arrays):
        self.batches.append(len(arrays["sequences"]))
        return {"rebuilt": np.zeros_like(arrays["sequences"])}

    def close(self):
        pass


@pytest.fixture(scope="session")
def rotors():
    return Rotors(3)


@pytest.fixture(scope="session")
def baseline(rotors):
    return rotors.baseline()


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def learned(rig):
    """A station that knows what is normal for m0."""
    rig.feed(HEALTHY)
    rig.learn()
    return rig


@pytest.fixture
def runtime():
    return NothingRebuilt()


@pytest.fixture
def model(runtime):
    shape = (-1, STEPS, FEATURES)
    card = ModelCard(
        "fake", "1", "reconstruction", "none", (), (Tensor("sequences", shape),),
        (Tensor("rebuilt", shape),), (),
    )  # fmt: skip
    artefact = Artefact("fake", "fp32", "fake.onnx", "0")
    return SequenceModel(Model(card, artefact, runtime))
