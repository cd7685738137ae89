"""A device that cannot be here is told from its files alone, before a process is started."""

import os
import subprocess

import pytest

from common.errors import BackendMissing
from hardware.catalog import RUNTIMES, open_runtime
from hardware.runtimes import presence
from hardware.runtimes.presence import DEVICES, LOOKS, why_absent

NODES = {
    ("openvino", "GPU"): "dev/dri/renderD128",
    ("openvino", "NPU"): "dev/accel/accel0",
    ("onnxruntime", "CUDA"): "dev/nvidia0",
    ("onnxruntime", "TensorRT"): "dev/nvhost-gpu",
    ("tensorrt", "GPU"): "dev/dxg",
    ("litert", "EdgeTPU"): "dev/apex_0",
    ("hailo", "Hailo-8"): "dev/hailo0",
}
NEXT_STEP = {
    ("openvino", "GPU"): "apt install intel-opencl-icd",
    ("openvino", "NPU"): "intel-level-zero-npu",
    ("onnxruntime", "CUDA"): "install the NVIDIA driver",
    ("onnxruntime", "TensorRT"): "install the NVIDIA driver",
    ("tensorrt", "GPU"): "--runtime nvidia",
    ("litert", "EdgeTPU"): "check power and cable",
    ("hailo", "Hailo-8"): "apt install hailo-all",
}


def test_every_device_that_needs_a_process_of_its_own_is_looked_for():
    apart = {(name, device) for name, b in RUNTIMES.items() for device in b.own_process}
    assert apart == LOOKS.keys()


@pytest.mark.parametrize("which", LOOKS, ids=":".join)
def test_without_its_files_it_says_what_is_missing_and_the_next_step(tmp_path, which):
    said = why_absent(*which, tmp_path)
    assert NEXT_STEP[which] in said
    assert "\n" not in said


@pytest.mark.parametrize("which", LOOKS, ids=":".join)
def test_with_its_files_it_may_be_tried(tmp_path, which):
    node = tmp_path / NODES[which]
    node.parent.mkdir(parents=True)
    node.touch()
    assert why_absent(*which, tmp_path) == ""


def test_a_coral_on_the_usb_bus_may_be_tried(tmp_path):
    stick = tmp_path / "sys/bus/usb/devices/1-1"
    stick.mkdir(parents=True)
    (stick / "idVendor").write_text("1a6e\n")
    (stick / "idProduct").write_text("089a\n")
    assert why_absent("litert", "EdgeTPU", tmp_path) == ""


def test_a_device_that_is_not_ours_names_the_group(tmp_path, monkeypatch):
    node = tmp_path / "dev/dri/renderD128"
    node.parent.mkdir(parents=True)
    node.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "no permission for /dev/dri/renderD*: sudo usermod -aG render" in why_absent(
        "openvino", "GPU", tmp_path
    )


def test_the_processor_is_always_here(tmp_path):
    assert why_absent("onnxruntime", "CPU", tmp_path) == ""


def test_an_absent_device_is_refused_without_a_process(tmp_path, monkeypatch):
    monkeypatch.setitem(
        presence.LOOKS, ("openvino", "NPU"), lambda _: "OpenVINO has no device NPU here: none"
    )
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process started"))
    with pytest.raises(BackendMissing, match="no device NPU here: none"):
        open_runtime("openvino:NPU", tmp_path / "net.xml")


def test_every_runtime_and_device_of_the_catalogue_has_a_kind_that_cards_speak_of():
    named = {name for names in DEVICES.values() for name in names}
    for name, backend in RUNTIMES.items():
        for device in backend.devices:
            first = device == backend.devices[0]
            known = {f"{name}:{device}"} | ({name} if first else set())
            assert named & known or (name, device) == ("onnxruntime", "OpenVINO")
