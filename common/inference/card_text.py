"""Parts of model.toml that every training writes alike: files, devices without, the commit.

Every card speaks of every kind of device: it has a file, or says why there is none and what
makes one. A TensorRT engine needs no line: it is built from the ONNX file on the device that
runs it.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common.inference.bundle import Artefact, sha256

CORAL, HAILO = "Coral Edge TPU", "Hailo-8"
ACCELERATORS = ("NVIDIA GPU", "Intel GPU", "Intel NPU", CORAL, HAILO)
EDGETPU = "edgetpu_compiler int8.tflite"
HEF = (
    "hailo parser onnx fp32.onnx; hailo optimize --calib-set-path FOLDER fp32.har; "
    "hailo compiler fp32_optimized.har"
)
CLOSED_CORAL = (
    "Google's closed edgetpu_compiler makes the file, on x86 Linux, from an INT8 .tflite"
)
CLOSED_HAILO = (
    "Hailo's closed Dataflow Compiler makes the file, on x86 Linux, after registration"
)
SMALL = "so small that the processor has the answer before its input is on a device"


def artefact_of(file: Path, runtime: str, precision: str, also: Sequence[str] = ()) -> Artefact:
    """The card's entry of a file that is there, and of the weights that an .xml loads."""
    weights = file.with_suffix(".bin") if file.suffix == ".xml" else None
    return Artefact(
        runtime, precision, file.name, sha256(file),
        companion=weights.name if weights else "",
        companion_sha256=sha256(weights) if weights else "",
        also=tuple(also),
    )  # fmt: skip


def artefact_table(entry: Artefact) -> str:
    """One [[artefacts]]."""
    return _table("artefacts", asdict(entry))


def not_built(devices: Sequence[str], reason: str, command: str = "") -> str:
    """One [[not_built]]: which devices, why, and what makes their file."""
    return _table("not_built", {"devices": devices, "reason": reason, "command": command})


def of_pictures() -> str:
    """For a network on pictures whose card has no INT8 .tflite yet."""
    made = "lineside quantize FOLDER --data DIR --to tflite-int8; "
    coral = not_built((CORAL,), CLOSED_CORAL, made + EDGETPU)
    return "\n".join([coral, not_built((HAILO,), CLOSED_HAILO, HEF)])


def of_numbers() -> str:
    """For a network of a few thousand weights on a few numbers."""
    return not_built(ACCELERATORS, SMALL)


def commit() -> str:
    """The commit that is checked out; "unknown" outside a repository."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or "unknown"


def _table(name: str, entries: Mapping[str, Any]) -> str:
    """A [[table]]; what is empty goes unsaid. A JSON text is a TOML text."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in entries.items() if value]
    return "\n".join([f"[[{name}]]", *lines]) + "\n"
