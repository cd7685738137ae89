"""How each family of networks says where people are: raw arrays to boxes in input px.

Written from the networks' published descriptions; no family's own code is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.errors import BundleError

Floats = NDArray[np.float32]
Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Options:
    """What a reader must know of the card."""

    height: int
    width: int
    labels: int
    tensors: dict[str, tuple[str, dict[str, tuple[float, ...]]]]
    """Role → name of the output, and its numbers by word."""

    def array(self, outputs: Outputs, role: str = "boxes") -> Floats:
        """An output in real numbers: quantised ones by the card's scale and zero."""
        name, numbers = self.tensors[role]
        array = np.asarray(outputs[name], np.float32)
        if "scale" in numbers:
            array = (array - numbers.get("zero", (0.0,))[0]) * numbers["scale"][0]
        return np.asarray(array, np.float32)

    @property
    def strides(self) -> tuple[float, ...]:
        """Input px from cell to cell, level by level."""
        return self.tensors["boxes"][1].get("strides", (8.0, 16.0, 32.0))

    def number(self, word: str, usual: float, role: str = "boxes") -> float:
        """One number of the card."""
        return self.tensors[role][1].get(word, (usual,))[0]


@dataclass(frozen=True, slots=True)
class Raw:
    """Boxes in input px, before overlapping ones are dropped."""

    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]

    def only(self, labels: list[int]) -> "Raw":
        """Those of these labels."""
        kept = (self.classes[:, None] == labels).any(1)
        return Raw(self.boxes[kept], self.scores[kept], self.classes[kept])


def _best(
    scores: Floats, threshold: float
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Rows whose best class reaches the threshold, its score and its number."""
    best = scores.max(1)
    rows = np.flatnonzero(best >= threshold)
    return rows, best[rows], scores[rows].argmax(1)


def _corners(centre: Floats, size: Floats) -> Floats:
    return np.hstack([centre - size / 2, centre + size / 2]).astype(np.float32)


def yolox(outputs: Outputs, options: Options, threshold: float) -> Raw:
    """[1, cells, 5 + classes]: offsets to the cell, log size, objectness, classes.

    Where eight bits cannot hold both, `boxes` are the first four and `scores` the others.
    """
    rows = options.array(outputs)[0]
    if "scores" in options.tensors:
        rows = np.hstack([rows, options.array(outputs, "scores")[0]])
    cells = _cells(options.height, options.width, options.strides)
    if len(rows) != len(cells):
        raise BundleError(f"yolox: {len(rows)} cells, the strides give {len(cells)}")
    likely = np.flatnonzero(rows[:, 4] >= threshold)  # no class can lift it above this
    rows, cells = rows[likely], cells[likely]
    found, scores, kinds = _best(rows[:, 4:5] * rows[:, 5 : 5 + options.labels], threshold)
    rows, corner, step = rows[found], cells[found, :2], cells[found, 2:]
    centre = rows[:, :2] * step + corner
    size = np.exp(rows[:, 2:4].clip(-10, 10)) * step
    return Raw(_corners(centre, size), scores, kinds)


@lru_cache(maxsize=8)
def _cells(height: int, width: int, strides: tuple[float, ...]) -> Floats:
    """[cells, 3]: upper left corner and side of each cell in input px, as YOLOX has them."""
    levels = []
    for stride in strides:
        y, x = np.mgrid[0 : int(height // stride), 0 : int(width // stride)] * stride
        levels.append(np.column_stack([x.ravel(), y.ravel(), np.full(x.size, stride)]))
    return np.concatenate(levels).astype(np.float32)


def fastestdet(outputs: Outputs, options: Options, threshold: float) -> Raw:
    """[1, 5 + classes, H, W]: objectness, offsets (tanh), sizes (sigmoid), classes."""
    planes = options.array(outputs)[0]
    _, high, wide = planes.shape
    rows = planes.reshape(len(planes), -1).T
    joint = rows[:, :1].clip(0) ** 0.6 * rows[:, 5 : 5 + options.labels].clip(0) ** 0.4
    found, scores, kinds = _best(joint, threshold)
    y, x = np.divmod(found, wide)
    picture = np.array([options.width, options.height], np.float32)
    centre = (np.column_stack([x, y]) + np.tanh(rows[found, 1:3])) / [wide, high] * picture
    size = picture / (1 + np.exp(-rows[found, 3:5].clip(-30, 30)))
    return Raw(_corners(centre.astype(np.float32), size), scores, kinds)


def ssd(outputs: Outputs, options: Options, threshold: float) -> Raw:
    """[1, 1, n, 7]: picture, label (1 is the card's first), score, corners as shares."""
    rows = options.array(outputs).reshape(-1, 7)
    first = int(options.number("first", 1.0))
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 2] >= threshold)]
    picture = np.array([options.width, options.height] * 2, np.float32)
    return Raw(rows[:, 3:7] * picture, rows[:, 2], rows[:, 1].astype(np.int64) - first)


def yolo(outputs: Outputs, options: Options, threshold: float) -> Raw:
    """[1, 4 + classes, cells]: centre, size in px, then one score per class."""
    rows = options.array(outputs)[0].T
    found, scores, kinds = _best(rows[:, 4 : 4 + options.labels], threshold)
    return Raw(_corners(rows[found, :2], rows[found, 2:4]), scores, kinds)
