"""Runtimes: whether each is installed, loads, which version, and which devices it sees.

Devices are asked for in another process: a driver that does not fit its library may crash.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from common.errors import BackendMissing
from hardware.catalog import RUNTIMES, Backend, installed, load_module
from hardware.doctor.finding import Finding
from hardware.runtimes import edgetpu

ASKED_S = 60
DEVICES = {
    "openvino": "import openvino; print(*openvino.Core().available_devices, sep=', ')",
    "onnxruntime": "import onnxruntime\n"
    "names = onnxruntime.get_available_providers()\n"
    "print(*(name.removesuffix('ExecutionProvider') for name in names), sep=', ')",
}
"""Says what the library offers; ONNX Runtime tells what it was built with, no more."""


def findings() -> Iterator[Finding]:
    """One for each runtime of the catalogue, and the impostor where it is."""
    for name, backend in RUNTIMES.items():
        here, found = _loaded(name, backend)
        if here and name in DEVICES and backend.package == name:
            here, devices = devices_seen(DEVICES[name])
            found = f"{found}; {devices}"
        needed = name == "onnxruntime"
        yield Finding(f"runtime {name}", here, needed, found, "" if here else backend.install)
    if wrong := edgetpu.impostor():
        yield Finding("pycoral", False, False, wrong, "pip uninstall pycoral")


def devices_seen(code: str) -> tuple[bool, str]:
    """Whether the library answers, and with what."""
    try:
        done = subprocess.run(  # noqa: S603 - code of this file
            [sys.executable, "-c", code], capture_output=True, text=True, check=False,
            timeout=ASKED_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, f"does not answer within {ASKED_S} s"
    if done.returncode < 0:
        return (
            False,
            f"crashes with {signal.Signals(-done.returncode).name}: its driver is wrong",
        )
    if done.returncode:
        return False, (done.stderr.strip().splitlines() or ["fails without a word"])[-1]
    return True, done.stdout.strip()


def _loaded(name: str, backend: Backend) -> tuple[bool, str]:
    if not installed(backend):
        return False, "not installed"
    try:
        load_module("runtime", name, backend)
    except BackendMissing as error:
        return False, str(error.__cause__)
    return True, _version(backend.package)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # e.g. Jetson's onnxruntime-gpu
        return "here, under another name"
