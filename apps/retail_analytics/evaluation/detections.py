"""Detections made from the truth, as imperfect as a detector's: for tracks without pictures.

Edges jitter, people are missed now and then and for a while, those behind others are cut
or gone, and boxes stand where nobody is. All of it comes from one seed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.evaluation.truth import Views

Floats = NDArray[np.float64]
Found = list[tuple[Floats, Floats]]
"""Per picture: boxes [n, 4] and scores [n]."""


@dataclass(frozen=True)
class Faults:
    """How imperfect the detections are."""

    jitter: float = 0.03
    """Standard deviation of each edge, as a share of the box's height."""
    missed: float = 0.08
    """Share of single views without a box."""
    gaps_per_s: float = 0.05
    """Gaps of `gap_s` per person and second, in which somebody is not found at all."""
    gap_s: float = 0.5
    false_per_view: float = 0.1
    hidden: float = 0.65
    """Share of a box behind nearer ones from which it is mostly not found."""
    from_above: bool = False
    """Nobody hides anybody."""
    seed: int = 7


def detections(views: Views, fps: float, faults: Faults) -> Found:
    """What a detector would have said, picture by picture."""
    random = np.random.default_rng(faults.seed)
    frame = _frame(views)
    blind: dict[int, float] = {}
    found: Found = []
    for index, (ids, boxes) in enumerate(views):
        now = index / fps
        seen = random.random(len(ids)) >= faults.missed
        for row, number in enumerate(ids.tolist()):
            if random.random() < faults.gaps_per_s / fps:
                blind[number] = now + random.exponential(faults.gap_s)
            seen[row] &= blind.get(number, 0.0) <= now
        covered = np.zeros(len(ids)) if faults.from_above else _covered(boxes)
        seen &= (covered < faults.hidden) | (random.random(len(ids)) < 0.1)
        real = _shaken(boxes[seen], covered[seen], faults.jitter, random)
        scores = (0.85 - 0.5 * covered[seen] + random.normal(0, 0.08, len(real))).clip(
            0.05, 0.99
        )
        wrong = _false(boxes, frame, random.poisson(faults.false_per_view), random)
        faint = random.beta(2, 4, len(wrong)).clip(0.05, 0.95)
        found.append((np.vstack([real, wrong]), np.concatenate([scores, faint])))
    return found


def _covered(boxes: Floats) -> Floats:
    """[n] share of each box that lies behind people standing nearer the camera."""
    covered = np.zeros(len(boxes))
    for row, box in enumerate(boxes):
        nearer = boxes[boxes[:, 3] > box[3]]
        if len(nearer):
            low = np.maximum(nearer[:, :2], box[:2])
            high = np.minimum(nearer[:, 2:], box[2:])
            shared = (high - low).clip(0).prod(1)
            covered[row] = min(1.0, shared.sum() / max((box[2:] - box[:2]).prod(), 1e-9))
    return covered


def _shaken(
    boxes: Floats, covered: Floats, jitter: float, random: np.random.Generator
) -> Floats:
    heights = (boxes[:, 3] - boxes[:, 1])[:, None]
    shaken = boxes + random.normal(0, jitter, boxes.shape) * heights
    cut = np.where(covered > 0.3, 0.5 * covered, 0.0) * heights[:, 0]
    shaken[:, 3] -= cut  # of who is behind somebody, the legs
    shaken[:, 2:] = np.maximum(shaken[:, 2:], shaken[:, :2] + 1.0)
    return shaken


def _frame(views: Views) -> Floats:
    everything = np.vstack([boxes for _, boxes in views if len(boxes)])
    return np.concatenate([everything[:, :2].min(0), everything[:, 2:].max(0)])


def _false(boxes: Floats, frame: Floats, count: int, random: np.random.Generator) -> Floats:
    """Boxes where nobody is, of the size people have here."""
    if not count or not len(boxes):
        return np.zeros((0, 4))
    sizes = (boxes[:, 2:] - boxes[:, :2])[random.integers(0, len(boxes), count)]
    corners = random.uniform(frame[:2], np.maximum(frame[2:] - sizes, frame[:2] + 1.0))
    return np.hstack([corners, corners + sizes])
