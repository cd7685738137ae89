"""How good the inspection is on labelled pictures: detection figures and escapes.

A detector's mAP says nothing of the gate. So each part also goes through the shipped
rules: an escape is a defective part given PASS, a false reject a good one that is not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from glob import iglob
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
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
IMAGES, LABELS = "images", "labels"
ROUNDED = 1e-6
"""So far beyond 0 or 1 a label's numbers may be: tools round."""


@dataclass(frozen=True)
class DataSet:
    """A YOLO folder: data.yaml, images/, labels/, and good/ for defect-free parts."""

    root: Path
    images: tuple[Path, ...]
    """Folders of pictures, or .txt files that list them."""
    labels: tuple[str, ...]
    split: str

    def pictures(self) -> list[Path]:
        """The labelled pictures, by name; raises ConfigError for a list that says none."""
        found = sorted({path for source in self.images for path in _pictures_of(source)})
        return split_held_out(found)[1] if self.split == HELD_OUT else found

    def good(self) -> list[Path]:
        """Defect-free parts of the same split; empty when there are none."""
        if self.split == HELD_OUT:  # those beside the training pictures were trained on
            return []
        own = (source.name for source in self.images if source.is_dir())
        names = {self.split if name == IMAGES else name for name in own} or {self.split}
        return sorted(
            path for name in names for path in _pictures_in(self.root / "good" / name)
        )

    def truth(self, picture: Path, shape: tuple[int, ...]) -> Truth:
        """The labels beside `picture` in px; raises ConfigError on an unreadable line."""
        return read_labels(labels_of(picture), shape, len(self.labels))


def _pictures_of(source: Path) -> list[Path]:
    if source.is_dir():
        return _pictures_in(source)
    try:
        lines = source.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{source}: no list of pictures ({error})") from error
    return [_below_images(source.parent / line.strip()) for line in lines if line.strip()]


def _pictures_in(folder: Path) -> list[Path]:
    """In it and the folders below, linked ones too; hidden files are none."""
    # Path.glob follows no linked folders before Python 3.13.
    found = iglob("**", root_dir=folder, recursive=True)  # noqa: PTH207
    return [folder / name for name in found if Path(name).suffix.lower() in PICTURES]


def labels_of(picture: Path) -> Path:
    """The label file of a picture: the last folder `images` on its way is `labels` there."""
    parts = list(picture.with_suffix(".txt").parts)
    parts[len(parts) - 1 - parts[::-1].index(IMAGES)] = LABELS
    return Path(*parts)


def _below_images(path: Path) -> Path:
    if IMAGES not in path.parts:
        raise ConfigError(f"{path}: must lie under a folder {IMAGES}: labels lie beside it")
    return path


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
        table = yaml.safe_load(path.read_text("utf-8-sig"))
        labels = _names(table["names"])
        said = table["train" if split == HELD_OUT else split]
        entries = said if isinstance(said, list) else [said]
        root = folder
        if not all((folder / entry).exists() for entry in entries):
            root = folder / (table.get("path") or "")
        images = tuple(root / entry for entry in entries)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"{path}: needs {split} and names ({why})") from error
    for source in images:
        if not source.is_dir() and not (source.is_file() and source.suffix == ".txt"):
            raise ConfigError(f"{source}: no such folder or list ({split} of {path})")
        if source.is_dir():
            _below_images(source)
    return DataSet(root, images, labels, split)


def _names(names: Any) -> tuple[str, ...]:
    if isinstance(names, dict):
        by_number = {int(number): name for number, name in names.items()}
        if sorted(by_number) != list(range(len(names))):
            raise ValueError("names are numbered from 0 on")
        names = [by_number[number] for number in range(len(names))]
    return tuple(map(str, names))


def read_labels(path: Path, shape: tuple[int, ...], kinds: int) -> Truth:
    """YOLO label lines (class, centre x, y, width, height, all but the first in 0–1).

    Or a class and the corners of a polygon, whose box it is then. Raises ConfigError.
    """
    if not path.is_file():
        return Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    try:
        lines = [line for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
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
    polygon = len(box) >= 6 and len(box) % 2 == 0
    inside = all(-ROUNDED <= value <= 1 + ROUNDED for value in box)
    if kind not in range(kinds) or not inside or not (polygon or len(box) == 4):
        raise ValueError(
            f"{line.strip()[:80]!r}: a class below {kinds}, then 4 numbers from 0 to 1, or a "
            "polygon's"
        )
    if polygon:
        (left, right), (top, bottom) = ((min(v), max(v)) for v in (box[::2], box[1::2]))
        box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    return [kind, *box]


def evaluate(
    model: Model,
    recipe: Recipe,
    data: DataSet,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """All figures of one model on one data set, as the JSON that README and card use."""
    labels = tuple(model.card.labels)
    if sorted(data.labels) != sorted(labels):
        raise ConfigError(
            f"{data.root}: its kinds {list(data.labels)} are not the model's {list(labels)}"
        )
    kinds = np.array([labels.index(name) for name in data.labels])
    detector = Detector(model)
    pairs, passed = [], 0
    for path in _telling("picture", _labelled(data), progress):
        picture = _read(path)
        labelled = data.truth(path, picture.shape)
        truth = Truth(labelled.boxes, kinds[labelled.classes])
        found = detector.detect(prepare(picture, recipe), LOWEST_SCORE)
        pairs.append((found, truth))
        passed += bool(len(truth.boxes)) and _passes(found, model, recipe)
    defective = sum(bool(len(truth.boxes)) for _, truth in pairs)
    good_parts = _telling("good part", data.good(), progress)
    good = [_passes_file(path, detector, model, recipe) for path in good_parts]
    return {
        "images": len(pairs),
        "runtime": f"{model.artefact.runtime}/{model.artefact.precision}",
        "model": model.card.name,
        "split": data.split,
        **figures(pairs, labels),
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


def _labelled(data: DataSet) -> list[Path]:
    """The pictures; raises ConfigError where there are none, or no labels."""
    paths = data.pictures()
    if not paths:
        raise ConfigError(f"{', '.join(map(str, data.images))}: no pictures")
    if not any(labels_of(path).is_file() for path in paths):
        raise ConfigError(f"{labels_of(paths[0])}: is not there: no picture has a label file")
    return paths


def _telling(what: str, paths: list[Path], progress: Callable[[str], None]) -> Iterator[Path]:
    for number, path in enumerate(paths, start=1):
        progress(f"{what} {number} of {len(paths)}")
        yield path


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
