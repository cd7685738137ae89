"""model.toml of the student's bundles: contract, origin and artefacts."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from apps.retail_analytics.training.network import STRIDES
from apps.retail_analytics.training.recipe import Recipe
from common.inference import card_text
from common.inference.card_text import artefact_of, artefact_table, not_built

VERSION = "1.1.0"
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
        _tensor("inputs", "images", [1, 3, *size], "uint8", f"NCHW, {LAYOUT}"),
        _tensor("outputs", "output", [1, cells(size), 6], "float32", f"{READER}, {_strides()}"),
    ]
    intel, nvidia = ["GPU", "NPU"], ["CUDA", "TensorRT"]
    artefacts = [
        artefact_of(folder / "int8.xml", "openvino", "int8", intel),
        artefact_of(folder / "fp16.xml", "openvino", "fp16", intel),
        artefact_of(folder / "fp32.onnx", "onnxruntime", "fp32", nvidia),
        artefact_of(folder / "fp32.onnx", "tensorrt", "fp16"),
    ]
    beside = f"the bundle {facts.name}{CORAL} holds what is compiled for it"
    absent = [
        not_built(
            [card_text.CORAL], beside, f"cd ../{facts.name}{CORAL} && {card_text.EDGETPU}"
        ),
        not_built([card_text.HAILO], card_text.CLOSED_HAILO, card_text.HEF),
    ]
    tables = [artefact_table(artefact) for artefact in artefacts]
    return "\n".join([_head(facts.name, facts), *tensors, *tables, *absent])


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
    artefact = artefact_table(artefact_of(folder / "int8.tflite", "litert", "int8"))
    others = [device for device in card_text.ACCELERATORS if device != card_text.CORAL]
    absent = [
        not_built([card_text.CORAL], card_text.CLOSED_CORAL, card_text.EDGETPU),
        not_built(
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
commit = "{card_text.commit()}"
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
