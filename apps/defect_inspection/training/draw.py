"""A YOLO data set of drawn boards: clean data without end, and truth that is exact.

Boards come from `artwork.py`; with `good` given, half of them are those real defect-free
boards with defects drawn on. They pass the simulated camera and the station's own
binarisation, so the network meets in training what it will meet on the line.
"""

from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.random import Generator

from apps.defect_inspection.artwork import (
    DEFECT_KINDS,
    DrawnDefect,
    add_defects,
    draw_board,
)
from apps.defect_inspection.simulate import photograph
from common.inference.images import binarise

CLEAN_BOARDS = 0.05  # share of boards left without a defect


def draw_dataset(
    folder: Path, count: int, seed: int, split: str = "train", good: list[Path] | None = None
) -> None:
    """Write `count` boards under folder/images/<split>, labels beside them, data.yaml."""
    rng = np.random.default_rng(seed)
    images, labels = folder / "images" / split, folder / "labels" / split
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture, defects = _board(rng, good[number % len(good)] if good else None)
        stem = f"{'traced' if good else 'drawn'}_{seed}_{number:05d}"
        cv2.imwrite(str(images / f"{stem}.png"), picture)
        (labels / f"{stem}.txt").write_text(yolo_lines(defects, picture.shape))
    names = dict(enumerate(DEFECT_KINDS))
    config = {"path": str(folder), "train": "images/train", "val": "images/val"}
    (folder / "data.yaml").write_text(yaml.safe_dump({**config, "names": names}))


def _board(rng: Generator, real: Path | None) -> tuple[np.ndarray, list[DrawnDefect]]:
    clean = draw_board(rng) if real is None else cv2.imread(str(real), cv2.IMREAD_GRAYSCALE)
    if real is not None:
        clean = np.where(clean > 127, 255, 0).astype(np.uint8)
    count = 0 if rng.random() < CLEAN_BOARDS else int(rng.integers(4, 15))
    board, defects = add_defects(clean, rng, list(rng.choice(DEFECT_KINDS, count)))
    if real is not None:
        return board, defects
    frame, moved = photograph(board, rng, defects)
    return binarise(frame), moved


def yolo_lines(defects: list[DrawnDefect], shape: tuple[int, ...]) -> str:
    """The label file's text: class and normalised centre, width, height per line."""
    height, width = shape[:2]
    lines = []
    for defect in defects:
        left, top, right, bottom = defect.box
        box = ((left + right) / 2 / width, (top + bottom) / 2 / height,
               (right - left) / width, (bottom - top) / height)  # fmt: skip
        numbers = " ".join(f"{value:.6f}" for value in box)
        lines.append(f"{DEFECT_KINDS.index(defect.kind)} {numbers}\n")
    return "".join(lines)
