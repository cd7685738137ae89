"""Networks of the contract tests, published and ours: where, fed with what, decoded how."""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from common.inference.images import Detections, suppress

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LINESIDE_DATA", ROOT.parent / "shared" / "data"))
MODELS = DATA / "models"
IMAGES = DATA / "people" / "images"
YOLOX = "yolox_nano_416_coco"
APPS = ROOT / "apps"
VIBRATION = str(APPS / "predictive_maintenance/models/vibration/fp32.onnx")
RISK = str(APPS / "patient_monitoring/models/deterioration/fp32.onnx")
BOARD = str(APPS / "defect_inspection/models/pcb/int8.tflite")
POSE = "posenet_mobilenet_v1_075/posenet_mobilenet_v1_075_353_481_quant"


@dataclass(frozen=True)
class Case:
    """One file on one runtime."""

    runtime: str
    file: str
    own_process: bool = False

    @property
    def path(self):
        return MODELS / self.file

    def __str__(self):
        return f"{self.runtime}{' worker' * self.own_process} {Path(self.file).name}"


CASES = [
    Case("onnxruntime", "fastestdet_352_coco/FastestDet.onnx"),
    Case("onnxruntime", "fastestdet_352_coco/FastestDet.onnx", own_process=True),
    Case("openvino", "fastestdet_352_coco/FastestDet.onnx"),
    Case("onnxruntime", f"{YOLOX}/yolox_nano.onnx"),
    Case("openvino", f"{YOLOX}/yolox_nano.onnx"),
    Case("litert", f"{YOLOX}/yolox_nano_float16_quantize.tflite"),
    Case("openvino", f"{YOLOX}/yolox_nano_float16_quantize.tflite"),
    Case("onnxruntime", f"{YOLOX}/yolox_nano_int8_qdq_pointwise.onnx"),
    Case("openvino", f"{YOLOX}/yolox_nano_int8_qdq_pointwise.onnx"),
    Case("litert", f"{POSE}.tflite"),
    Case("litert", f"{POSE}.tflite", own_process=True),
    Case("openvino", f"{POSE}.tflite"),
    Case("openvino", "openvino_person-detection-retail-0013/person-detection-retail-0013.xml"),
    Case("onnxruntime", VIBRATION),
    Case("onnxruntime", VIBRATION, own_process=True),
    Case("openvino", VIBRATION),
    Case("onnxruntime", RISK),
    Case("openvino", RISK),
    Case("litert", BOARD),
]


def noise(spec, seed):
    """An input of this kind; pixel values whatever the network was trained on."""
    shape = [max(1, size) for size in spec.shape]
    values = np.random.default_rng(seed).integers(0, 256, shape)
    return values.astype(spec.dtype)


def feed(runtime, seed):
    return {spec.name: noise(spec, seed) for spec in runtime.inputs}


# ------------------------------------------------------------------ YOLOX


def yolox_input(picture):
    """BGR 0 … 255, fitted into the top left corner of 416×416 on grey 114."""
    scale = 416 / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale)
    canvas = np.full((416, 416, 3), 114, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small[:416, :416]
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)


def yolox_boxes(output, threshold):
    """Raw [1, 3549, 85] to detections in input px."""
    grids, strides = [], []
    for stride in (8, 16, 32):
        side = 416 // stride
        y, x = np.mgrid[:side, :side]
        grids.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((side * side, 1), stride))
    grid, stride = np.concatenate(grids), np.concatenate(strides)
    rows = output[0]
    centre, size = (rows[:, :2] + grid) * stride, np.exp(rows[:, 2:4]) * stride
    scores = rows[:, 4:5] * rows[:, 5:]
    best, classes = scores.max(1), scores.argmax(1)
    kept = best >= threshold
    boxes = np.hstack([centre - size / 2, centre + size / 2]).astype(np.float32)[kept]
    best, classes = best[kept], classes[kept]
    order = suppress(boxes, best, classes, 0.45)
    return Detections(boxes[order], best[order], classes[order])


# ------------------------------------------------------------------ PoseNet


def pose_peaks(outputs, near=None, scale=0.0784313753247261, zero=128):
    """Per kind of keypoint its surest place in px, and how sure: [17, 3] as y, x, score.

    With `near` (such places), the surest within a cell of each: two people have two noses.
    """
    heat = (outputs["float_heatmaps"][0].astype(float) - zero) * scale
    shift = (outputs["float_short_offsets"][0].astype(float) - zero) * scale
    cells = np.stack(np.mgrid[: heat.shape[0], : heat.shape[1]], -1) * 16
    found = []
    for part in range(17):
        places = cells + shift[..., [part, part + 17]]
        far = np.zeros(heat.shape[:2], bool)
        if near is not None:
            far = np.abs(places - near[part, :2]).max(-1) > 16
        y, x = np.unravel_index(np.where(far, -99, heat[..., part]).argmax(), far.shape)
        found.append([*places[y, x], 1 / (1 + np.exp(-heat[y, x, part]))])
    return np.array(found)
