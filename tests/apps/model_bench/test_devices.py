"""The tables of devices say what was measured, what is shipped, and what neither."""

import json

from apps.model_bench import devices
from hardware.doctor import shipped

RISK = next(folder for folder in shipped() if folder.name == "deterioration")
BOARD = next(folder for folder in shipped() if folder.name == "pcb")


def saved(folder, device, label="onnxruntime/fp32"):
    row = {"label": label, "runs": True, "steady_ms": {"p50": 2.5, "p95": 3.0, "p99": 4.0}}
    report = {
        "schema": "lineside.model-bench.v1", "time": "2026-11-21T05:00:00+00:00", "rows": [row],
        "device": {"model": device, "cpu": "a processor", "cores": 2},
        "model": {"name": "pcb", "version": "1.0.0"}, "best": {"label": label, "reason": "so"},
    }  # fmt: skip
    (folder / f"models-{len(list(folder.iterdir()))}.json").write_text(json.dumps(report))


def test_without_a_report_every_device_is_said_not_to_have_run(tmp_path):
    table = devices.measured(tmp_path)
    assert table.count("not yet run on this device") == len(devices.EXPECTED)


def test_a_device_with_a_report_has_its_line_and_is_no_longer_missing(tmp_path):
    saved(tmp_path, "NVIDIA Jetson Orin NX")
    saved(tmp_path, "a box", "openvino:GPU/int8")
    table = devices.measured(tmp_path)
    assert "| NVIDIA Jetson Orin NX, 2 cores | pcb | onnxruntime/fp32 | 2.5 | so |" in table
    assert "| NVIDIA Jetson | |" not in table
    assert "| Intel GPU | |" not in table
    assert table.count("not yet run on this device") == len(devices.EXPECTED) - 2


def test_files_by_device_and_what_makes_the_others():
    table = devices.artefacts([BOARD, RISK]).splitlines()
    assert table[0].startswith("| model | CPU | NVIDIA GPU |")
    board, risk = table[2], table[3]
    assert "tensorrt/fp16" in board
    assert "openvino:NPU/int8" in board
    assert board.count("not built") == 2
    assert risk.count("CPU serves") == 5
    assert "* Coral Edge TPU: " in "\n".join(table)
    assert "`edgetpu_compiler int8.tflite` (pcb)" in "\n".join(table)
    assert table[-1].startswith("* All but the CPU: so small")


def test_no_shipped_model_leaves_a_device_unspoken_of():
    assert "not spoken of" not in devices.artefacts()
