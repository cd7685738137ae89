"""Backends by name: where each lives and which command installs it.

Nothing a vendor made is imported before its name is chosen, so a missing or broken
package costs nothing to who does not use it.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from common.config import from_table
from common.errors import BackendMissing
from common.ports import Camera, Clock, PartGate, Runtime


@dataclass(frozen=True)
class Backend:
    """One name a settings file may use."""

    module: str
    opener: str
    """The class or function in it that opens the device."""
    settings: str = ""
    """The dataclass its options are read into."""
    package: str = "cv2"
    """What must be importable."""
    install: str = "pip install ."
    """The one command that gets it."""


RUNTIMES = {
    "openvino": Backend(
        "hardware.runtimes.openvino",
        "OpenVino",
        package="openvino",
        install="pip install '.[openvino]'",
    ),
    "onnxruntime": Backend(
        "hardware.runtimes.onnxruntime", "OnnxRuntime", package="onnxruntime"
    ),
}
CAMERAS = {
    "files": Backend("hardware.cameras.files", "FilesCamera", "FilesSettings"),
    "usb": Backend("hardware.cameras.usb", "UsbCamera", "UsbSettings"),
    "rtsp": Backend("hardware.cameras.rtsp", "RtspCamera", "RtspSettings"),
    "gstreamer": Backend("hardware.cameras.gstreamer", "GstreamerCamera", "GstreamerSettings"),
}
GATES = {
    "modbus": Backend(
        "hardware.fieldbus.modbus", "open_gate", "ModbusSettings", package="pymodbus"
    ),
}


def installed(backend: Backend) -> bool:
    """Whether the package behind it can be found, without importing it."""
    return importlib.util.find_spec(backend.package) is not None


def open_runtime(name: str, path: Path, **options: Any) -> Runtime:
    """A runtime with the network of `path`; raises BackendMissing or BundleError."""
    backend = _find("runtime", RUNTIMES, name)
    opener = getattr(load_module("runtime", name, backend), backend.opener)
    return cast(Runtime, opener(path, **options))


def open_camera(name: str, options: dict[str, Any], path: Path, clock: Clock) -> Camera:
    """A camera with the options that stood in file `path`; raises ConfigError on wrong ones."""
    return cast(Camera, _open("camera", CAMERAS, name, options, path, clock))


def open_gate(name: str, options: dict[str, Any], path: Path, clock: Clock) -> PartGate:
    """A PLC link with the options that stood in file `path`."""
    return cast(PartGate, _open("plc", GATES, name, options, path, clock))


def _open(
    kind: str,
    table: dict[str, Backend],
    name: str,
    options: dict[str, Any],
    path: Path,
    clock: Clock,
) -> Any:
    backend = _find(kind, table, name)
    module = load_module(kind, name, backend)
    settings = from_table(getattr(module, backend.settings), options, path, f"{kind}.options")
    return getattr(module, backend.opener)(settings, clock)


def _find(kind: str, table: dict[str, Backend], name: str) -> Backend:
    backend = table.get(name)
    if backend is None:
        raise BackendMissing(f"no {kind} named {name}; there are: {', '.join(table)}")
    if not installed(backend):
        here = [other for other, entry in table.items() if installed(entry)]
        raise BackendMissing(
            f"{kind} {name} is not installed: {backend.install}. "
            f"Available instead: {', '.join(here) or 'none'}"
        )
    return backend


def load_module(kind: str, name: str, backend: Backend) -> ModuleType:
    """Our module for a backend, and so the vendor's package; raises BackendMissing."""
    try:
        return importlib.import_module(backend.module)
    except (ImportError, OSError) as error:  # a wheel is there, a library it needs is not
        raise BackendMissing(
            f"{kind} {name} is installed but cannot be loaded ({error}): {backend.install}"
        ) from error
