"""Whether a device can be here at all, found without a vendor's library or a process.

`auto` asks for every device that a model has files for; on most machines most of them are
absent, and starting a process to learn that costs a second each.
"""

import os
from collections.abc import Callable
from pathlib import Path

from hardware.runtimes import edgetpu
from hardware.runtimes.cuda import REMEDY as NVIDIA

DEVICES = {
    "CPU": ("openvino", "onnxruntime", "litert"),
    "NVIDIA GPU": ("tensorrt", "onnxruntime:TensorRT", "onnxruntime:CUDA"),
    "Intel GPU": ("openvino:GPU",),
    "Intel NPU": ("openvino:NPU",),
    "Coral Edge TPU": ("litert:EdgeTPU",),
    "Hailo-8": ("hailo",),
}
"""Each kind of device that a model card speaks of, and the runtimes that reach it."""
INTEL_GPU = "apt install intel-opencl-icd, /dev/dri/renderD* readable (group render)"
INTEL_NPU = (
    "intel-level-zero-npu and intel-fw-npu, /dev/accel/accel0 readable (group render), "
    "kernel 6.6 or newer"
)
NVIDIA_NODES = ("nvidia[0-9]*", "nvhost-gpu", "nvgpu", "dxg")
"""A card, Jetson's two ways, and Windows' subsystem for Linux."""
HAILO = "its driver is not loaded: apt install hailo-all, reboot, see dmesg"


def why_absent(runtime: str, device: str, root: Path = Path("/")) -> str:
    """Why `runtime` cannot have `device` here and the next step; empty where it may."""
    look = LOOKS.get((runtime, device))
    return look(root) if look else ""


def _intel_gpu(root: Path) -> str:
    return _node(root, "dri/renderD*", "OpenVINO has no device GPU here", INTEL_GPU)


def _intel_npu(root: Path) -> str:
    return _node(root, "accel/accel*", "OpenVINO has no device NPU here", INTEL_NPU)


def _node(root: Path, pattern: str, what: str, remedy: str) -> str:
    """A device file that is absent or not ours to open."""
    nodes = sorted((root / "dev").glob(pattern))
    if not nodes:
        return f"{what}: there is no /dev/{pattern}; it needs {remedy}"
    if not any(os.access(node, os.R_OK | os.W_OK) for node in nodes):
        return f"{what}: no permission for /dev/{pattern}: sudo usermod -aG render $USER"
    return ""


def _nvidia(root: Path) -> str:
    """By its device files: even to ask the driver is left to another process."""
    if any(list((root / "dev").glob(pattern)) for pattern in NVIDIA_NODES):
        return ""
    return f"no NVIDIA GPU here: there is no /dev/nvidia0 nor /dev/nvhost-gpu: {NVIDIA}"


def _coral(root: Path) -> str:
    there = edgetpu.usb_sticks(root) or list((root / "dev").glob("apex_*"))
    return "" if there else f"Coral Edge TPU: {edgetpu.why_none(0, root)}"


def _hailo(root: Path) -> str:
    there = list((root / "dev").glob("hailo*"))
    return "" if there else f"Hailo: there is no /dev/hailo0: {HAILO}"


LOOKS: dict[tuple[str, str], Callable[[Path], str]] = {
    ("openvino", "GPU"): _intel_gpu,
    ("openvino", "NPU"): _intel_npu,
    ("onnxruntime", "CUDA"): _nvidia,
    ("onnxruntime", "TensorRT"): _nvidia,
    ("tensorrt", "GPU"): _nvidia,
    ("litert", "EdgeTPU"): _coral,
    ("hailo", "Hailo-8"): _hailo,
}
