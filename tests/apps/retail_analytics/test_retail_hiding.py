"""Shops in which people hide each other: what is seen of them, and what a network finds."""

import numpy as np
import pytest

from apps.retail_analytics import evaluate, simulate
from apps.retail_analytics.config import APP, Settings
from apps.retail_analytics.evaluation import hidden
from apps.retail_analytics.shop import hiding
from apps.retail_analytics.shop.people import SHELVES, Person
from apps.retail_analytics.shop.view import LOW
from common.config import load

LEFT, TOP, RIGHT, BOTTOM = range(4)


def standing(number, x, y, height_m=1.75):
    return Person(number, "adult", height_m, 1.0, np.array([x, y]), [], (9, 9, 9))


def test_who_stands_alone_is_seen_from_head_to_foot():
    (alone,) = hiding.seen(LOW, [standing(1, 5.0, 1.0)])
    assert alone.share == 1.0
    assert (alone.hidden == 0).all()
    body = LOW.body(np.array([5.0, 1.0]), 1.75)
    assert alone.box == pytest.approx(body, abs=0.1 * (body[BOTTOM] - body[TOP]))


def test_who_stands_behind_loses_the_legs_first():
    behind, front = hiding.seen(LOW, [standing(1, 5.0, 2.0), standing(2, 5.0, 1.0)])
    assert front.share == 1.0
    assert (front.hidden == 0).all()
    assert 0.1 < behind.share < 0.9
    assert behind.hidden[BOTTOM] > 0.3
    assert behind.hidden[TOP] == 0
    assert behind.box[BOTTOM] < front.box[BOTTOM]


def test_what_hides_does_not_depend_on_the_order_of_the_list():
    people = [standing(1, 5.0, 2.0), standing(2, 5.1, 1.0), standing(3, 4.7, 1.6)]
    one, other = hiding.seen(LOW, people), hiding.seen(LOW, people[::-1])
    assert [sight.share for sight in one] == [sight.share for sight in other[::-1]]


def test_a_shelf_hides_legs():
    x, y = SHELVES[2]
    (sight,) = hiding.seen(LOW, [standing(1, x + 0.5, y + 0.9)])
    assert sight.share < 0.8
    assert sight.hidden[BOTTOM] > 0.2


def test_a_child_right_behind_a_grown_up_is_not_seen():
    child, _ = hiding.seen(LOW, [standing(1, 5.0, 0.6, 0.9), standing(2, 5.0, 0.3, 1.9)])
    assert child.share < 0.2


@pytest.fixture(scope="module")
def crowd():
    recording, _ = simulate.recording("low", 60.0, seed=21, people_per_min=20.0, fps=10.0)
    return recording


def test_a_recording_knows_what_is_hidden_of_everybody_in_it(crowd):
    assert len(crowd.hidden) == len(crowd.views) == 600
    for (ids, _), (edges, shares) in zip(crowd.views, crowd.hidden, strict=True):
        assert edges.shape == (len(ids), 4)
        assert shares.shape == ids.shape
        assert ((shares >= 0) & (shares <= 1)).all()
    assert np.mean(np.concatenate([share for _, share in crowd.hidden]) < 0.7) > 0.1


def test_made_detections_are_the_same_for_a_seed(crowd):
    one, again = hidden.detections(crowd), hidden.detections(crowd)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(one, again, strict=True))
    other = hidden.detections(crowd, seed=8)
    assert any(a[0].shape != b[0].shape for a, b in zip(one, other, strict=True))


def test_boxes_stay_in_the_picture_and_who_is_not_seen_is_not_found(crowd):
    width, height = crowd.size
    found = hidden.detections(crowd)
    for boxes, scores in found:
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= (width, height)).all()
        assert ((scores > 0) & (scores < 1)).all()
    there = sum(len(ids) for ids, _ in crowd.views)
    clear = sum(int((shares > 0.5).sum()) for _, shares in crowd.hidden)
    assert 0.85 * clear < sum(len(boxes) for boxes, _ in found) < there


def test_most_of_a_crowd_that_hides_each_other_is_counted(crowd):
    figures = evaluate.one(load(Settings, APP / "app.toml"), crowd, None)
    assert figures["crossings"] > 30
    assert figures["crossing_precision"] > 0.85
    assert figures["crossing_recall"] > 0.8
