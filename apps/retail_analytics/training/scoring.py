"""How well a person detector sees, per kind of picture: the figures of the card.

The detector is the station's own (`detector.py`) on any runtime, so what is measured is what
runs. Where nobody is sure whether there is a person, a detection is neither hit nor miss.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.training.drawn import drawn
from apps.retail_analytics.training.labels import Look, complete
from apps.retail_analytics.training.pictures import Example, real
from common.inference.accuracy import Truth, average_precision, best_f, match
from common.inference.images import Detections, iou

FAINTEST = 0.02
SURE = 0.35  # score at which recall and precision are told
DRAWN_SEED = 900_001  # far from the recipe's seeds
CLIP_PICTURES = 60
CLIPS = {
    "nvidia_Retail02_short.mp4": "shop clip",
    "intel_one-by-one-person-detection.mp4": "hall clip",
}


def sets(data: Path, looks: list[Look], judged: int) -> dict[str, list[Example]]:
    """{name: labelled pictures} that no weight was learned from; `judged` drawn ones each."""
    _, held = real(data / "people" / "boxes")
    kinds = dict.fromkeys(one.kind for one in held)
    found = {f"{kind}, labelled": [one for one in held if one.kind == kind] for kind in kinds}
    for view in ("corner", "above"):
        found[f"drawn {view}"] = list(drawn(view, judged, DRAWN_SEED))
    for file, name in CLIPS.items():
        path = data / "people" / "video_no_gt" / file
        if path.exists():
            found[f"{name}, as the teachers see it"] = complete(list(_clip(path, name)), looks)
    return found


def _clip(path: Path, name: str) -> Iterable[Example]:
    """Evenly spaced frames, with nobody labelled yet."""
    empty = np.zeros((0, 4), np.float32)
    video = cv2.VideoCapture(str(path))
    step = max(1, int(video.get(cv2.CAP_PROP_FRAME_COUNT)) // CLIP_PICTURES)
    index = 0
    while video.grab():
        if index % step == 0:
            _, frame = video.retrieve()
            yield Example(frame, empty, empty, name, camera=True)
        index += 1
    video.release()


def score(detector: PersonDetector, examples: list[Example]) -> dict[str, float | int]:
    """AP at IoU 0.5, best F, and recall and precision of what scores `SURE`."""
    pairs = [_pair(detector.detect(one.picture, FAINTEST), one) for one in examples]
    matched = match(pairs, 1, 0.5)
    sure = matched[0].scores >= SURE
    hits, told, total = int(matched[0].hit[sure].sum()), int(sure.sum()), matched[0].total
    f, at = best_f(matched)
    return {
        "pictures": len(examples),
        "people": total,
        "ap50": _round(average_precision(matched[0])),
        "best_f": _round(f),
        "best_f_at": _round(at),
        "recall": _round(hits / max(1, total)),
        "precision": _round(hits / max(1, told)),
    }


def _pair(found: Detections, example: Example) -> tuple[Detections, Truth]:
    """Without the detections that only meet somebody who may be missed."""
    truth = Truth(example.boxes, np.zeros(len(example.boxes), np.int64))
    kinds = np.zeros(len(found.boxes), np.int64)
    if len(example.unsure) and len(found.boxes):
        doubtful = _inside(found.boxes, example.unsure) > 0.5
        known = iou(found.boxes, example.boxes).max(1, initial=0.0) >= 0.5
        kept = known | ~doubtful
        found = replace(found, boxes=found.boxes[kept], scores=found.scores[kept])
        kinds = kinds[kept]
    return replace(found, classes=kinds), truth


def _inside(boxes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Largest share of each box [n] that lies in one of the places."""
    upper = np.maximum(boxes[:, None, :2], places[None, :, :2])
    lower = np.minimum(boxes[:, None, 2:], places[None, :, 2:])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1).clip(1e-6)
    return np.asarray((lower - upper).clip(0).prod(2).max(1) / areas)


def _round(value: float) -> float:
    return round(float(value), 4)
