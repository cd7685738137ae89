"""The two networks that fill in labels, each looking at larger pictures than the student.

YOLOX-nano looks twice, at two sizes; person-detection-retail-0013, another kind of network,
looks once.
"""

from pathlib import Path

import cv2
import numpy as np
import openvino as ov
import torch

from apps.retail_analytics.training.labels import Look
from apps.retail_analytics.training.network import Nano, corners, grid
from apps.retail_analytics.training.pictures import Example, fitted
from common.inference.images import suppress

SIDES = (640, 896)
FAINT, OVERLAP = 0.25, 0.45
RETAIL_SIZE = (544, 320)


def nano(network: Nano, side: int) -> Look:
    """The pretrained network on pictures of `side` px."""

    def look(example: Example) -> np.ndarray:
        rows, columns = example.picture.shape[:2]
        scale = side / max(rows, columns)
        shown = fitted(example, *(_up(length * scale) for length in (rows, columns)))
        return _detect(network, shown.picture) / np.float32([scale] * 4 + [1])

    return look


def _up(length: float) -> int:
    return int(-(-length // 32) * 32)


def _detect(network: Nano, picture: np.ndarray) -> np.ndarray:
    cells, strides = grid(*picture.shape[:2])
    inputs = torch.tensor(picture.transpose(2, 0, 1)[None]).float()
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        raw, logits = network(inputs)
    boxes = corners(raw.float(), cells, strides)[0].numpy()
    scores = logits.float().sigmoid().prod(2)[0].numpy()
    likely = scores >= FAINT
    boxes, scores = boxes[likely], scores[likely]
    kept = suppress(boxes, scores, np.zeros(len(boxes), np.int64), OVERLAP)
    return np.column_stack([boxes[kept], scores[kept]]).astype(np.float32)


def retail(file: Path) -> Look:
    """person-detection-retail-0013, on stretched pictures."""
    compiled = ov.Core().compile_model(str(file), "CPU")

    def look(example: Example) -> np.ndarray:
        rows, columns = example.picture.shape[:2]
        shown = cv2.resize(example.picture, RETAIL_SIZE).transpose(2, 0, 1)[None]
        found = compiled(shown.astype(np.float32))[0].reshape(-1, 7)
        found = found[(found[:, 0] >= 0) & (found[:, 2] >= FAINT)]
        size = np.float32([columns, rows, columns, rows])
        return np.column_stack([found[:, 3:7] * size, found[:, 2]]).astype(np.float32)

    return look
