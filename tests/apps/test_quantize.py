"""A smaller file is kept only where it still sees enough; otherwise nothing is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps import quantize
from common.errors import BackendMissing, BundleError, ConfigError
from common.inference.bundle import open_bundle
from hardware.catalog import RUNTIMES, installed, open_runtime

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "apps/patient_monitoring/models/deterioration"
needs_openvino = pytest.mark.skipif(
    not installed(RUNTIMES["openvino"]), reason=f"not here: {RUNTIMES['openvino'].install}"
)


@pytest.fixture
def scores(monkeypatch):
    """What each file is said to see, in the order it is asked."""

    def told(*values):
        left = list(values)
        monkeypatch.setattr(quantize, "seen", lambda *_: left.pop(0))

    return told


@needs_openvino
def test_a_file_that_sees_enough_is_kept_with_its_lines_and_runs(scores, tmp_path):
    scores(0.9, 0.885)
    found = quantize.run(BUNDLE, tmp_path, "openvino-fp16", tmp_path / "out")
    assert (found["map50_before"], found["map50_after"]) == (0.9, 0.885)
    assert found["artefact"] == "openvino/fp16"
    assert found["model_toml"].splitlines()[0] == "[[artefacts]]"
    card = open_bundle(BUNDLE).card
    runtime = open_runtime("openvino", tmp_path / "out" / "fp16.xml")
    outputs = runtime.run({"features": np.zeros((1, *card.inputs[0].shape[1:]), np.float32)})
    assert outputs.keys() == {"risk", "contributions"}
    runtime.close()


@needs_openvino
def test_one_that_sees_too_little_is_refused_and_nothing_is_kept(scores, tmp_path):
    scores(0.9, 0.87)
    with pytest.raises(
        BundleError, match=r"mAP 0\.900 before, full 0\.870 after; at most 0\.02"
    ):
        quantize.run(BUNDLE, tmp_path, "openvino-fp16", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def fake_int8(monkeypatch):
    """Making that notes how it was asked."""
    asked = []

    def make(source, out, mixed):
        assert source.is_file()
        asked.append(mixed)
        out.write_bytes(b"mixed" if mixed else b"full")

    monkeypatch.setattr(quantize, "_maker", lambda *_: make)
    return asked


def test_where_full_int8_collapses_mixed_is_tried(scores, tmp_path, monkeypatch):
    asked = fake_int8(monkeypatch)
    scores(0.9, 0.02, 0.895)
    found = quantize.run(BUNDLE, tmp_path, "onnx-qdq", tmp_path / "out")
    assert asked == [False, True]
    assert found["tried"] == {"full": 0.02, "mixed": 0.895}
    assert (tmp_path / "out/int8.onnx").read_bytes() == b"mixed"


def test_where_full_int8_is_enough_nothing_else_is_tried(scores, tmp_path, monkeypatch):
    asked = fake_int8(monkeypatch)
    scores(0.9, 0.9)
    quantize.run(BUNDLE, tmp_path, "onnx-qdq", tmp_path / "out")
    assert asked == [False]


def test_both_attempts_are_told_when_both_see_too_little(scores, tmp_path, monkeypatch):
    fake_int8(monkeypatch)
    scores(0.9, 0.1, 0.2)
    with pytest.raises(BundleError, match=r"full 0\.100, mixed 0\.200 after"):
        quantize.run(BUNDLE, tmp_path, "onnx-qdq", tmp_path / "out")


def test_what_cannot_be_asked_for_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="--to int4: known are openvino-fp16"):
        quantize.run(BUNDLE, tmp_path, "int4", tmp_path)
    with pytest.raises(BundleError, match="no model here"):
        quantize.run(tmp_path, tmp_path, "onnx-qdq", tmp_path)
    for to, setup in (("onnx-qdq", "make setup-train"), ("tflite-int8", "make setup-tflite")):
        kind = quantize.KINDS[to]
        gone = replace(kind, tool=replace(kind.tool, python=tmp_path / "gone"))
        monkeypatch.setitem(quantize.KINDS, to, gone)
        with pytest.raises(BackendMissing, match=setup):
            quantize.run(BUNDLE, tmp_path, to, tmp_path)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo 'x has a free dimension: fix it first' >&2; exit 1", "x has a free dimension"),
        ("exit 1", "no reason given"),
        ("exec sleep 20", "is not made within 0.5 s"),
    ],
)
def test_a_tool_that_fails_or_hangs_is_one_line(tmp_path, monkeypatch, script, text):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(quantize, "SLOWEST_S", 0.5 if "sleep" in script else 60)
    kind = quantize.KINDS["tflite-fp16"]
    broken = replace(kind, tool=replace(kind.tool, python=python))
    monkeypatch.setitem(quantize.KINDS, "tflite-fp16", broken)
    make = quantize._maker(open_bundle(BUNDLE), tmp_path, "tflite-fp16")
    with pytest.raises(BundleError, match=text) as caught:
        make(BUNDLE / "fp32.onnx", tmp_path / "fp16.tflite", False)
    assert "\n" not in str(caught.value)


def test_accuracy_is_for_models_that_detect(tmp_path):
    with pytest.raises(ConfigError, match="for detection, not risk"):
        quantize.run(BUNDLE, tmp_path, "openvino-fp16", tmp_path)
