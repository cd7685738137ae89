"""The accuracy figures against cases counted by hand, and what must hold for all."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.inference.accuracy import (
    COCO_IOUS,
    Matched,
    Truth,
    average_precision,
    best_f,
    match,
    mean_ap,
)
from common.inference.images import Detections, iou

SQUARE = (0, 0, 10, 10)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def found(*rows):
    """Detections from (box, score, class)."""
    return Detections(
        boxes(*(row[0] for row in rows)),
        np.array([row[1] for row in rows], np.float32),
        np.array([row[2] for row in rows], np.int64),
    )


def truth(*rows):
    """What is there, from (box, class)."""
    return Truth(boxes(*(row[0] for row in rows)), np.array([r[1] for r in rows], np.int64))


def matched(hits, total, scores=None):
    scores = np.linspace(0.9, 0.1, len(hits)) if scores is None else scores
    return Matched(np.array(scores, np.float32), np.array(hits, bool), total)


def test_finding_all_and_nothing_else_is_1():
    picture = truth((SQUARE, 0), ((20, 20, 30, 30), 1), ((40, 0, 50, 9), 0))
    perfect = found((SQUARE, 0.9, 0), ((20, 20, 30, 30), 0.8, 1), ((40, 0, 50, 9), 0.7, 0))
    per_class = match([(perfect, picture)], 2, 0.95)
    assert mean_ap(per_class) == 1
    assert best_f(per_class) == (1, pytest.approx(0.7))


def test_finding_nothing_is_0():
    per_class = match([(found(), truth((SQUARE, 0)))], 1, 0.5)
    assert average_precision(per_class[0]) == 0
    assert mean_ap(per_class) == 0
    assert best_f(per_class) == (0, 1)


def test_nothing_there_and_nothing_found_counts_nothing():
    per_class = match([(found(), truth())], 2, 0.5)
    assert [m.total for m in per_class] == [0, 0]
    assert mean_ap(per_class) == 0
    assert best_f(per_class) == (0, 1)
    assert match([], 1, 0.5)[0].total == 0


def test_a_class_that_does_not_occur_is_left_out_of_the_mean():
    per_class = match([(found((SQUARE, 0.9, 0), (SQUARE, 0.8, 1)), truth((SQUARE, 0)))], 3, 0.5)
    assert math.isnan(average_precision(per_class[1]))
    assert mean_ap(per_class) == 1


@pytest.mark.parametrize(
    ("hits", "total", "expected"),
    [
        ([1, 0], 1, 1.0),  # a false alarm below the last hit costs nothing
        ([0, 1], 1, 0.5),
        ([1], 2, 51 / 101),  # recalls 0 … 0.5 at precision 1, the rest never reached
        ([1, 0, 1], 2, (51 + 50 * 2 / 3) / 101),
        ([0, 0, 0], 5, 0.0),
        ([0, 1, 1], 2, 2 / 3),  # the envelope lifts the first hit's 1/2 to 2/3
    ],
)
def test_average_precision_by_hand(hits, total, expected):
    assert average_precision(matched(hits, total)) == pytest.approx(expected)


def test_a_second_box_on_one_defect_is_a_false_alarm():
    twice = found((SQUARE, 0.9, 0), (SQUARE, 0.8, 0))
    one = match([(twice, truth((SQUARE, 0)))], 1, 0.5)[0]
    assert one.hit.tolist() == [True, False]


def test_the_best_score_takes_the_truth_it_overlaps_most():
    near, far = (0, 0, 10, 10), (0, 4, 10, 14)
    picture = truth((far, 0), (near, 0))
    both = found(((0, 1, 10, 11), 0.9, 0), ((0, 3, 10, 13), 0.8, 0))
    assert match([(both, picture)], 1, 0.5)[0].hit.tolist() == [True, True]


def test_another_class_or_another_picture_is_no_hit():
    pairs = [(found((SQUARE, 0.9, 1)), truth((SQUARE, 0))), (found(), truth((SQUARE, 1)))]
    nothing, wrong = match(pairs, 2, 0.5)
    assert (nothing.total, len(nothing.hit)) == (1, 0)
    assert (wrong.total, wrong.hit.tolist()) == (1, [False])


def test_detections_of_all_pictures_are_ranked_together():
    pairs = [
        (found((SQUARE, 0.5, 0)), truth((SQUARE, 0))),
        (found((SQUARE, 0.9, 0)), truth()),
        (found((SQUARE, 0.7, 0)), truth((SQUARE, 0))),
    ]
    one = match(pairs, 1, 0.5)[0]
    assert one.scores.tolist() == pytest.approx([0.9, 0.7, 0.5])
    assert one.hit.tolist() == [False, True, True]


@pytest.mark.parametrize("limit", [0.33, *COCO_IOUS])
def test_at_the_iou_limit_a_box_is_found_and_just_under_it_is_not(limit):
    whole = (0, 0, 100, 100)  # a box inside it with area a has IoU a / 10000
    at, under = (0, 0, 100, round(limit * 100)), (0, 0, 100, round(limit * 100) - 1)
    picture = truth((whole, 0))
    assert match([(found((at, 0.9, 0)), picture)], 1, limit)[0].hit.tolist() == [True]
    assert match([(found((under, 0.9, 0)), picture)], 1, limit)[0].hit.tolist() == [False]


def test_best_f_is_at_the_threshold_that_gives_it():
    one = matched([1, 1, 0, 1, 0, 0], 4, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    f, threshold = best_f([one])
    assert f == pytest.approx(2 * 3 / (4 + 4))
    assert threshold == pytest.approx(0.6)


def test_best_f_pools_the_classes():
    f, threshold = best_f([matched([1], 1, [0.9]), matched([0, 1], 1, [0.8, 0.3])])
    assert f == pytest.approx(2 * 2 / (3 + 2))
    assert threshold == pytest.approx(0.3)


def test_equal_scores_are_all_taken_or_none():
    f, threshold = best_f([matched([1, 0, 0], 1, [0.5, 0.5, 0.5])])
    assert f == pytest.approx(2 * 1 / (3 + 1))  # not the 1.0 of the first alone
    assert threshold == 0.5


HITS = st.lists(st.booleans(), max_size=30)
SCORES = st.integers(0, 20).map(lambda n: n / 20)


@given(HITS, st.integers(0, 5), st.data())
def test_one_more_false_alarm_never_raises_a_figure(hits, missed, data):
    total = sum(hits) + missed
    at = data.draw(st.integers(0, len(hits)))
    worse = [*hits[:at], False, *hits[at:]]
    before, after = matched(hits, total), matched(worse, total)
    if total:
        assert average_precision(after) <= average_precision(before) + 1e-12
    assert best_f([after])[0] <= best_f([before])[0] + 1e-12


@given(HITS, st.integers(0, 5))
def test_figures_lie_between_0_and_1(hits, missed):
    one = matched(hits, sum(hits) + missed)
    assert 0 <= best_f([one])[0] <= 1
    assert 0 <= mean_ap([one]) <= 1


@given(st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=30), st.integers(0, 5))
def test_best_f_is_the_best_of_all_thresholds(rows, missed):
    rows.sort(key=lambda row: -row[1])
    total = sum(hit for hit, _ in rows) + missed

    def f_at(threshold):
        taken = [hit for hit, score in rows if score >= np.float32(threshold)]
        return 2 * sum(taken) / (len(taken) + total)

    f, threshold = best_f([matched([h for h, _ in rows], total, [s for _, s in rows])])
    if total:
        rows = [(hit, float(np.float32(score))) for hit, score in rows]
        assert f == pytest.approx(max(f_at(score) for _, score in rows))
        assert f == pytest.approx(f_at(threshold))


CORNERS = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 30)] * 2)
BOXES = CORNERS.map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@given(st.lists(BOXES, max_size=6), st.lists(st.tuples(BOXES, SCORES), max_size=8))
def test_hits_are_never_more_than_there_is_to_find_and_fall_with_the_limit(real, seen):
    pair = (
        found(*((box, score, 0) for box, score in seen)),
        truth(*((box, 0) for box in real)),
    )
    hits = [int(match([pair], 1, limit)[0].hit.sum()) for limit in COCO_IOUS]
    assert hits[0] <= len(real)
    overlaps = iou(pair[0].boxes, pair[1].boxes)
    for limit, number in zip(COCO_IOUS, hits, strict=True):
        assert number <= int((overlaps >= limit).any(1).sum()) if len(real) else number == 0
