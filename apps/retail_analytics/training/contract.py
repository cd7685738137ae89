"""model.toml of the student's bundles: contract, origin and artefacts."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from apps.retail_analytics.training.network import STRIDES
from apps.retail_analytics.training.recipe import Recipe
from common.inference.bundle import sha256
from common.inference.elsewhere import (
    ACCELERATORS,
    CLOSED_CORAL,
    CLOSED_HAILO,
    EDGETPU,
    HAILO,
    HEF,
    table,
)
from common.inference.elsewhere import CORAL as CORAL_DEVICE

VERSION = "1.0.0"
LICENCE = "Apache-2.0"
LAYOUT = "BGR, 0-255, top-left"
READER = "yolox"
CORAL = "-coral"


@dataclass(frozen=True)
class Facts:
    """What the card says of the run."""

    name: str
    data_licence: str
    recipe: Recipe


def cells(size: tuple[int, int]) -> int:
    """Answers for a picture of `size`."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)


def model_toml(folder: Path, facts: Facts) -> str:
    """Contract, origin and artefacts as TOML."""
    size = (facts.recipe.height, facts.recipe.width)
    tensors = [
        _tensor("inputs", "images", [1, 3, *size], "float32", f"NCHW, {LAYOUT}"),
        _tensor("outputs", "output", [1, cells(size), 6], "float32", f"{READER}, {_strides()}"),
    ]
    intel, nvidia = ["GPU", "NPU"], ["CUDA", "TensorRT"]
    artefacts = [
        _artefact(folder, "openvino", "int8", "int8.xml", "int8.bin", intel),
        _artefact(folder, "openvino", "fp16", "fp16.xml", "fp16.bin", intel),
        _artefact(folder, "onnxruntime", "fp32", "fp32.onnx", also=nvidia),
        _artefact(folder, "tensorrt", "fp16", "fp32.onnx"),
    ]
    beside = f"the bundle {facts.name}{CORAL} holds what is compiled for it"
    absent = [
        table((CORAL_DEVICE,), beside, f"cd ../{facts.name}{CORAL} && {EDGETPU}"),
        table((HAILO,), CLOSED_HAILO, HEF),
    ]
    return "\n".join([_head(facts.name, facts), *tensors, *artefacts, *absent])


def coral_toml(folder: Path, facts: Facts, runtime: Any) -> str:
    """Likewise; scales and zeros are the file's own."""
    quantised = runtime.quantization
    tensors = [
        _tensor("inputs", spec.name, [*spec.shape], spec.dtype, f"NHWC, {LAYOUT}")
        for spec in runtime.inputs
    ]
    for spec in sorted(runtime.outputs, key=lambda spec: spec.name):
        scale, zero = quantised[spec.name]
        role = READER if spec.name == "boxes" else f"{READER} {spec.name}"
        layout = f"{role}, scale {scale!r}, zero {zero}, {_strides()}"
        tensors.append(_tensor("outputs", spec.name, [*spec.shape], spec.dtype, layout))
    artefact = _artefact(folder, "litert", "int8", "int8.tflite")
    others = tuple(device for device in ACCELERATORS if device != CORAL_DEVICE)
    absent = [
        table((CORAL_DEVICE,), CLOSED_CORAL, EDGETPU),
        table(
            others,
            f"the bundle {facts.name} beside this one speaks of them",
            f'set [model] bundle = "models/{facts.name}"',
        ),
    ]
    return "\n".join([_head(facts.name + CORAL, facts), *tensors, artefact, *absent])


def _strides() -> str:
    return "strides " + " ".join(map(str, STRIDES))


def _head(name: str, facts: Facts) -> str:
    text = json.dumps  # a JSON string is a TOML string
    source = "café and COCO pictures, completed by two teachers; depth pictures; drawn shops"
    split = "café and depth by time, COCO every fifth out; no clip was learned from"
    command = f"lineside train retail_analytics --data DIR --name {facts.name}"
    return f"""\
name = {text(name)}
version = "{VERSION}"
task = "detection"
licence = "{LICENCE}"
labels = ["person"]

[origin]
data = {text(source, ensure_ascii=False)}
data_licence = {text(facts.data_licence, ensure_ascii=False)}
split = {text(split, ensure_ascii=False)}
command = {text(command)}
commit = "{commit()}"
tool = "torch {torch.__version__.split("+")[0]}, from YOLOX-nano (Apache-2.0, see NOTICE)"
"""


def _tensor(kind: str, name: str, shape: list[int], dtype: str, layout: str) -> str:
    return f"""\
[[{kind}]]
name = "{name}"
shape = {shape}
dtype = "{dtype}"
layout = "{layout}"
"""


def _artefact(
    folder: Path, runtime: str, precision: str, file: str, companion: str = "",
    also: Sequence[str] = (),
) -> str:  # fmt: skip
    lines = [
        "[[artefacts]]",
        f'runtime = "{runtime}"',
        f'precision = "{precision}"',
        f'file = "{file}"',
        f'sha256 = "{sha256(folder / file)}"',
    ]
    if companion:
        lines += [f'companion = "{companion}"']
        lines += [f'companion_sha256 = "{sha256(folder / companion)}"']
    if also:
        lines += [f"also = {json.dumps([*also])}"]
    return "\n".join(lines) + "\n"


def commit() -> str:
    """The commit that is checked out; "unknown" outside a repository."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or "unknown"
