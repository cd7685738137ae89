"""Feet that nobody sees: told from the head, and never sure enough to count by themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics import feet
from apps.retail_analytics.config import Counting, Tracking
from apps.retail_analytics.decide import CameraState, Rules, Scene
from apps.retail_analytics.domain import View
from apps.retail_analytics.geometry import Floor, Line
from apps.retail_analytics.perceive import to_tracks
from apps.retail_analytics.shop.view import LOW
from apps.retail_analytics.stature import Stature
from apps.retail_analytics.tracking import MotionTracker

from .retail_people import crossings, person

SIZE = (640, 480)
FPS = 10.0
SLOPE, FIRST = 0.6, 10.0  # a body's height is 10 px at the upper edge and grows by 0.6


def high(top):
    return FIRST + SLOPE * top


def body(x, top, share=1.0, cut=0.0, wide=40.0):
    """The box of a body with its head at (x, top), cut from below by a share of it."""
    whole = share * high(top)
    return [x - wide / 2, top, x + wide / 2, top + (1 - cut) * whole]


def seen(boxes):
    return feet.looked_at(boxes, [0.9] * len(boxes), SIZE)


def learned(noise=0.0, count=400, seed=1):
    rng, stature = np.random.default_rng(seed), Stature()
    for _ in range(count):
        x, top = rng.uniform((50, 60), (590, 260)).tolist()
        stature.learn([(x, top, high(top) * (1 + rng.normal(0, noise)))])
    return stature


# ------------------------------------------------------------- how high people are


def test_nothing_is_usual_before_enough_people_were_seen():
    stature = Stature()
    stature.learn([(100.0, 100.0, 70.0)])
    assert not stature.known
    assert stature.height(70.0, 100.0, 170.0) == pytest.approx(70.0)


@given(st.floats(60, 260), st.floats(0.5, 1.4))
def test_a_height_and_its_share_undo_each_other(top, share):
    stature = learned()
    foot = 300.0, top + share * high(top)
    height = stature.height(share, *foot)
    assert height == pytest.approx(share * high(top), rel=0.03)
    assert stature.share(height, *foot) == pytest.approx(share)


@pytest.mark.parametrize("noise", [0.0, 0.08])
def test_the_plane_is_found_in_uneven_boxes(noise):
    stature = learned(noise)
    for x, top in ((100.0, 80.0), (500.0, 240.0)):
        assert stature.usual(x, top) == pytest.approx(high(top), rel=0.05)


def test_people_who_are_cut_do_not_make_everybody_smaller():
    stature = learned()
    for _ in range(300):
        stature.learn([(300.0, 150.0, 0.6 * high(150))])
    assert stature.usual(300.0, 150.0) == pytest.approx(high(150), rel=0.02)


@pytest.mark.parametrize(("seconds", "known"), [(4, False), (90, True)])
def test_boxes_of_one_moment_are_not_many_people(seconds, known):
    """200 boxes in 4 s are eight looks: too few to say how high a newcomer's body must be."""
    fps = 50.0
    alone = [[body(300, 150)]] * int(seconds * fps)
    newcomer = [[body(300, 150), body(100, 140, cut=0.4), body(102, 190)]]
    last = followed(alone + newcomer, fps)[-1]
    assert any(one.unsure > 0 for one in last) == known


def test_a_plane_says_where_feet_are_as_a_real_camera_does():
    """Bodies of 1.7 m seen by a pinhole: a body's height below the head, within 3 %."""
    rng, stature = np.random.default_rng(2), Stature()
    spots = rng.uniform((2.0, 0.5), (8.0, 6.0), (1200, 2))
    boxes = np.array([LOW.body(spot, 1.7) for spot in spots]).tolist()
    bodies = [((left + right) / 2, top, low - top) for left, top, right, low in boxes]
    for one in bodies:
        stature.learn([one])
    tallest = max(height for _, _, height in bodies)
    for x, top, height in bodies:
        assert stature.usual(x, top) == pytest.approx(height, abs=0.03 * tallest)


# ------------------------------------------------------------- what hides feet


def test_who_stands_in_front_covers_feet_and_who_stands_beside_does_not():
    behind, front, beside = body(300, 150), body(305, 190), body(400, 190)
    assert [one.front for one in seen([behind, front, beside])] == [True, False, False]


def test_the_lower_edge_of_the_picture_covers_feet():
    box = [300.0, 300.0, 340.0, 479.0]
    (known,), (unknown,) = seen([box]), feet.looked_at([box], [0.9], (0, 0))
    assert (known.front, unknown.front) == (True, False)


@given(st.floats(0.0, 0.9))
def test_a_body_that_the_side_cuts_stands_where_it_stood(cut):
    """A body 40 px wide, its left edge at 610 px: what is beyond 640 px is not in the box."""
    left = 610.0 + 30.0 * cut
    box = [left, 100.0, min(left + 40.0, 640.0), 200.0]
    (found,) = seen([box])
    assert found.middle(40.0) == pytest.approx(left + 20.0)


def test_who_is_first_seen_behind_somebody_is_as_high_as_people_are():
    behind, front = seen([body(300, 150, cut=0.4), body(302, 190)])
    stature = learned()
    told = feet.first(behind, stature)
    assert (told.hidden, told.whole) == (True, False)
    assert told.y == pytest.approx(150 + high(150), rel=0.02)
    assert not feet.first(front, stature).hidden


def followed(boxes_by_view, fps=FPS):
    """The tracks after each view."""
    tracker = MotionTracker(Tracking(), 1.7, SIZE)
    return [
        tracker.update(np.array(boxes, float), np.full(len(boxes), 0.9), index / fps)
        for index, boxes in enumerate(boxes_by_view)
    ]


TEACH = [
    [body(100 + 40 * (k % 12), 80 + 15 * (k % 10))] for k in range(200) for _ in range(6)
] + [[]] * 60
"""Views of people one after the other, all over the picture: then a camera knows its plane."""


def with_head_at(top, tracked):
    return min(tracked, key=lambda one: abs(one.box[1] - top))


def walking(steps, **more):
    return [[body(300, 100 + 2 * index, **more)] for index in range(steps)]


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0])
def test_feet_that_a_person_in_front_covers_stay_on_the_floor(fps):
    """Who stands is covered from the feet up to the hip, slowly, by somebody who comes near."""
    alone = [[body(300, 120)] for _ in range(int(4 * fps))]
    covered = []
    for index in range(int(3 * fps)):
        behind = body(300, 120, cut=0.5 * index / (3 * fps))
        covered.append([behind, body(310, behind[3] - 2)])
    last = followed(TEACH + alone + covered, fps)[-1]
    one = with_head_at(120, last)
    assert one.box[3] == pytest.approx(120 + high(120), abs=0.08 * high(120))
    assert one.unsure > 0


def test_feet_that_are_seen_are_sure():
    assert all(one.unsure == 0 for tracked in followed(walking(40)) for one in tracked)


@pytest.mark.parametrize("before", [[], TEACH], ids=["a new camera", "a camera that knows"])
def test_a_box_that_loses_its_legs_at_once_moves_nobody(before):
    views = followed(before + [[body(300, 120)]] * 20 + [[body(300, 120, cut=0.45)]] * 5)
    assert views[-1][0].box[3] == pytest.approx(120 + high(120), abs=0.1 * high(120))
    assert views[-1][0].unsure > 0.03 * high(120)


def test_a_head_beyond_the_upper_edge_says_nothing_of_feet():
    """Who walks towards the camera loses the head, not the feet."""
    near = [[[280, max(0.0, 60.0 - 6 * i), 340, 300 + 6 * i]] for i in range(20)]
    last = followed(near)[-1]
    assert last[0].box[3] == pytest.approx(near[-1][0][3], abs=10.0)
    assert last[0].unsure == 0


def test_who_was_first_seen_behind_a_shelf_is_whole_when_walking_out():
    """With the plane known, the more usual of two heights is believed within half a second."""
    shelf = [[body(300, 150, cut=0.45)] for _ in range(15)]
    out = [[body(300 + 3 * i, 150)] for i in range(6)]
    last = followed(TEACH + shelf + out)[-1]
    one = with_head_at(150, last)
    assert one.box[3] == pytest.approx(150 + high(150), abs=0.1 * high(150))


# ------------------------------------------------------------- what is counted by them


def counted(views):
    tracker, floor, line = MotionTracker(Tracking(), 1.7, SIZE), Floor(), LINE
    decide, state, found = Rules(Scene("cam", (line,))), CameraState(), []
    for index, boxes in enumerate(views):
        tracked = tracker.update(np.array(boxes, float), np.full(len(boxes), 0.9), index / FPS)
        view = View("cam", index / FPS, to_tracks(tracked, floor, 1.7))
        state, decision = decide(state, view)
        found += [crossing.direction for crossing in decision.crossings]
    return found


LINE = Line("shelf", (0.0, 180.0), (640.0, 180.0))


def test_a_box_cut_above_the_line_crosses_nothing():
    """The feet stand at 202 px below the line at 180; the box ends above it for a second."""
    stands = [[body(300, 120)] for _ in range(20)]
    cut = [[body(300, 120, cut=0.45)] for _ in range(10)]
    assert counted(stands + cut + stands) == []


def test_feet_that_are_not_seen_have_to_be_farther_from_the_line():
    near, far = 0.15, 0.6
    before = [[person(1, 2.0, -0.5)]] * 5
    assert crossings(before + [[person(1, 2.0, near)]] * 5) == [("in", 1)]
    assert crossings(before + [[person(1, 2.0, near, unsure=(0.0, 0.3))]] * 5) == []
    assert crossings(before + [[person(1, 2.0, far, unsure=(0.0, 0.3))]] * 5) == [("in", 1)]


def test_what_is_unsure_along_the_line_does_not_matter():
    before, after = [[person(1, 2.0, -0.5)]] * 5, [[person(1, 2.0, 0.2, unsure=(0.9, 0.0))]] * 3
    assert crossings(before + after) == [("in", 1)]


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=40), st.floats(0.0, 1.0))
def test_less_sure_feet_never_count_more(ys, off):
    rules = Counting(settled_views=1, rearm_m=0.0, longest_gap_s=60.0)
    sure = [[person(1, 2.0, y)] for y in ys]
    unsure = [[person(1, 2.0, y, unsure=(0.0, off))] for y in ys]
    assert len(crossings(unsure, rules=rules)) <= len(crossings(sure, rules=rules))
