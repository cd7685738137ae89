"""Picture arithmetic before and after a detection network.

Pure functions on arrays; the same code serves every runtime, so a golden result is
golden everywhere.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PAD_GREY = 114  # what Ultralytics pads with, so the network has seen it
UNIT = np.arange(256, dtype=np.float32) * np.float32(1 / 255)  # 0–255 as 0–1
FLAT_LIGHT = 200  # level to which an evenly lit bare place is brought before the threshold


def binarise(frame: np.ndarray) -> np.ndarray:
    """Grey frame uint8 [H, W] to black (conductor, 0) and white (255), by Otsu's threshold.

    The light's slow fall-off over the frame is taken out first, so one threshold serves
    all of it. Both are found on every fourth pixel and then laid over the frame: dividing
    the whole frame would give the same and take longer.
    """
    sample = np.ascontiguousarray(frame[::4, ::4])
    light = _light(sample)
    flat = cv2.divide(sample, _resized(light, sample.shape), scale=FLAT_LIGHT)
    level = cv2.threshold(flat, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    limit = (light * (level + 0.5) / FLAT_LIGHT).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.compare(frame, _resized(limit, frame.shape), cv2.CMP_GT))


def _resized(small: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(cv2.resize(small, shape[1::-1], interpolation=cv2.INTER_LINEAR))


def _light(sample: np.ndarray) -> np.ndarray:
    """How much light each place gets, seen where the part is bare; a quarter of [H, W].

    Under a large pour there is nothing bright to look at; there the bare places around it
    are averaged, weighted by distance.
    """
    height, width = sample.shape
    size = (max(1, round(width / 4)), max(1, round(height / 4)))
    small = cv2.resize(sample, size, interpolation=cv2.INTER_AREA)
    level, bare = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    both = cv2.merge([small * bare, bare]).astype(np.float32)
    seen, weight = cv2.split(cv2.GaussianBlur(both, (0, 0), 6))
    mean = cv2.mean(small, bare)[0] if bare.any() else max(level, 1.0)
    return np.asarray(((seen + 1e-3 * mean) / (weight + 1e-3)).clip(1, 255).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture was fitted into a network's input, so that boxes find their way back."""

    scale: float
    left: float
    top: float

    def undo(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes [n, 4] xyxy in input px to xyxy in px of the picture."""
        moved = boxes - np.array([self.left, self.top] * 2, np.float32)
        return np.asarray(moved / np.float32(self.scale), np.float32)


class TensorWriter:
    """Writes pictures into one reused network input, float32 [1, planes, H, W], 0–1.

    A network of three planes sees RGB, one of a single plane sees grey.
    """

    def __init__(self, planes: int, height: int, width: int) -> None:
        self.tensor = np.zeros((1, planes, height, width), np.float32)

    def write(self, picture: np.ndarray) -> Letterbox:
        """Fit a grey [H, W] or BGR [H, W, 3] uint8 picture in; returns how."""
        planes = self.tensor[0]
        if picture.ndim == 3 and len(planes) == 1:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        fitted, how = fit(picture, *planes.shape[1:])
        channels = [fitted] if fitted.ndim == 2 else [fitted[:, :, at] for at in (2, 1, 0)]
        for plane, channel in zip(planes, channels, strict=False):
            cv2.LUT(channel, UNIT, dst=plane)
        planes[len(channels) :] = planes[0]
        return how


def fit(picture: np.ndarray, height: int, width: int) -> tuple[np.ndarray, Letterbox]:
    """The picture scaled to fit height × width, centred on grey; nothing when it fits."""
    rows, columns = picture.shape[:2]
    scale = min(height / rows, width / columns)
    new_rows, new_columns = max(1, round(rows * scale)), max(1, round(columns * scale))
    if (new_rows, new_columns) != (rows, columns):
        picture = cv2.resize(picture, (new_columns, new_rows), interpolation=cv2.INTER_LINEAR)
    top, left = (height - new_rows) // 2, (width - new_columns) // 2
    if (new_rows, new_columns) != (height, width):
        bottom, right = height - new_rows - top, width - new_columns - left
        grey = (PAD_GREY,) * 3
        picture = cv2.copyMakeBorder(
            picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=grey
        )
    return picture, Letterbox(scale, left, top)


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes found in one picture, best first."""

    boxes: NDArray[np.float32]
    """[n, 4] left, top, right, bottom in px."""
    scores: NDArray[np.float32]
    """[n], 0–1."""
    classes: NDArray[np.int64]
    """[n], index into the model's labels."""


def decode_yolo(
    output: NDArray[np.float32], threshold: float, overlap: float, limit: int = 300
) -> Detections:
    """Ultralytics' raw output [1, 4 + classes, anchors] to detections in input px.

    Rows 0–3 are centre x, centre y, width, height; the rest one score per class. Boxes of
    one class that overlap more than `overlap` (IoU) keep only the best.
    """
    rows = output[0]
    best = rows[4:].max(0)
    found = np.flatnonzero(best >= threshold)
    scores = best[found]
    classes = rows[4:, found].argmax(0)
    centre, half = rows[:2, found].T, rows[2:4, found].T / 2
    boxes = np.hstack([centre - half, centre + half]).astype(np.float32)
    kept = suppress(boxes, scores, classes, overlap)[:limit]
    return Detections(boxes[kept], scores[kept], classes[kept])


def suppress(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    overlap: float,
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression within each class, OpenCV's: kept indices, best first.

    Boxes [n, 4] xyxy; what scores 0 is no detection.
    """
    if not len(boxes):
        return np.zeros(0, np.int64)
    sides = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxesBatched(
        sides.tolist(), scores.tolist(), classes.tolist(), 0.0, overlap
    )
    return np.asarray(kept, np.int64).ravel()


def iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes [n, 4] and [m, 4] xyxy: [n, m]."""
    left, top, right, bottom = one.T[:, :, None]  # column by column: numpy is slow on pairs
    wide = np.minimum(right, other[:, 2]) - np.maximum(left, other[:, 0])
    high = np.minimum(bottom, other[:, 3]) - np.maximum(top, other[:, 1])
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    total = area(one)[:, None] + area(other) - shared
    return np.asarray(shared / np.maximum(total, 1e-9), np.float32)


def area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area of boxes [n, 4] xyxy, px²."""
    left, top, right, bottom = boxes.T
    return np.asarray((right - left) * (bottom - top), np.float32)
