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
from ultralytics import YOLO

from common.inference import card_text
from common.inference.images import TensorWriter

CALIBRATION_PICTURES = 200
OPSET = 17
FLOAT_TAIL = nncf.IgnoredScope(patterns=[".*/model.23/(dfl|Sigmoid|Sub|Add|Div|Mul|Concat).*"])


def export(checkpoint: Path, folder: Path, size: int, pictures: list[Path]) -> None:
    """Write the four artefacts of `checkpoint` into `folder`, input [1, 3, size, size]."""
    folder.mkdir(parents=True, exist_ok=True)
    network = YOLO(checkpoint)
    made = network.export(format="onnx", imgsz=size, opset=OPSET, simplify=True, device="cpu")
    shutil.move(made, folder / "fp32.onnx")
    _name_no_paths(folder / "fp32.onnx")
    _float_ir(folder)
    _int8(folder, calibration(pictures, size))


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


def calibration(pictures: list[Path], size: int) -> list[np.ndarray]:
    """Evenly spaced training pictures as network inputs [1, 3, size, size]."""
    step = max(1, len(pictures) // CALIBRATION_PICTURES)
    batches = []
    for path in pictures[::step][:CALIBRATION_PICTURES]:
        writer = TensorWriter(size, size)
        writer.write(cv2.imread(str(path), cv2.IMREAD_COLOR))
        batches.append(writer.tensor)
    return batches


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
