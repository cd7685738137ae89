"""Suppression in bulk keeps exactly the boxes that one-by-one suppression keeps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.inference.images import TOGETHER, iou, suppress


def one_by_one(boxes, scores, classes, overlap):
    """The textbook: take the best, drop what it overlaps, go on."""
    order, kept = list(np.argsort(-scores, kind="stable")), []
    while order:
        best = order.pop(0)
        kept.append(best)
        order = [
            other
            for other in order
            if classes[other] != classes[best]
            or iou(boxes[best : best + 1], boxes[other : other + 1])[0, 0] <= overlap
        ]
    return kept


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, TOGETHER + 20),
    st.sampled_from([0.0, 0.3, 0.45, 0.9]),
)
def test_it_keeps_what_the_textbook_keeps(seed, count, overlap):
    random = np.random.default_rng(seed)
    corner = random.integers(0, 12, (count, 2)) * 20.0
    size = random.integers(1, 4, (count, 2)) * 30.0
    boxes = np.hstack([corner, corner + size]).astype(np.float32)
    scores = random.choice([0.3, 0.5, 0.5, 0.9], count).astype(np.float32)
    classes = random.integers(0, 2, count)
    found = suppress(boxes, scores, classes, overlap)
    assert found.tolist() == one_by_one(boxes, scores, classes, overlap)
    assert found.dtype == np.int64
