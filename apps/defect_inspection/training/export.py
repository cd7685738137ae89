"""From a checkpoint to a bundle: ONNX and OpenVINO IR, each in float and in INT8.

INT8 is made by NNCF from pictures the network was trained on; the few operations that
turn scores and distances into boxes stay in float, since eight bits cannot hold both a
confidence and a coordinate of 640.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import nncf
import numpy as np
import onnx
import openvino as ov
import torch
from ultralytics import YOLO

from common.inference import card_text
from common.inference.images import TensorWriter

CALIBRATION_PICTURES = 200
OPSET = 17
FLOAT_TAIL = nncf.IgnoredScope(patterns=[".*/model.23/(dfl|Sigmoid|Sub|Add|Div|Mul|Concat).*"])


def input_planes(pictures: list[Path]) -> int:
    """What the network is shown of each picture: one plane where all are grey, else three."""
    return 1 if all(_grey(path) for path in _some(pictures)) else 3


def _grey(path: Path) -> bool:
    blue, green, red = cv2.split(cv2.imread(str(path), cv2.IMREAD_COLOR))
    return np.array_equal(blue, green) and np.array_equal(green, red)


def export(checkpoint: Path, folder: Path, shape: list[int], pictures: list[Path]) -> None:
    """Write the four artefacts of `checkpoint` into `folder`, input [1, planes, size, size]."""
    folder.mkdir(parents=True, exist_ok=True)
    network = YOLO(checkpoint)
    if shape[1] == 1:
        _see_grey(network.model)
    made = network.export(
        format="onnx", imgsz=shape[3], opset=OPSET, simplify=True, device="cpu"
    )
    shutil.move(made, folder / "fp32.onnx")
    _name_no_paths(folder / "fp32.onnx")
    _float_ir(folder)
    _int8(folder, calibration(pictures, shape))


def _see_grey(network: torch.nn.Module) -> None:
    """The first layer's weights summed over red, green and blue.

    Of grey pictures such a network says the same, and a third of its input is to be written.
    """
    first = network.model[0].conv
    first.weight = torch.nn.Parameter(first.weight.detach().sum(1, keepdim=True))
    first.in_channels = network.yaml["channels"] = 1


def _name_no_paths(file: Path) -> None:
    """Ultralytics writes where the data lay on this machine; every other file copies it."""
    graph = onnx.load(file)
    for entry in graph.metadata_props:
        if entry.key == "description":
            entry.value = "YOLO detection network, trained by `lineside train`"
    onnx.save(graph, file)


def _float_ir(folder: Path) -> None:
    model = ov.convert_model(folder / "fp32.onnx")
    ov.save_model(model, folder / "fp16.xml", compress_to_fp16=True)


def _int8(folder: Path, batches: list[np.ndarray]) -> None:
    graph = onnx.load(folder / "fp32.onnx")
    name = graph.graph.input[0].name
    options = {"preset": nncf.QuantizationPreset.MIXED, "subset_size": len(batches)}
    data = nncf.Dataset(batches, lambda batch: {name: batch})
    onnx.save(
        nncf.quantize(graph, data, ignored_scope=FLOAT_TAIL, **options), folder / "int8.onnx"
    )
    # read_model leaves biases open; NNCF then takes every SiLU apart: a third slower
    model = ov.convert_model(folder / "fp32.onnx")
    data = nncf.Dataset(batches)
    ov.save_model(
        nncf.quantize(model, data, ignored_scope=FLOAT_TAIL, **options), folder / "int8.xml"
    )


def calibration(pictures: list[Path], shape: list[int]) -> list[np.ndarray]:
    """Evenly spaced training pictures as network inputs of this shape."""
    batches = []
    for path in _some(pictures):
        writer = TensorWriter(*shape[1:])
        writer.write(cv2.imread(str(path), cv2.IMREAD_COLOR))
        batches.append(writer.tensor)
    return batches


def _some(pictures: list[Path]) -> list[Path]:
    """As many as INT8 is calibrated on, evenly spaced."""
    step = max(1, len(pictures) // CALIBRATION_PICTURES)
    return pictures[::step][:CALIBRATION_PICTURES]


ARTEFACTS = (
    ("int8.xml", "openvino", "int8", ("GPU", "NPU")),
    ("fp16.xml", "openvino", "fp16", ("GPU", "NPU")),
    ("int8.onnx", "onnxruntime", "int8", ()),
    ("fp32.onnx", "onnxruntime", "fp32", ("CUDA", "TensorRT")),
    ("fp32.onnx", "tensorrt", "fp16", ()),  # the engine is built where it runs
)


def artefact_tables(folder: Path) -> Iterable[str]:
    """The [[artefacts]] of model.toml for what lies in `folder`, and what is not built."""
    for file, *of in ARTEFACTS:
        yield card_text.artefact_table(card_text.artefact_of(folder / file, *of))
    yield card_text.of_pictures()
