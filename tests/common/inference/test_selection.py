"""Which artefact runs: the fastest here, or the one named, or one line that says why not."""

import hashlib
import time

import numpy as np
import pytest

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.inference.bundle import Model, open_bundle
from common.inference.selection import TRIALS, open_model, trial_ms
from common.ports import TensorSpec

CARD = """
name = "tiny"
version = "1"
task = "detection"
licence = "Apache-2.0"
labels = ["a"]
inputs = [{ name = "x", shape = [1] }]
outputs = [{ name = "y", shape = [1] }]
"""
SPEEDS_MS = {"quick": 1.0, "medium": 4.0, "slow": 12.0}
MISSING = "runtime absent is not installed: pip install absent. Available instead: quick"


class Machine:
    """Opens fake runtimes: `quick`, `medium` and `slow` are here, `absent` is not."""

    def __init__(self, **wrong):
        self.opened, self.wrong = {}, wrong

    def __call__(self, name, path):
        if name == "absent":
            raise BackendMissing(MISSING)
        self.opened[path.stem] = runtime = FakeRuntime(name, self.wrong.get(name, ""))
        return runtime

    def still_open(self):
        return [name for name, runtime in self.opened.items() if not runtime.closed]


class FakeRuntime:
    device = "CPU"

    def __init__(self, name, wrong):
        self.name, self.wrong, self.closed, self.seen = name, wrong, 0, []
        self.inputs = (TensorSpec("x", (1,), "float32"),)
        shape = (2,) if wrong == "shape" else (1,)
        self.outputs = (TensorSpec("y", shape, "float32"),)

    def run(self, arrays):
        self.seen.append(arrays)
        if self.wrong == "run":
            raise RuntimeFailure(self.name, "died")
        time.sleep(SPEEDS_MS[self.name] / 1000)
        return {"y": np.zeros(1, np.float32)}

    def close(self):
        self.closed += 1


def a_bundle(folder, *names, altered=""):
    card = CARD
    for name in names:
        runtime, _, precision = name.partition("-")
        data = name.encode()
        (folder / f"{name}.net").write_bytes(b"altered" if name == altered else data)
        card += (
            f'[[artefacts]]\nruntime = "{runtime}"\nprecision = "{precision or "fp32"}"\n'
            f'file = "{name}.net"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        )
    (folder / "model.toml").write_text(card)
    return open_bundle(folder)


def test_the_fastest_wins_says_why_and_the_others_are_closed(tmp_path):
    machine = Machine()
    choice = open_model(a_bundle(tmp_path, "slow", "quick", "medium"), machine)
    assert choice.model.runtime.name == "quick"
    assert choice.reason.startswith("fastest here of quick/fp32 ")
    assert choice.reason.index("quick") < choice.reason.index("medium/fp32 ")
    assert choice.reason.index("medium") < choice.reason.index("slow/fp32 ")
    assert "not here" not in choice.reason
    assert machine.still_open() == ["quick"]


def test_what_is_not_here_is_passed_over_and_said_once(tmp_path):
    bundle = a_bundle(tmp_path, "absent-int8", "absent-fp16", "quick")
    choice = open_model(bundle, Machine())
    assert choice.model.runtime.name == "quick"
    assert choice.reason.endswith(f"; not here: absent/int8, absent/fp16: {MISSING}")


def test_a_named_runtime_is_taken_though_another_is_faster(tmp_path):
    machine = Machine()
    choice = open_model(a_bundle(tmp_path, "slow", "quick"), machine, "slow")
    assert choice.model.runtime.name == "slow"
    assert choice.reason == "the only one asked for"
    assert list(machine.opened) == ["slow"]


def test_a_named_precision_is_taken(tmp_path):
    bundle = a_bundle(tmp_path, "quick-int8", "quick-fp32", "slow-fp32")
    assert open_model(bundle, Machine(), precision="fp32").model.artefact.label == "quick/fp32"
    exact = open_model(bundle, Machine(), "slow", "fp32")
    assert exact.model.artefact.label == "slow/fp32"


@pytest.mark.parametrize("names", [["absent"], ["absent-int8", "absent-fp16"]])
def test_a_named_runtime_that_is_missing_is_one_line_with_the_way_out(tmp_path, names):
    with pytest.raises(BackendMissing) as caught:
        open_model(a_bundle(tmp_path, *names, "quick"), Machine(), "absent")
    text = str(caught.value)
    assert text.count(MISSING) == 1
    assert "\n" not in text


def test_an_artefact_nobody_made_is_one_line_with_those_there_are(tmp_path):
    with pytest.raises(BackendMissing) as caught:
        open_model(a_bundle(tmp_path, "quick-int8", "slow"), Machine(), "tensorrt", "fp16")
    assert str(caught.value) == (
        f"{tmp_path}: no artefact for tensorrt/fp16; it has quick/int8, slow/fp32"
    )


@pytest.mark.parametrize("altered", ["slow", "quick"])
def test_an_altered_file_is_never_passed_over(tmp_path, altered):
    machine = Machine()
    bundle = a_bundle(tmp_path, "medium", "slow", "quick", altered=altered)
    with pytest.raises(BundleError, match=f"{altered}.net: is not the file"):
        open_model(bundle, machine)
    assert machine.still_open() == []


def test_a_network_of_another_shape_is_never_passed_over(tmp_path):
    machine = Machine(medium="shape")
    with pytest.raises(BundleError, match=r"output y is float32 \[2\]"):
        open_model(a_bundle(tmp_path, "quick", "medium"), machine)
    assert machine.still_open() == []


def test_a_runtime_that_opens_but_fails_is_passed_over_closed_and_said(tmp_path):
    machine = Machine(quick="run")
    choice = open_model(a_bundle(tmp_path, "quick", "slow"), machine)
    assert choice.model.runtime.name == "slow"
    assert choice.reason.endswith("; not here: quick/fp32: quick: died")
    assert machine.still_open() == ["slow"]


def test_when_nothing_runs_every_reason_is_said_and_nothing_stays_open(tmp_path):
    machine = Machine(quick="run")
    with pytest.raises(BackendMissing) as caught:
        open_model(a_bundle(tmp_path, "quick", "absent"), machine)
    assert str(caught.value) == (
        f"{tmp_path}: nothing runs here: quick/fp32: quick: died; absent/fp32: {MISSING}"
    )
    assert machine.still_open() == []


def test_a_trial_is_the_median_after_one_to_warm_up(tmp_path):
    bundle = a_bundle(tmp_path, "medium")
    runtime = FakeRuntime("medium", "")
    model = Model(bundle.card, bundle.card.artefacts[0], runtime)
    assert trial_ms(model) >= SPEEDS_MS["medium"]
    assert len(runtime.seen) == 1 + TRIALS
