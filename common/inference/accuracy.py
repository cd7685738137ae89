"""How well boxes fit the truth: average precision and best F, the way the field counts.

Matching and the 101-point interpolation follow COCO (Lin et al. 2014): detections in
order of score take the unmatched truth of their class they overlap most, at or above the
IoU limit; everything else is a false alarm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.inference.images import Detections, iou

COCO_IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
PAPER_IOU = 0.33  # what the DeepPCB paper counts as found


@dataclass(frozen=True, slots=True)
class Truth:
    """What really is in one picture."""

    boxes: NDArray[np.float32]
    """[n, 4] xyxy px."""
    classes: NDArray[np.int64]
    """[n]."""


@dataclass(frozen=True, slots=True)
class Matched:
    """All detections of one class over a data set, best first, at one IoU limit."""

    scores: NDArray[np.float32]
    hit: NDArray[np.bool_]
    total: int
    """Boxes of that class that there are to find."""


def match(pairs: list[tuple[Detections, Truth]], classes: int, limit: float) -> list[Matched]:
    """Hits and misses by class at IoU `limit`; one entry per class."""
    return [_match_class(pairs, kind, limit) for kind in range(classes)]


def _match_class(pairs: list[tuple[Detections, Truth]], kind: int, limit: float) -> Matched:
    scores, hits, total = [], [], 0
    for found, truth in pairs:
        mine, real = found.classes == kind, truth.boxes[truth.classes == kind]
        total += len(real)
        order = np.argsort(-found.scores[mine], kind="stable")
        scores.append(found.scores[mine][order])
        hits.append(_assign(found.boxes[mine][order], real, limit))
    all_scores = np.concatenate([*scores, np.zeros(0, np.float32)])
    all_hits = np.concatenate([*hits, np.zeros(0, bool)])
    order = np.argsort(-all_scores, kind="stable")
    return Matched(all_scores[order], all_hits[order].astype(bool), total)


def _assign(boxes: NDArray[np.float32], real: NDArray[np.float32], limit: float) -> np.ndarray:
    overlaps = iou(boxes, real)
    free = np.ones(len(real), bool)
    hit = np.zeros(len(boxes), bool)
    for row in range(len(boxes)):
        candidates = np.where(free, overlaps[row], -1.0)
        if len(candidates) and candidates.max() >= limit:
            free[candidates.argmax()] = False
            hit[row] = True
    return hit


def average_precision(matched: Matched) -> float:
    """Area under the precision envelope at 101 recalls; NaN when there is nothing to find."""
    if not matched.total:
        return float("nan")
    if not len(matched.hit):
        return 0.0
    hits = np.cumsum(matched.hit)
    recall = hits / matched.total
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    points = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(envelope, 0.0)[points].mean())  # recalls never reached count 0


def best_f(per_class: list[Matched]) -> tuple[float, float]:
    """Highest F1 of all classes pooled, and the score threshold that gives it."""
    scores = np.concatenate([matched.scores for matched in per_class])
    hit = np.concatenate([matched.hit for matched in per_class])
    total = sum(matched.total for matched in per_class)
    if not len(scores) or not total:
        return 0.0, 1.0
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(hit[order])
    f = 2 * hits / (np.arange(1, len(hits) + 1) + total)
    f[:-1][np.diff(scores[order]) == 0] = 0.0  # a threshold takes all of equal score or none
    best = int(f.argmax())
    return float(f[best]), float(scores[order][best])


def mean_ap(per_class: list[Matched]) -> float:
    """Mean of the classes that occur in the truth."""
    values = [average_precision(m) for m in per_class if m.total]
    return float(np.mean(values)) if values else 0.0
