"""Which file is fastest here: every candidate a row, one that cannot run says why."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from apps import model_bench
from apps.model_bench import bench, candidates, merge, overhead
from apps.model_bench.accuracy import labelled
from common.errors import BundleError, ConfigError
from common.inference.bundle import open_bundle

ROOT = Path(__file__).parents[3]
BUNDLE = ROOT / "apps/patient_monitoring/models/deterioration"
PCB = ROOT / "apps/defect_inspection/models/pcb"
FILE = BUNDLE / "fp32.onnx"


@pytest.fixture(scope="module")
def report():
    return model_bench.run(BUNDLE, quick=True)


def by_label(report):
    return {row["label"]: row for row in report["rows"]}


def test_a_bundle_is_measured_on_each_device_that_could_read_it(report):
    rows = by_label(report)
    here = rows["onnxruntime/fp32"]
    assert here["runs"]
    assert here["device"] == "CPU"
    assert here["calls"] >= overhead.LEAST_CALLS
    assert here["steady_ms"].keys() == {"p50", "p95", "p99"}
    assert min(here[k] for k in ("load_ms", "first_ms", "throughput_per_s", "rss_mb")) > 0
    assert here["overhead_ms"].keys() == {"wrapper", "own_process"}
    absent = rows["onnxruntime:CUDA/fp32"]
    assert absent["runs"] or "no NVIDIA GPU here" in absent["why_not"]
    assert report["best"]["label"] in rows
    assert report["schema"] == bench.SCHEMA
    assert 0 < report["hand_over_ms"]["p50"] < 1000
    assert report["model"] == {"name": "deterioration", "version": "1.0.0", "task": "risk"}


def test_the_report_is_json_and_says_where_it_was_made(report):
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again == report
    assert report["device"]["cores"] >= 1
    assert report["device"]["cpu"]


def test_people_get_a_table_and_a_plot(report):
    text = model_bench.as_text(report)
    assert text.splitlines()[0].startswith("artefact")
    assert text.splitlines()[-1].startswith("best here: ")
    assert text.splitlines()[-2].startswith("our own code: wrapper at most ")
    assert all(label in text for label in by_label(report))
    picture = ElementTree.fromstring(model_bench.as_svg(report))  # noqa: S314 - our own
    words = [node.text for node in picture.iter() if node.text]
    assert "onnxruntime/fp32" in words


def test_a_file_alone_goes_to_every_runtime_that_reads_it():
    names = [c.runtime for c in candidates.candidates(FILE)]
    assert {"onnxruntime", "openvino", "openvino:GPU", "tensorrt"} <= set(names)
    only = candidates.candidates(FILE, ["openvino"])
    assert {c.runtime.partition(":")[0] for c in only} == {"openvino"}
    assert [c.runtime for c in candidates.candidates(FILE, ["openvino:NPU"])] == [
        "openvino:NPU"
    ]


def test_a_bundle_offers_its_own_artefacts_only():
    labels = {c.label for c in candidates.candidates(PCB, ["openvino", "onnxruntime"])}
    assert {"openvino/int8", "openvino/fp16", "onnxruntime/fp32"} <= labels
    assert "openvino/fp32" not in labels


@pytest.mark.parametrize(
    ("name", "precision"),
    [("yolox_416.onnx", "fp32"), ("net_float16.tflite", "fp16"), ("int8.xml", "int8"),
     ("pose_quant.tflite", "int8"), ("net_qdq.onnx", "int8")],
)  # fmt: skip
def test_a_files_precision_is_read_from_its_name(tmp_path, name, precision):
    (tmp_path / name).touch()
    assert candidates.candidates(tmp_path / name)[0].precision == precision


@pytest.mark.parametrize(
    ("name", "runtimes", "error", "text"),
    [
        ("gone.onnx", (), ConfigError, "no such model"),
        ("net.pt", (), ConfigError, "known are .onnx"),
        ("net.onnx", ("abacus",), ConfigError, "no runtime named abacus"),
        ("net.onnx", ("hailo",), ConfigError, "nothing to try on hailo"),
        ("folder", (), BundleError, "no model here"),
    ],
)
def test_what_cannot_be_tried_is_one_line(tmp_path, name, runtimes, error, text):
    if name == "folder":
        (tmp_path / name).mkdir()
    elif name != "gone.onnx":
        (tmp_path / name).touch()
    with pytest.raises(error, match=text):
        model_bench.run(tmp_path / name, runtimes, quick=True)


def test_one_that_crashes_or_hangs_is_a_row(tmp_path, monkeypatch):
    (tmp_path / "net.onnx").touch()
    (found,) = candidates.candidates(tmp_path / "net.onnx", ["tensorrt"])
    python = tmp_path / "python"
    monkeypatch.setattr(bench.sys, "executable", str(python))
    for script, why in (
        ("kill -SEGV $$", "its process died of SIGSEGV"),
        ("echo 'ImportError: libx' >&2; exit 1", "ImportError: libx"),
        ("exec sleep 20", "gave no figures within 0.5 s"),
    ):
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        monkeypatch.setattr(bench, "BUILDING_S", 0.5)
        assert bench._row(found, 0.1, None)["why_not"] == why


# ------------------------------------------------------------------ the best


def row(label, p50, seen=None, runs=True):
    steady = {"p50": p50, "p95": p50 * 2, "p99": p50 * 3}
    accuracy = None if seen is None else {"map50": seen}
    return {"label": label, "runs": runs, "steady_ms": steady, "accuracy": accuracy}


def test_the_fastest_is_best_and_says_that_accuracy_is_not_known():
    found = bench.best(
        [row("a/fp32", 20.0), row("b/int8", 10.0), row("c/fp32", 1.0, runs=False)]
    )
    assert found["label"] == "b/int8"
    assert "2.0 × as fast as a/fp32" in found["reason"]
    assert "accuracy was not measured" in found["reason"]


def test_one_that_sees_too_little_is_not_best_however_fast():
    found = bench.best(
        [row("a/fp32", 20.0, 0.9), row("b/int8", 10.0, 0.89), row("c/int8", 5.0, 0.1)]
    )
    assert found["label"] == "b/int8"
    assert found["reason"].endswith("mAP 0.890; sees too little: c/int8")


def test_where_nothing_runs_nothing_is_best():
    assert bench.best([row("a/fp32", 1.0, runs=False)]) is None


# ------------------------------------------------------------------ several devices


def saved(folder, name, report, **changes):
    path = folder / name
    path.write_text(json.dumps(report | changes))
    return path


def test_reports_are_merged_newest_of_each_device(report, tmp_path):
    jetson = {**report["device"], "model": "NVIDIA Jetson Orin NX"}
    paths = [
        saved(tmp_path, "old.json", report, time="2026-01-01T00:00:00+00:00"),
        saved(tmp_path, "new.json", report, time="2026-02-01T00:00:00+00:00"),
        saved(tmp_path, "jetson.json", report, device=jetson),
    ]
    found = merge.merged(paths)
    assert len(found) == 2
    assert {r["time"][:7] for r in found} == {"2026-02", report["time"][:7]}
    table = model_bench.as_markdown(found, ("Coral Edge TPU",))
    assert "| NVIDIA Jetson Orin NX, " in table
    assert "| Coral Edge TPU | | not yet run on this device | | |" in table


@pytest.mark.parametrize(
    ("content", "text"),
    [("{", "cannot be read as JSON"), ("[]", "is no report"),
     ('{"schema": "x"}', "is no report"),
     ('{"schema": "lineside.model-bench.v1"}', "lacks time, device, model, rows, best")],
)  # fmt: skip
def test_what_is_no_report_is_refused(tmp_path, content, text):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=text):
        merge.merged([path])


def test_accuracy_of_a_network_that_wants_other_pictures_is_refused_in_one_line():
    card = open_bundle(PCB).card
    other = replace(card, inputs=(replace(card.inputs[0], layout="NCHW, BGR, 0-255"),))
    with pytest.raises(ConfigError, match="this one takes NCHW, BGR, 0-255; lineside evaluate"):
        labelled(other, ROOT)
