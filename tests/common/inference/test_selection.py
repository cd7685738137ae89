"""Which artefact runs: the fastest here, or the one named, or one line that says why not."""

import hashlib
import json
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.inference.bundle import Model, open_bundle
from common.inference.selection import (
    PAUSE_S,
    STRETCH,
    TRIALS,
    open_model,
    open_model_of,
    trial_ms,
)
from common.ports import TensorSpec
from common.station_settings import ModelSettings
from tests.common.inference.cards import TINY

SPEEDS_MS = {"quick": 1.0, "medium": 4.0, "slow": 12.0}
MISSING = "runtime absent is not installed: pip install absent. Available instead: quick"


class Machine:
    """Opens fake runtimes: `quick`, `medium` and `slow` are here, `absent` is not."""

    def __init__(self, **wrong):
        self.opened, self.wrong, self.most_open = {}, wrong, 0

    def __call__(self, name, path):
        if name.startswith("absent"):
            raise BackendMissing(MISSING)
        if self.wrong.get(name) == "file":
            raise BundleError(f"{path}: was compiled for another chip")
        self.opened[path.stem] = runtime = FakeRuntime(name, self.wrong.get(name, ""))
        self.most_open = max(self.most_open, len(self.still_open()))
        return runtime

    def still_open(self):
        return [name for name, runtime in self.opened.items() if not runtime.closed]


class FakeRuntime:
    device = "CPU"

    def __init__(self, name, wrong):
        self.name, self.wrong, self.closed, self.seen = name, wrong, 0, []
        self.ended = 0.0
        self.inputs = (TensorSpec("x", (1,), "float32"),)
        shape = (2,) if wrong == "shape" else (1,)
        self.outputs = (TensorSpec("y", shape, "float32"),)

    def run(self, arrays):
        self.seen.append(arrays)
        if self.wrong == "run":
            raise RuntimeFailure(self.name, "died")
        if self.wrong == "drowsy" and time.perf_counter() - self.ended > PAUSE_S / 2:
            time.sleep(SPEEDS_MS["slow"] / 1000)
        if self.wrong == "late" and len(self.seen) <= 1 + TRIALS:
            time.sleep(SPEEDS_MS["medium"] / 1000)
        time.sleep(
            SPEEDS_MS[self.name.partition(":")[0]] / (10 if ":" in self.name else 1) / 1000
        )
        self.ended = time.perf_counter()
        return {"y": np.zeros(1, np.float32)}

    def close(self):
        self.closed += 1


def a_bundle(folder, *names, altered=""):
    card = TINY
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


def test_what_is_fast_in_a_loop_and_slow_after_a_pause_does_not_win(tmp_path):
    bundle = a_bundle(tmp_path, "medium", "quick")
    assert open_model(bundle, Machine(quick="drowsy")).model.runtime.name == "medium"


def test_who_was_timed_while_the_machine_was_busy_gets_a_second_chance(tmp_path):
    bundle = a_bundle(tmp_path, "quick", "medium")
    choice = open_model(bundle, Machine(quick="late"))
    assert choice.model.runtime.name == "quick"
    assert choice.reason.index("quick") < choice.reason.index("medium")


def test_a_settings_file_names_its_model_from_where_it_lies(tmp_path):
    (tmp_path / "models").mkdir()
    a_bundle(tmp_path / "models", "slow", "quick")
    beside = ModelSettings(Path("models"), "slow", "fp32")
    choice = open_model_of(beside, tmp_path / "app.toml", Machine())
    assert choice.model.artefact.label == "slow/fp32"
    elsewhere = ModelSettings(tmp_path / "models")
    choice = open_model_of(elsewhere, Path("other", "app.toml"), Machine())
    assert choice.model.artefact.label == "quick/fp32"


def test_what_is_not_here_is_passed_over_and_said_once(tmp_path):
    bundle = a_bundle(tmp_path, "absent-int8", "absent-fp16", "quick")
    choice = open_model(bundle, Machine())
    assert choice.model.runtime.name == "quick"
    assert choice.reason.endswith(
        "; not here: absent/int8, absent/fp16: runtime absent is not installed "
        "(lineside doctor says what each needs)"
    )


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
    assert "; not here: quick/fp32: quick: died (lineside doctor" in choice.reason
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
    (took_ms,) = trial_ms(model)
    assert took_ms >= SPEEDS_MS["medium"]
    assert len(runtime.seen) == 1 + TRIALS


class Several(FakeRuntime):
    """Opened for three under way."""

    under_way = 3

    def start(self, arrays):
        begun = Future()
        if self.wrong == "start":
            begun.set_exception(RuntimeFailure(self.name, "died of company"))
        else:
            begun.set_result(self.run(arrays))
        return begun


def test_what_was_opened_for_several_is_tried_with_several(tmp_path):
    bundle = a_bundle(tmp_path, "medium")
    runtime = Several("medium", "")
    (one,) = trial_ms(Model(bundle.card, bundle.card.artefacts[0], runtime))
    assert len(runtime.seen) == 1 + 3 * STRETCH * TRIALS
    assert one >= SPEEDS_MS["medium"]  # of each: this one does them one by one
    broken = Several("medium", "start")
    with pytest.raises(BackendMissing, match="died of company"):
        open_model(a_bundle(tmp_path, "medium", "absent"), lambda *_: broken)


# ------------------------------------------------------------------ devices


def on_devices(folder, *devices):
    """A bundle with one file that is for further devices of its runtime."""
    bundle = a_bundle(folder, "slow")
    card = folder / "model.toml"
    card.write_text(card.read_text() + f"also = {json.dumps(devices)}\n")
    assert bundle.card.artefacts[0].also == ()
    return open_bundle(folder)


def test_a_file_is_tried_on_each_device_that_it_is_for_and_the_fastest_taken(tmp_path):
    choice = open_model(on_devices(tmp_path, "GPU"), Machine())
    assert choice.model.artefact.label == "slow:GPU/fp32"
    assert "slow/fp32" in choice.reason


def test_the_bare_name_is_the_first_device_and_a_device_can_be_named(tmp_path):
    bundle = on_devices(tmp_path, "GPU", "NPU")
    assert open_model(bundle, Machine(), "slow").model.runtime.name == "slow"
    assert open_model(bundle, Machine(), "slow:NPU").model.runtime.name == "slow:NPU"
    with pytest.raises(BackendMissing, match=r"it has slow/fp32, slow:GPU/fp32, slow:NPU/fp32"):
        open_model(bundle, Machine(), "slow:TPU")


def test_a_file_that_a_device_refuses_is_passed_over_with_its_reason(tmp_path):
    """Its bytes are the card's: so it is the device that it does not fit."""
    machine = Machine(quick="file")
    choice = open_model(a_bundle(tmp_path, "quick", "slow"), machine)
    assert choice.model.runtime.name == "slow"
    assert "quick.net: was compiled for another chip (lineside doctor" in choice.reason
    with pytest.raises(BundleError, match="compiled for another chip"):
        open_model(open_bundle(tmp_path), machine, "quick")


def test_two_models_at_most_are_open_while_it_chooses(tmp_path):
    machine = Machine()
    open_model(a_bundle(tmp_path, "slow", "quick", "medium", "slow-int8"), machine)
    assert machine.most_open == 2


def test_what_snapshots_say_of_it(tmp_path):
    choice = open_model(a_bundle(tmp_path, "quick"), Machine())
    found = choice.document()
    assert (found["name"], found["artefact"], found["device"]) == ("tiny", "quick/fp32", "CPU")
    assert found["process"] is None
    choice.model.runtime.state = lambda: {"restarts": 2, "last_fault": "died of SIGSEGV"}
    assert choice.document()["process"]["restarts"] == 2
