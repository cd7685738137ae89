"""Labels that people left out, filled in by networks that agree.

What two teachers see and nobody labelled is a person; what one sees may be, and then no
student is blamed for either answer.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from apps.retail_analytics.training.pictures import Example

Look = Callable[[Example], np.ndarray]
"""Boxes [n, 5] in px of the picture, with their scores."""
LIKELY = 0.5
SAME, INSIDE = 0.4, 0.7  # IoU, share of a box: from here on two boxes are one person


def complete(examples: list[Example], looks: list[Look]) -> list[Example]:
    """The real ones among `examples` with the people that nobody labelled."""
    return [_completed(one, looks) if one.camera else one for one in examples]


def _completed(example: Example, looks: list[Look]) -> Example:
    seen = [look(example) for look in looks]
    boxes, unsure = [*example.boxes], [*example.unsure]
    for index, found in enumerate(seen):
        others = np.vstack([rows for at, rows in enumerate(seen) if at != index])
        for row in found:
            known = np.array([*boxes, *unsure]).reshape(-1, 4)
            if _shared(row, known).max(initial=0.0) > SAME:
                continue
            sure = others[others[:, 4] >= LIKELY]
            agreed = row[4] >= LIKELY and _shared(row, sure).max(initial=0.0) > SAME
            part = _inside(row, np.array(boxes).reshape(-1, 4)).max(initial=0.0) > INSIDE
            (boxes if agreed and not part else unsure).append(row[:4])
    return replace(example, boxes=_array(boxes), unsure=_array(unsure))


def _array(boxes: list[np.ndarray]) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _common(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    upper = np.maximum(others[:, :2], box[:2])
    lower = np.minimum(others[:, 2:4], box[2:4])
    return np.asarray((lower - upper).clip(0).prod(1))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[:, 2:4] - boxes[:, :2]).prod(1).clip(1e-6))


def _shared(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of a box with each of the others."""
    common = _common(box, others)
    return np.asarray(common / (_areas(box[None])[0] + _areas(others) - common))


def _inside(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the smaller one that a box has in common with each of the others."""
    smaller = np.minimum(_areas(box[None])[0], _areas(others))
    return np.asarray(_common(box, others) / smaller)
