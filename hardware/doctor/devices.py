"""Accelerators and cameras: on the bus, with their driver, and ours to use."""

import os
from collections.abc import Iterator
from pathlib import Path

from common.errors import BackendMissing
from hardware.doctor.finding import Finding
from hardware.runtimes import cuda, edgetpu

CORAL = "Coral Edge TPU"


def findings(root: Path = Path("/")) -> Iterator[Finding]:
    """Each kind of device that Lineside can use."""
    yield _nodes(root, "USB cameras", "video*", "connect a camera", "video")
    yield _coral(root)
    yield _nvidia(root)
    yield _nodes(root, "Intel GPU", "dri/renderD*",
                 "apt install intel-opencl-icd, where there is one", "render")  # fmt: skip
    yield _nodes(root, "Intel NPU", "accel/accel*",
                 "kernel 6.6 and intel-fw-npu, where there is one", "render")  # fmt: skip
    yield _hailo(root)
    yield _nodes(root, "serial ports", "tty[UA][SC][BM]*",
                 "connect a USB serial adapter for Modbus RTU", "dialout")  # fmt: skip


def _nodes(root: Path, name: str, pattern: str, absent: str, group: str) -> Finding:
    """Device files of one kind: none, not ours, or usable."""
    nodes = sorted((root / "dev").glob(pattern))
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if not nodes:
        return Finding(name, False, False, "none", absent)
    if closed:
        found = f"{', '.join(map(str, closed))}: no permission"
        return Finding(
            name, False, False, found, f"sudo usermod -aG {group} $USER, log in anew"
        )
    return Finding(name, True, False, ", ".join(map(str, nodes)))


def _coral(root: Path) -> Finding:
    """Through libedgetpu where it is, else by what is on the buses."""
    there = [*edgetpu.usb_sticks(root), *map(str, sorted((root / "dev").glob("apex_*")))]
    try:
        listed = edgetpu.devices(edgetpu.library())
    except OSError:
        found = f"{', '.join(there) or 'none'}; libedgetpu is not installed"
        return Finding(CORAL, False, False, found, edgetpu.INSTALL)
    if listed:
        return Finding(CORAL, True, False, ", ".join(listed))
    return Finding(CORAL, False, False, ", ".join(there) or "none", edgetpu.why_none(0, root))


def _nvidia(root: Path) -> Finding:
    """The driver itself is asked: files of it may be there without a GPU."""
    driver = _first_line(root / "proc/driver/nvidia/version")
    jetson = _first_line(root / "etc/nv_tegra_release")
    about = driver or jetson or "no driver loaded"
    try:
        count = cuda.gpu_count()
    except BackendMissing as error:
        why = str(error).removesuffix(f": {cuda.REMEDY}")
        return Finding("NVIDIA GPU", False, False, f"{about}; {why}", cuda.REMEDY)
    return Finding("NVIDIA GPU", True, False, f"{count}; {about}")


def _hailo(root: Path) -> Finding:
    node = _nodes(root, "Hailo", "hailo*", "apt install hailo-all; reboot", "hailo")
    version = _first_line(root / "sys/module/hailo_pci/version")
    if not node.ok or not version:
        return node
    return Finding(
        "Hailo", True, False, f"{node.found}, driver {version}: HailoRT must be equal"
    )


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip().partition("\n")[0]
    except OSError:
        return ""
