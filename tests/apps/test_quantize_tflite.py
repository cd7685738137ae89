"""From ONNX to .tflite: the same names, shapes and numbers; the source is left as it was."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from apps import quantize_tflite
from apps.quantize import TFLITE
from common.inference.bundle import sha256
from hardware.catalog import RUNTIMES, installed, open_runtime
from tests.contracts.real_models import MODELS, YOLOX

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "apps/defect_inspection/models/pcb"
NETWORK = MODELS / YOLOX / "yolox_nano.onnx"
SHAPE = (3, 1, 3, 416, 416)
needs_litert = pytest.mark.skipif(
    not installed(RUNTIMES["litert"]), reason=f"not here: {RUNTIMES['litert'].install}"
)
needs_tool = pytest.mark.skipif(
    not (ROOT / TFLITE.python).exists(), reason=f"not here: {TFLITE.setup}"
)
needs_network = pytest.mark.skipif(
    not NETWORK.is_file(), reason="the published models are not here"
)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, SHAPE).astype(np.float32)


def made(folder, source, **job):
    """What the tool makes of `source`, in its own environment."""
    out, asked = folder / "made.tflite", folder / "job.json"
    asked.write_text(json.dumps({"onnx": str(source), "out": str(out), "mixed": True, **job}))
    done = subprocess.run(
        [ROOT / TFLITE.python, "-m", TFLITE.module, asked], cwd=ROOT, capture_output=True,
        text=True, check=False, timeout=300,
    )  # fmt: skip
    return done, out


def answers(runtime, path, picture):
    network = open_runtime(runtime, path, threads=1)
    (given,) = network.inputs
    found = network.run({given.name: picture.astype(given.dtype)})
    network.close()
    return network, found


@needs_litert
@needs_tool
@needs_network
def test_in_float_it_gives_the_same_numbers_under_the_same_names(tmp_path, pictures):
    before = sha256(NETWORK)
    done, out = made(tmp_path, NETWORK, to="tflite-fp16")
    assert done.returncode == 0, done.stderr
    assert sha256(NETWORK) == before  # the converter rewrites what it is given
    source, expected = answers("onnxruntime", NETWORK, pictures[0])
    network, found = answers("litert", out, pictures[0])
    assert network.inputs == source.inputs
    assert network.outputs == source.outputs
    for name, array in expected.items():
        assert np.abs(found[name] - array).max() < 0.2  # float16 weights


@needs_litert
@needs_tool
@needs_network
def test_in_int8_it_is_small_and_keeps_the_contract(tmp_path, pictures):
    (tmp_path / "raw").write_bytes(pictures.tobytes())
    batches = {"batches": str(tmp_path / "raw"), "shape": SHAPE}
    done, out = made(tmp_path, NETWORK, to="tflite-int8", **batches)
    assert done.returncode == 0, done.stderr
    source, _ = answers("onnxruntime", NETWORK, pictures[0])
    network, found = answers("litert", out, pictures[0])
    assert (network.inputs, network.outputs) == (source.inputs, source.outputs)
    assert out.stat().st_size < NETWORK.stat().st_size / 2.5
    assert np.isfinite(found["output"]).all()


@needs_litert
@needs_tool
@needs_network
def test_for_a_coral_it_takes_and_gives_int8_with_channels_last(tmp_path, pictures):
    (tmp_path / "raw").write_bytes(pictures.tobytes())
    job = {"batches": str(tmp_path / "raw"), "shape": SHAPE, "mixed": False}
    coral = {"channels_last": True, "integer_io": True}
    done, out = made(tmp_path, NETWORK, to="tflite-int8", **job, **coral)
    assert done.returncode == 0, done.stderr
    network = open_runtime("litert", out, threads=1)
    assert [(s.shape, s.dtype) for s in network.inputs] == [((1, 416, 416, 3), "int8")]
    assert [(s.shape, s.dtype) for s in network.outputs] == [((1, 3549, 85), "int8")]
    assert network.quantization.keys() == {"images", "output"}
    network.close()


@needs_tool
def test_a_free_dimension_is_one_line(tmp_path):
    risk = ROOT / "apps/patient_monitoring/models/deterioration/fp32.onnx"
    done, _ = made(tmp_path, risk, to="tflite-fp16")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].endswith("has a free dimension: fix it first")


@needs_litert
def test_what_comes_after_the_last_convolution_of_weight_is_found():
    names = quantize_tflite.tail(BOARD / "int8.tflite")
    assert 10 < len(names) < 150
    assert names[0] == "output0"
    assert not any("model.0/" in name for name in names)
