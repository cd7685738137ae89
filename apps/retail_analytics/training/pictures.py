"""Labelled pictures as the student sees them: real ones, drawn ones, changed at every look.

Real pictures are split by time (café, depth) or by every fifth name (COCO); what is held out
is never trained on, calibrated on or chosen by. The clips are not here at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from common.errors import ConfigError
from common.inference.images import PAD_GREY

COLOUR = ("café", "COCO")
SETS = {"cafe": "café", "coco_open": "COCO", "overhead_depth_gotpd": "depth from above"}
HELD_OUT_SHARE = 0.2
LEAST_PX = 5.0  # people smaller than this are not asked for
LEAST_LEFT = 0.3  # share of a box that must be left in the picture


@dataclass(frozen=True)
class Example:
    """A picture uint8 BGR, its people [n, 4] in px, where nobody is sure [m, 4], its kind."""

    picture: np.ndarray
    boxes: np.ndarray
    unsure: np.ndarray
    kind: str
    camera: bool = False
    """Whether a camera took it, in colour: what the teachers know."""


def real(boxes: Path) -> tuple[list[Example], list[Example]]:
    """To train on and held out, from the folder that holds the sets; raises ConfigError."""
    train, held = [], []
    for folder, kind in SETS.items():
        files = sorted((boxes / folder / "images").glob("*.jpg"))
        if not files:
            raise ConfigError(f"{boxes / folder}: has no images/*.jpg")
        for index, file in enumerate(files):
            late = index >= len(files) * (1 - HELD_OUT_SHARE)
            out = index % 5 == 0 if kind == "COCO" else late
            (held if out else train).append(_read(file, kind))
    return train, held


def _read(file: Path, kind: str) -> Example:
    picture = cv2.imread(str(file))
    if picture is None:
        raise ConfigError(f"{file}: cannot be read as a picture")
    labels = file.parents[1] / "labels" / f"{file.stem}.txt"
    lines = labels.read_text("utf-8").splitlines() if labels.is_file() else []
    rows = np.array([line.split()[:5] for line in lines if line.strip()], np.float64)
    rows = rows.reshape(-1, 5)
    rows = rows[rows[:, 0] == 0, 1:]  # 1 is a head, in the depth pictures only
    size = np.array(picture.shape[1::-1])
    half = rows[:, 2:] / 2
    boxes = np.hstack([(rows[:, :2] - half) * size, (rows[:, :2] + half) * size])
    return Example(
        picture, boxes.astype(np.float32), np.zeros((0, 4), np.float32), kind, kind in COLOUR
    )


class Looks:
    """Changed looks at examples, on a canvas of the network's input."""

    def __init__(self, height: int, width: int, seed: int) -> None:
        self._size, self._random = (height, width), np.random.default_rng(seed)

    def look(self, example: Example) -> Example:
        """One example, somewhere on the canvas, larger or smaller, in other light."""
        shown = self._placed(example, *self._size)
        return self._lit(self._masked(shown))

    def four(self, examples: Sequence[Example]) -> Example:
        """Four examples side by side."""
        high, wide = self._size
        y, x = (round(side * self._random.uniform(0.35, 0.65)) for side in (high, wide))
        canvas = np.empty((high, wide, 3), np.uint8)
        boxes, unsure = [], []
        rooms = ((0, 0, y, x), (0, x, y, wide), (y, 0, high, x), (y, x, high, wide))
        for example, (top, left, bottom, right) in zip(examples, rooms, strict=True):
            part = self._placed(example, bottom - top, right - left, 0.9)
            canvas[top:bottom, left:right] = part.picture
            boxes.append(part.boxes + np.float32([left, top] * 2))
            unsure.append(part.unsure + np.float32([left, top] * 2))
        joined = replace(
            examples[0], picture=canvas, boxes=np.vstack(boxes), unsure=np.vstack(unsure)
        )
        return self._lit(joined)

    def _placed(self, example: Example, high: int, wide: int, more: float = 0.0) -> Example:
        random, picture = self._random, example.picture
        rows, columns = picture.shape[:2]
        fit = min(high / rows, wide / columns)
        scale = fit * float(np.exp(random.uniform(-0.7 + 0.5 * more, 0.7 + more)))
        room = np.array([wide - columns * scale, high - rows * scale])
        shift = random.uniform(np.minimum(room, 0), np.maximum(room, 0))
        turn = -1.0 if random.random() < 0.5 else 1.0
        left = shift[0] if turn > 0 else shift[0] + (columns - 1) * scale
        matrix = np.array([[turn * scale, 0, left], [0, scale, shift[1]]], np.float32)
        how = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR
        small = picture
        if scale < 0.6:  # warping would drop pixels where a camera averages them
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
            matrix[:, :2] = [[turn, 0], [0, 1]]
        canvas = cv2.warpAffine(
            small, matrix, (wide, high), borderMode=cv2.BORDER_CONSTANT,
            borderValue=(PAD_GREY,) * 3,
        )  # fmt: skip
        moved = [
            _moved(boxes, turn, scale, (left, shift[1]))
            for boxes in (example.boxes, example.unsure)
        ]
        kept, cut = _cut(moved[0], high, wide)
        also, more_cut = _cut(moved[1], high, wide)
        return replace(
            example, picture=canvas, boxes=kept, unsure=np.vstack([cut, also, more_cut])
        )

    def _masked(self, shown: Example) -> Example:
        """Sometimes a grey patch, as a privacy mask is; whom it hides need not be found."""
        random = self._random
        if random.random() > 0.15:
            return shown
        high, wide = self._size
        y, x = random.uniform(-0.2, 0.9, 2) * self._size
        tall, broad = random.uniform(0.1, 0.5, 2) * self._size
        patch = np.array([x, y, x + broad, y + tall]).clip(0, [wide, high] * 2)
        left, top, right, bottom = patch.round().astype(int)
        shown.picture[top:bottom, left:right] = PAD_GREY
        hidden = _share_in(shown.boxes, patch)
        kept, half = shown.boxes[hidden < 0.3], shown.boxes[hidden >= 0.3]
        return replace(shown, boxes=kept, unsure=np.vstack([shown.unsure, half]))

    def _lit(self, shown: Example) -> Example:
        random, picture = self._random, shown.picture.astype(np.float32)
        if random.random() < 0.15:
            picture[:] = picture.mean(2, keepdims=True)
        elif random.random() < 0.6:
            picture *= random.uniform(0.85, 1.15, 3).astype(np.float32)
        if random.random() < 0.7:
            contrast, level = random.uniform(0.7, 1.3), random.uniform(-30, 30)
            picture = (picture - 128) * np.float32(contrast) + np.float32(128 + level)
        if random.random() < 0.2:
            width = float(random.uniform(0.4, 1.2))
            picture = cv2.GaussianBlur(picture, (0, 0), width)
        if random.random() < 0.3:
            spread = random.uniform(2, 10)
            picture += random.normal(0, spread, picture.shape[:2]).astype(np.float32)[..., None]
        return replace(shown, picture=picture.clip(0, 255).astype(np.uint8))


def fitted(example: Example, height: int, width: int) -> Example:
    """Shrunk or grown into the upper left, as the station does it."""
    rows, columns = example.picture.shape[:2]
    scale = min(height / rows, width / columns)
    size = (min(width, round(columns * scale)), min(height, round(rows * scale)))
    canvas = np.full((height, width, 3), PAD_GREY, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(example.picture, size)
    boxes, unsure = (boxes * np.float32(scale) for boxes in (example.boxes, example.unsure))
    return replace(example, picture=canvas, boxes=boxes, unsure=unsure)


def _moved(
    boxes: np.ndarray, turn: float, scale: float, shift: tuple[float, float]
) -> np.ndarray:
    x = boxes[:, [0, 2]] * scale * turn + shift[0]
    y = boxes[:, [1, 3]] * scale + shift[1]
    ends = np.column_stack([x.min(1), y[:, 0], x.max(1), y[:, 1]]) if len(boxes) else boxes
    return ends.astype(np.float32).reshape(-1, 4)


def _cut(boxes: np.ndarray, high: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes within the canvas that must be found, and those too cut or too small for it."""
    cut = boxes.clip(0, np.float32([wide, high] * 2))
    sides, whole = cut[:, 2:] - cut[:, :2], boxes[:, 2:] - boxes[:, :2]
    left = sides.prod(1) / whole.prod(1).clip(1e-6)
    there = sides.min(1) > 0 if len(cut) else np.zeros(0, bool)
    good = there & (left >= LEAST_LEFT) & (sides.min(1, initial=1e9) >= LEAST_PX)
    return cut[good], cut[there & ~good]


def _share_in(boxes: np.ndarray, patch: np.ndarray) -> np.ndarray:
    upper, lower = np.maximum(boxes[:, :2], patch[:2]), np.minimum(boxes[:, 2:], patch[2:])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1).clip(1e-6)
    return np.asarray((lower - upper).clip(0).prod(1) / areas)
