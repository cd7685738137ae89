"""Backends by name: where each lives and which command installs it.

Nothing a vendor made is imported before its name is chosen, so a missing or broken
package costs nothing to who does not use it.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from common.config import from_table
from common.errors import BackendMissing
from common.ports import Camera, Clock, PartGate, Runtime, StatusLight, VibrationSource
from hardware.runtimes.presence import why_absent


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
    devices: tuple[str, ...] = ("CPU",)
    """A runtime's: `name:DEVICE` asks for one, the name alone for the first."""
    own_process: tuple[str, ...] = ()
    """Those whose driver may hang or crash: they live in a process of their own."""
    crash_hint: str = ""
    """What a crash there usually means."""
    start_s: float = 120.0
    """How long a process of its own may take to open a network."""


RUNTIMES = {
    "openvino": Backend(
        "hardware.runtimes.openvino",
        "OpenVino",
        package="openvino",
        install="pip install '.[openvino]'",
        devices=("CPU", "GPU", "NPU"),
        own_process=("GPU", "NPU"),
    ),
    "onnxruntime": Backend(
        "hardware.runtimes.onnxruntime",
        "OnnxRuntime",
        package="onnxruntime",
        devices=("CPU", "CUDA", "TensorRT", "OpenVINO"),
        own_process=("CUDA", "TensorRT"),
    ),
    "litert": Backend(
        "hardware.runtimes.litert",
        "LiteRt",
        package="ai_edge_litert",
        install="pip install '.[litert]'",
        devices=("CPU", "EdgeTPU"),
        own_process=("EdgeTPU",),
        crash_hint="libedgetpu is older than this LiteRT: install a rebuilt one",
    ),
    "tensorrt": Backend(
        "hardware.runtimes.tensorrt",
        "TensorRt",
        package="tensorrt",
        install="apt install python3-libnvinfer (JetPack), and pip install cuda-python",
        devices=("GPU",),
        own_process=("GPU",),
        crash_hint="no NVIDIA driver, or one too old for this TensorRT: see nvidia-smi",
        start_s=1800.0,  # the first start builds the engine
    ),
    "hailo": Backend(
        "hardware.runtimes.hailo",
        "Hailo",
        package="hailo_platform",
        install="apt install hailo-all, or HailoRT 4.x from hailo.ai/developer-zone",
        devices=("Hailo-8",),
        own_process=("Hailo-8",),
        crash_hint="driver and HailoRT of different versions: hailortcli fw-control identify",
    ),
}
TOLD = ("openvino", "onnxruntime")
"""Runtimes that want to know whether one inference or several are under way."""
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
SENSORS = {
    "mqtt": Backend(
        "hardware.sensors.mqtt", "MqttSource", "MqttSensorSettings", package="paho"
    ),
    "modbus": Backend(
        "hardware.sensors.modbus", "ModbusSource", "ModbusSensorSettings", package="pymodbus"
    ),
    "files": Backend("hardware.sensors.files", "FilesSource", "FilesSettings", package="scipy"),
    "replay": Backend(
        "hardware.sensors.files", "FilesSource", "ReplaySettings", package="scipy"
    ),
}
LIGHTS = {
    "modbus": Backend(
        "hardware.fieldbus.stack_light", "StackLight", "StackLightSettings", package="pymodbus"
    ),
}
LISTENERS = {
    "hl7": {
        "mllp": Backend("hardware.sensors.mllp", "MllpListener", "MllpSettings", package="ssl")
    },
    "wearables": {
        "mqtt": Backend(
            "hardware.sensors.vitals_mqtt", "VitalsMqtt", "VitalsMqttSettings", package="paho"
        ),
    },
    "replay": {
        "hl7_file": Backend(
            "hardware.sensors.hl7_file", "Hl7File", "Hl7FileSettings", package="ssl"
        ),
    },
}
"""By the table of the settings file: each hears another language."""


def installed(backend: Backend) -> bool:
    """Whether the package behind it can be found, without importing it."""
    return importlib.util.find_spec(backend.package) is not None


def open_runtime(name: str, path: Path, **options: Any) -> Runtime:
    """A runtime with the network of `path`; raises BackendMissing or BundleError.

    `name` may name the device too: "openvino:GPU". A device whose driver may hang or crash
    gets a process of its own; `own_process` says otherwise. One that cannot be here is
    refused before that.
    """
    base, _, device = name.partition(":")
    python = os.environ.get(f"LINESIDE_{base.upper()}_PYTHON", "")  # a venv of its own
    backend = (
        RUNTIMES[base] if python and base in RUNTIMES else _find("runtime", RUNTIMES, base)
    )
    device = device or str(options.get("device", backend.devices[0]))
    if device != backend.devices[0]:
        options["device"] = device
    if options.pop("own_process", bool(python) or device in backend.own_process):
        if why := why_absent(base, device):
            raise BackendMissing(why)
        return _own_process(base, backend, path, options, python)
    opener = getattr(load_module("runtime", base, backend), backend.opener)
    return cast(Runtime, opener(path, **options))


def opener_for(depth: int) -> Callable[[str, Path], Runtime]:
    """`open_runtime` for a station that keeps `depth` inferences under way.

    Some divide the processor by what they are told: one fast inference or several at once.
    """

    def opened(name: str, path: Path) -> Runtime:
        several = depth > 1 and name.partition(":")[0] in TOLD
        return open_runtime(name, path, **{"hint": "THROUGHPUT"} if several else {})

    return opened


def _own_process(
    name: str, backend: Backend, path: Path, options: dict[str, Any], python: str
) -> Runtime:
    from hardware.runtimes.worker import Launch, WorkerLimits, WorkerRuntime  # noqa: PLC0415

    launch = Launch(
        name, backend.module, backend.opener, path, options, python or sys.executable,
        crash_hint=backend.crash_hint,
    )  # fmt: skip
    return WorkerRuntime(launch, WorkerLimits(start_s=backend.start_s))


def open_camera(name: str, options: dict[str, Any], path: Path, clock: Clock) -> Camera:
    """A camera with the options that stood in file `path`; raises ConfigError on wrong ones."""
    return cast(Camera, _open("camera", CAMERAS, name, options, path, clock))


def open_gate(
    name: str, options: dict[str, Any], path: Path, clock: Clock, deadline_s: float = 0.0
) -> PartGate:
    """A PLC link with the options of file `path`; a later PASS is LATE, where not 0."""
    return cast(PartGate, _open("plc", GATES, name, options, path, clock, deadline_s))


def open_sensor(
    name: str, options: dict[str, Any], path: Path, clock: Clock, key: str = "sources"
) -> VibrationSource:
    """A source of vibration with the options that stood in file `path` below `key`."""
    return cast(VibrationSource, _open(key, SENSORS, name, options, path, clock))


def open_listener(
    kind: str, name: str, options: dict[str, Any], path: Path, *hearers: Any
) -> Any:
    """What hears a ward's devices and hands on what they say; `kind` is its table's name."""
    return _open(kind, LISTENERS[kind], name, options, path, *hearers)


def open_light(name: str, options: dict[str, Any], path: Path, clock: Clock) -> StatusLight:
    """A stack light with the options that stood in file `path`."""
    return cast(StatusLight, _open("light", LIGHTS, name, options, path, clock))


def _open(
    kind: str,
    table: dict[str, Backend],
    name: str,
    options: dict[str, Any],
    path: Path,
    *given: Any,
) -> Any:
    backend = _find(kind, table, name)
    module = load_module(kind, name, backend)
    settings = from_table(getattr(module, backend.settings), options, path, f"{kind}.options")
    return getattr(module, backend.opener)(settings, *given)


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
