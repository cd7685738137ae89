"""How good the inspection is on labelled pictures: detection figures and escapes.

A detector's mAP says nothing of the gate. So each part also goes through the shipped
rules: an escape is a defective part given PASS, a false reject a good one that is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from apps.defect_inspection.config import Recipe
from apps.defect_inspection.decide import judge_defects
from apps.defect_inspection.domain import Verdict
from apps.defect_inspection.perceive import Detector, prepare, to_defects
from common.errors import ConfigError
from common.inference.accuracy import (
    COCO_IOUS,
    PAPER_IOU,
    Truth,
    average_precision,
    best_f,
    match,
    mean_ap,
)
from common.inference.bundle import Model
from common.inference.images import Detections

HELD_OUT, HELD_OUT_EVERY = "held-out", 10
LOWEST_SCORE = 0.001  # detections below it change no figure but cost time
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class DataSet:
    """A YOLO folder: data.yaml, images/, labels/, and good/ for defect-free parts."""

    root: Path
    images: Path
    labels: tuple[str, ...]
    split: str

    def pictures(self) -> list[Path]:
        """The labelled pictures, by name."""
        found = sorted(p for p in self.images.rglob("*") if p.suffix.lower() in PICTURES)
        return split_held_out(found)[1] if self.split == HELD_OUT else found

    def good(self) -> list[Path]:
        """Defect-free parts of the same split; empty when there are none."""
        if self.split == HELD_OUT:  # those beside the training pictures were trained on
            return []
        folder = self.root / "good" / self.images.name
        return sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURES)

    def truth(self, picture: Path, shape: tuple[int, ...]) -> Truth:
        """The labels beside `picture` in px; raises ConfigError on an unreadable line."""
        relative = picture.relative_to(self.root / "images").with_suffix(".txt")
        return read_labels(self.root / "labels" / relative, shape, len(self.labels))


def split_held_out(pictures: list[Path]) -> tuple[list[Path], list[Path]]:
    """(trained on, held out): of the training pictures every tenth by name is held out."""
    held = pictures[::HELD_OUT_EVERY]
    return sorted(set(pictures) - set(held)), held


def open_dataset(folder: Path, split: str = "val") -> DataSet:
    """The data set in `folder`; raises ConfigError naming what is wrong.

    `split` is a key of data.yaml, or "held-out": the tenth of `train` not trained on.
    """
    path = folder / "data.yaml"
    try:
        table = yaml.safe_load(path.read_text())
        names = table["names"]
        labels = [names[key] for key in sorted(names)] if isinstance(names, dict) else names
        labels = tuple(labels)
        images = folder / table["train" if split == HELD_OUT else split]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"{path}: needs {split} and names ({why})") from error
    if not images.is_relative_to(folder / "images"):
        raise ConfigError(f"{images}: must lie under {folder / 'images'}: labels lie beside it")
    if not images.is_dir():
        raise ConfigError(f"{images}: no such folder ({split} of {path})")
    return DataSet(folder, images, labels, split)


def read_labels(path: Path, shape: tuple[int, ...], kinds: int) -> Truth:
    """YOLO label lines (class, centre x, y, width, height, all but the first in 0–1)."""
    if not path.is_file():
        return Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    try:
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        rows = [_label(line, kinds) for line in lines]
    except ValueError as error:
        raise ConfigError(f"{path}: not a YOLO label file ({error})") from error
    table = np.array(rows, np.float64).reshape(-1, 5)
    centre, half = table[:, 1:3], table[:, 3:5] / 2
    size = np.array([shape[1], shape[0]] * 2)
    boxes = np.hstack([centre - half, centre + half]) * size
    return Truth(boxes.astype(np.float32), table[:, 0].astype(np.int64))


def _label(line: str, kinds: int) -> list[float]:
    kind, *box = (float(value) for value in line.split())
    if kind not in range(kinds) or len(box) != 4 or not all(0 <= v <= 1 for v in box):
        raise ValueError(f"{line.strip()!r}: a class below {kinds}, then 4 numbers from 0 to 1")
    return [kind, *box]


def evaluate(model: Model, recipe: Recipe, data: DataSet) -> dict[str, Any]:
    """All figures of one model on one data set, as the JSON that README and card use."""
    if tuple(data.labels) != tuple(model.card.labels):
        raise ConfigError(
            f"{data.root}: its kinds {list(data.labels)} are not the model's "
            f"{list(model.card.labels)}"
        )
    detector = Detector(model)
    pairs, passed = [], 0
    for picture, truth in _labelled(data):
        found = detector.detect(prepare(picture, recipe), LOWEST_SCORE)
        pairs.append((found, truth))
        passed += bool(len(truth.boxes)) and _passes(found, model, recipe)
    defective = sum(bool(len(truth.boxes)) for _, truth in pairs)
    good = [_passes_file(path, detector, model, recipe) for path in data.good()]
    return {
        "images": len(pairs),
        "runtime": f"{model.artefact.runtime}/{model.artefact.precision}",
        "model": model.card.name,
        "split": data.split,
        **figures(pairs, model.card.labels),
        "escapes_per_1000": _per_1000(passed, defective),
        "false_rejects_per_1000": _per_1000(len(good) - sum(good), len(good)),
        "defective_parts": defective,
        "good_parts": len(good),
    }


def figures(pairs: list[tuple[Detections, Truth]], labels: tuple[str, ...]) -> dict[str, Any]:
    """Mean AP at IoU 0.33, 0.5 and 0.5–0.95, best F at 0.33, and the same per class."""
    by_iou = {limit: match(pairs, len(labels), limit) for limit in (PAPER_IOU, *COCO_IOUS)}
    f, threshold = best_f(by_iou[PAPER_IOU])
    per_class = {}
    for kind, label in enumerate(labels):
        if not by_iou[PAPER_IOU][kind].total:
            continue
        ap = {limit: average_precision(matched[kind]) for limit, matched in by_iou.items()}
        per_class[label] = {
            "boxes": by_iou[PAPER_IOU][kind].total,
            "ap33": round(ap[PAPER_IOU], 4),
            "ap50": round(ap[0.5], 4),
            "ap50_95": round(float(np.mean([ap[limit] for limit in COCO_IOUS])), 4),
            "best_f": round(best_f([by_iou[PAPER_IOU][kind]])[0], 4),
        }
    return {
        "map33": round(mean_ap(by_iou[PAPER_IOU]), 4),
        "map50": round(mean_ap(by_iou[0.5]), 4),
        "map50_95": round(float(np.mean([mean_ap(by_iou[x]) for x in COCO_IOUS])), 4),
        "best_f": round(f, 4),
        "best_f_threshold": round(threshold, 3),
        "per_class": per_class,
    }


def _labelled(data: DataSet) -> Iterator[tuple[np.ndarray, Truth]]:
    paths = data.pictures()
    if not paths:
        raise ConfigError(f"{data.images}: no pictures")
    for path in paths:
        picture = _read(path)
        yield picture, data.truth(path, picture.shape)


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ConfigError(f"{path}: not a picture")
    return np.asarray(picture)


def _passes(found: Detections, model: Model, recipe: Recipe) -> bool:
    defects = to_defects(found, model.card.labels, recipe.mm_per_px)
    return judge_defects(defects, recipe)[0] is Verdict.PASS


def _passes_file(path: Path, detector: Detector, model: Model, recipe: Recipe) -> bool:
    found = detector.detect(prepare(_read(path), recipe), LOWEST_SCORE)
    return _passes(found, model, recipe)


def _per_1000(number: int, total: int) -> float | None:
    """None when there was no part to count: not the same as none found."""
    return round(1000 * number / total, 2) if total else None
