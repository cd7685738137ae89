"""The doctor's parts on made-up devices: what it says of each, and the step it gives."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from common.inference import card_text
from hardware import doctor
from hardware.doctor import artefacts, devices, host, programs, runtimes
from hardware.runtimes import edgetpu

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "apps/patient_monitoring/models/deterioration"


def by_name(findings):
    return {finding.name: finding for finding in findings}


def write(root, path, text=""):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


# ------------------------------------------------------------------ devices


def test_a_bare_machine_has_none_and_says_how_each_is_had(tmp_path):
    found = by_name(devices.findings(tmp_path))
    assert not any(
        f.ok for name, f in found.items() if name not in ("NVIDIA GPU", "Coral Edge TPU")
    )
    assert all(f.remedy and not f.needed for f in found.values() if not f.ok)


def test_devices_with_their_files_are_here(tmp_path):
    for node in (
        "dev/video0",
        "dev/dri/renderD128",
        "dev/accel/accel0",
        "dev/hailo0",
        "dev/ttyUSB0",
    ):
        write(tmp_path, node)
    write(tmp_path, "sys/module/hailo_pci/version", "4.23.0\n")
    found = by_name(devices.findings(tmp_path))
    for name in ("USB cameras", "Intel GPU", "Intel NPU", "Hailo", "serial ports"):
        assert found[name].ok, found[name]
    assert "driver 4.23.0" in found["Hailo"].found


@pytest.mark.parametrize(
    ("node", "name", "group"),
    [
        ("dev/video0", "USB cameras", "video"),
        ("dev/dri/renderD128", "Intel GPU", "render"),
        ("dev/hailo0", "Hailo", "hailo"),
        ("dev/ttyACM0", "serial ports", "dialout"),
    ],
)
def test_a_device_that_is_not_ours_names_the_group(tmp_path, monkeypatch, node, name, group):
    write(tmp_path, node)
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = by_name(devices.findings(tmp_path))[name]
    assert "no permission" in found.found
    assert found.remedy.startswith(f"sudo usermod -aG {group} ")


def test_a_coral_is_told_with_its_reason(tmp_path, monkeypatch):
    write(tmp_path, "sys/bus/usb/devices/1-1/idVendor", "18d1\n")
    write(tmp_path, "sys/bus/usb/devices/1-1/idProduct", "9302\n")

    def absent():
        raise OSError("libedgetpu.so.1: cannot open")

    monkeypatch.setattr(edgetpu, "library", absent)
    found = by_name(devices.findings(tmp_path))["Coral Edge TPU"]
    assert found.found == "18d1:9302; libedgetpu is not installed"
    assert "not the PyPI package pycoral" in found.remedy
    monkeypatch.setattr(edgetpu, "library", lambda: None)
    monkeypatch.setattr(edgetpu, "devices", lambda _: [])
    assert "plugdev" in by_name(devices.findings(tmp_path))["Coral Edge TPU"].remedy
    monkeypatch.setattr(edgetpu, "devices", lambda _: ["usb 1-1"])
    assert by_name(devices.findings(tmp_path))["Coral Edge TPU"].ok


# ------------------------------------------------------------------ the device itself


def test_throttling_and_heat_are_told(tmp_path):
    write(tmp_path, "sys/class/thermal/cooling_device0/type", "gpu-throttle-alert")
    write(tmp_path, "sys/class/thermal/cooling_device0/cur_state", "1")
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "71000")
    found = by_name(host.findings(tmp_path, tmp_path))
    assert found["throttling"].found == "now: gpu-throttle-alert"
    assert not found["throttling"].ok
    assert found["temperature"].found == "71 °C"


@pytest.mark.parametrize(("available", "ok"), [(400, False), (4000, True)])
def test_too_little_memory_is_a_fault(tmp_path, available, ok):
    write(
        tmp_path, "proc/meminfo", f"MemTotal: 8000000 kB\nMemAvailable: {available * 1024} kB\n"
    )
    found = by_name(host.findings(tmp_path, tmp_path))["memory"]
    assert (found.ok, found.needed, bool(found.remedy)) == (ok, True, not ok)


def test_what_cannot_be_read_is_no_fault(tmp_path):
    found = by_name(host.findings(tmp_path, tmp_path / "gone"))
    assert all(f.ok for f in found.values())
    assert "cannot be" in found["throttling"].found


# ------------------------------------------------------------------ programs and runtimes


def test_a_broker_that_listens_and_one_that_does_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert programs.broker("127.0.0.1", port).ok
    gone = programs.broker("127.0.0.1", port)
    assert not gone.ok
    assert gone.remedy.startswith("systemctl start mosquitto")


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("print('CPU, GPU')", (True, "CPU, GPU")),
        ("raise OSError('no driver')", (False, "OSError: no driver")),
        ("raise SystemExit(3)", (False, "fails without a word")),
        (
            "import os; os.kill(os.getpid(), 11)",
            (False, "crashes with SIGSEGV: its driver is wrong"),
        ),
    ],
)
def test_a_library_is_asked_where_it_can_crash(code, answer):
    assert runtimes.devices_seen(code) == answer


def test_a_library_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(runtimes, "ASKED_S", 0.5)
    assert runtimes.devices_seen("import time; time.sleep(30)")[0] is False


def test_the_impostor_is_told(monkeypatch):
    monkeypatch.setattr(edgetpu, "impostor", lambda: "the installed pycoral 0.2.0 is another")
    assert by_name(runtimes.findings())["pycoral"].remedy == "pip uninstall pycoral"


# ------------------------------------------------------------------ models


def copied(tmp_path):
    folder = tmp_path / "apps/ward/models/risk"
    shutil.copytree(SMALL, folder)
    return folder


def test_a_model_is_run_and_the_fastest_named(tmp_path):
    whole, artefact, other = artefacts.findings([copied(tmp_path)])
    assert whole.name == "model/ward/risk"
    assert whole.ok
    assert "1 of 1 artefacts run here; fastest onnxruntime/fp32" in whole.found
    assert artefact.found.endswith("ms on CPU")
    assert other.ok
    assert "the CPU serves: so small" in other.found


def test_devices_without_a_file_come_with_the_command_that_makes_it(tmp_path):
    folder = copied(tmp_path)
    card = folder / "model.toml"
    before = card.read_text().partition("[[not_built]]")[0]
    card.write_text(f"{before}\n{card_text.of_pictures()}")
    coral, hailo = [*artefacts.findings([folder])][-2:]
    assert (coral.name, coral.ok, coral.needed) == (
        "model/ward/risk Coral Edge TPU", False, False,
    )  # fmt: skip
    assert coral.remedy.endswith("edgetpu_compiler int8.tflite")
    assert "Dataflow Compiler" in hailo.found


def test_each_device_of_an_artefact_is_tried_under_its_name(tmp_path):
    folder = copied(tmp_path)
    card = folder / "model.toml"
    card.write_text(card.read_text().replace("sha256 =", 'also = ["CUDA"]\nsha256 ='))
    whole, here, cuda, _ = artefacts.findings([folder])
    assert (here.ok, cuda.ok) == (True, False)
    assert cuda.name.endswith("onnxruntime:CUDA")  # whatever the precision
    assert "1 of 2 artefacts run here" in whole.found


def test_one_for_a_device_that_is_not_here_says_why(tmp_path):
    folder = copied(tmp_path)
    card = folder / "model.toml"
    card.write_text(card.read_text().replace('"onnxruntime"', '"onnxruntime:CUDA"'))
    whole, artefact, _ = artefacts.findings([folder])
    assert (whole.ok, whole.needed) == (False, True)
    assert "no NVIDIA GPU here" in artefact.found
    assert (artefact.needed, bool(artefact.remedy)) == (False, True)


@pytest.mark.parametrize("damage", ["half", "gone", "card"])
def test_a_damaged_model_is_a_fault_with_a_remedy(tmp_path, damage):
    folder = copied(tmp_path)
    file = folder / "fp32.onnx"
    if damage == "half":
        file.write_bytes(file.read_bytes()[:3000])
    elif damage == "gone":
        file.unlink()
    else:
        (folder / "model.toml").write_text("name = 3")
    found = [f for f in artefacts.findings([folder]) if not f.name.endswith(" elsewhere")]
    assert not any(f.ok for f in found)
    assert all(f.needed and f.remedy for f in found)


def test_the_shipped_models_are_those_of_the_apps():
    assert {path.parent.parent.parent.name for path in doctor.shipped()} == {"apps"}
    assert SMALL in doctor.shipped(ROOT)
