"""Lines: what is a crossing and what is not, by the cases that counters are known to miss."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics.config import Counting, Tracking
from apps.retail_analytics.decide import CameraState, Rules, Scene
from apps.retail_analytics.domain import View
from apps.retail_analytics.geometry import Floor, Line
from apps.retail_analytics.perceive import to_tracks
from apps.retail_analytics.tracking import MotionTracker
from common.pipeline import Fault
from common.quality import Quality

from . import retail_people as people

person, walk, crossings, directions = (
    people.person, people.walk, people.crossings, people.directions,
)  # fmt: skip
IN_WALK = ((2.0, -1.5), (2.0, 1.5))
OUT_WALK = (IN_WALK[1], IN_WALK[0])


def alone(tracks):
    return [[track] for track in tracks]


def test_going_from_the_negative_to_the_positive_side_is_in():
    assert directions(alone(walk(1, *IN_WALK, 30))) == ["in"]
    assert directions(alone(walk(1, *OUT_WALK, 30))) == ["out"]


def test_the_sign_is_the_one_of_the_cross_product_in_the_picture():
    line = Line("door", (10.0, 20.0), (50.0, 60.0))
    x, y = 40.0, 20.0
    cross = (50 - 10) * (y - 20) - (60 - 20) * (x - 10)
    assert np.sign(line.distance((x, y))) == np.sign(cross)


def test_id_minus_one_is_never_counted():
    assert crossings(alone(walk(-1, *IN_WALK, 30))) == []


def test_who_is_not_confirmed_is_counted_only_once_they_are():
    way = walk(1, *IN_WALK, 30)
    doubtful = [person(1, *track.spot, confirmed=False) for track in way]
    assert crossings(alone(doubtful)) == []
    assert directions(alone(doubtful[:20] + way[20:])) == ["in"]


def test_flicker_of_the_detection_is_one_crossing():
    way = walk(1, *IN_WALK, 40)
    views = [[] if index % 3 == 1 else [track] for index, track in enumerate(way)]
    assert directions(views) == ["in"]


def test_id_reuse_for_somebody_far_away_is_no_crossing():
    first = walk(7, (1.0, -3.0), (1.0, -2.5), 10)
    other = walk(7, (1.0, 12.0), (1.0, 12.5), 10)
    assert crossings(alone(first + other)) == []


def test_id_reuse_after_a_long_time_is_another_person():
    views = [*alone(walk(7, (1.0, -1.0), (1.0, -0.5), 10)), *([[]] * 400)]
    assert crossings(views + alone(walk(7, (1.0, 0.5), (1.0, 1.0), 10))) == []


def test_lingering_on_the_line_is_no_crossing():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.03, 600)
    views = [[person(1, 2.0, float(y))] for y in noise]
    assert crossings(views) == []


def test_lingering_around_the_line_is_at_most_once_per_direction():
    swing = [0.6 * np.sin(index / 8) for index in range(600)]
    found = directions([[person(1, 2.0, float(y))] for y in swing])
    assert sorted(found) == ["in", "out"]


def test_after_lingering_the_counts_say_on_which_side_everybody_is():
    swing = [0.6 * np.sin(index / 8) for index in range(420)]
    leave = [(swing[-1] + step * 0.05) for step in range(60)]
    found = directions([[person(1, 2.0, float(y))] for y in swing + leave])
    start, end = swing[4] > 0, leave[-1] > 0
    assert found.count("in") - found.count("out") == int(end) - int(start)


def test_walking_along_the_line_is_no_crossing():
    rng = np.random.default_rng(2)
    way = [person(1, 4.0 * i / 90, float(0.04 + rng.normal(0, 0.03))) for i in range(90)]
    assert crossings(alone(way)) == []


def test_walking_around_the_end_of_the_line_is_no_crossing():
    way = walk(1, (5.0, -1.5), (5.0, 1.5), 30)
    assert crossings(alone(way)) == []


def test_around_the_end_and_back_through_it_is_out():
    around = walk(1, (5.0, -1.5), (5.0, 1.5), 30) + walk(1, (5.0, 1.5), (2.0, 1.5), 20)
    assert directions(alone(around + walk(1, *OUT_WALK, 30))) == ["out"]


def test_crossing_and_back_is_one_in_and_one_out():
    way = walk(1, *IN_WALK, 30) + walk(1, *OUT_WALK, 30)
    assert directions(alone(way)) == ["in", "out"]


def test_who_was_well_clear_and_comes_again_counts_again():
    once = walk(1, *IN_WALK, 30) + walk(1, *OUT_WALK, 30)
    assert directions(alone(once + once)) == ["in", "out", "in", "out"]


def test_a_turn_inside_the_dead_band_is_nothing():
    way = walk(1, (2.0, -1.5), (2.0, 0.08), 30) + walk(1, (2.0, 0.08), (2.0, -1.5), 30)
    assert crossings(alone(way)) == []


def test_two_people_abreast_are_two():
    one, other = walk(1, (1.0, -1.5), (1.0, 1.5), 30), walk(2, (1.6, -1.5), (1.6, 1.5), 30)
    found = crossings([[a, b] for a, b in zip(one, other, strict=True)])
    assert sorted(found) == [("in", 1), ("in", 2)]


def test_frame_drops_lose_no_crossing():
    way = walk(1, *IN_WALK, 45)
    views = [[track] for index, track in enumerate(way) if index % 5 in (0, 1)]
    assert directions(views, fps=6.0) == ["in"]


def test_5_fps_is_enough():
    way = walk(1, (2.0, -2.0), (2.0, 2.0), 14)  # 1.4 m/s
    assert directions(alone(way), fps=5.0) == ["in"]


def test_expected_places_prove_no_crossing():
    seen = walk(1, (2.0, -1.0), (2.0, -0.3), 10)
    guessed = [person(1, 2.0, 0.1 * i, detected=False) for i in range(12)]
    assert crossings(alone(seen + guessed)) == []


def test_the_time_of_a_crossing_is_when_it_was_on_the_line():
    decisions = people.played(alone(walk(1, (2.0, -1.5), (2.0, 1.5), 31)))
    (found,) = [c for decision in decisions for c in decision.crossings]
    assert found.monotonic == pytest.approx(16 / people.FPS, abs=0.01)


def test_who_creeps_over_the_line_crossed_it_when_most_of_them_says_so():
    """Two seconds up to the line, one step over it, and ten seconds of swaying beyond it."""
    rng = np.random.default_rng(4)
    near = np.linspace(-0.4, -0.04, 30)
    beyond = 0.04 + rng.normal(0, 0.03, 150)
    ys = [*near, *beyond, *np.linspace(0.1, 0.8, 10)]
    decisions = people.played([[person(1, 2.0, float(y))] for y in ys])
    (found,) = [c for decision in decisions for c in decision.crossings]
    assert (beyond < 0).sum() > 5
    assert found.monotonic == pytest.approx(31 / people.FPS, abs=0.2)


@given(
    st.lists(
        st.tuples(st.floats(-2, 6), st.floats(-3, 3), st.booleans()), min_size=1, max_size=60
    )
)
def test_there_are_never_more_crossings_than_changes_of_side(places):
    views = [[person(1, x, y, detected=seen)] for x, y, seen in places]
    slow = Counting(longest_gap_s=60.0)
    found = directions(views, rules=slow, fps=1.0)
    sides = [y >= 0 for x, y, _ in places]
    assert len(found) <= sum(a != b for a, b in itertools.pairwise(sides))


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=60))
def test_on_a_line_without_ends_in_and_out_alternate(ys):
    endless = Scene("cam", (Line("door", (-1e6, 0.0), (1e6, 0.0)),))
    views = [[person(1, 2.0, y)] for y in ys]
    found = directions(views, scene=endless, rules=Counting(longest_gap_s=60.0), fps=1.0)
    assert all(a != b for a, b in itertools.pairwise(found))


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=40), st.floats(0.0, 1.0))
def test_a_wider_dead_band_never_counts_more(ys, more):
    views = [[person(1, 2.0, y)] for y in ys]
    counts = []
    for band in (0.1, 0.1 + 0.9 * more):
        rules = Counting(dead_band_m=band, settled_views=1, rearm_m=0.0, longest_gap_s=60.0)
        counts.append(len(directions(views, rules=rules, fps=1.0)))
    assert counts[1] <= counts[0]


@given(st.lists(st.tuples(st.floats(0, 4), st.floats(-3, 3)), min_size=2, max_size=40))
def test_turning_the_line_around_turns_the_directions(places):
    views = [[person(1, x, y)] for x, y in places]
    line = people.DOOR
    back = Scene("cam", (Line("door", line.end, line.start),))
    slow = Counting(longest_gap_s=60.0)
    one = directions(views, rules=slow, fps=1.0, scene=Scene("cam", (line,)))
    other = directions(views, rules=slow, fps=1.0, scene=back)
    assert other == [{"in": "out", "out": "in"}[direction] for direction in one]


# ------------------------------------------------- what a broken view may not do


def test_a_dark_camera_is_not_an_empty_shop():
    decisions = people.played([*alone(walk(1, *IN_WALK, 10)), None, None])
    assert [decision.usable for decision in decisions[-2:]] == [False, False]
    assert decisions[-1].reason.startswith("dark")
    assert decisions[-1].present is None


def test_a_fault_counts_nothing_and_says_why():
    decide = Rules(Scene("cam", (people.DOOR,)))
    _, decision = decide(CameraState(), Fault("perceive", "onnxruntime", "no answer"))
    assert not decision.usable
    assert decision.reason == "perceive: no answer"


def test_a_way_across_a_long_gap_is_not_guessed():
    before, after = walk(1, (2.0, -1.0), (2.0, -0.5), 10), walk(1, (2.0, 0.5), (2.0, 1.0), 10)
    decide, state, found = Rules(Scene("cam", (people.DOOR,))), CameraState(), []
    for index, track in enumerate(before + after):
        late = 3.0 if index >= len(before) else 0.0
        view = View("cam", index / 15 + late, (track,))
        state, decision = decide(state, view)
        found += decision.crossings
        if index == len(before):
            assert not decision.usable
            assert "no view for" in decision.reason
    assert found == []


def test_views_out_of_order_are_refused():
    decide = Rules(Scene("cam", (people.DOOR,)))
    state, _ = decide(CameraState(), View("cam", 2.0))
    with pytest.raises(ValueError, match="order of time"):
        decide(state, View("cam", 2.0))


def test_a_bad_view_does_not_end_a_track():
    way = alone(walk(1, *IN_WALK, 30))
    views = [*way[:14], None, *way[14:]]
    assert directions(views) == ["in"]


def dark(views):
    return [None] * views


def test_a_way_across_a_long_dark_is_not_guessed():
    before, after = walk(1, (2.0, -1.0), (2.0, -0.5), 10), walk(1, (2.0, 0.5), (2.0, 1.0), 10)
    assert directions([*alone(before), *dark(20), *alone(after)]) == ["in"]  # 1.3 s: bridged
    assert directions([*alone(before), *dark(45), *alone(after)]) == []


def test_through_a_long_dark_nothing_of_anybody_is_remembered():
    decide, state = Rules(Scene("cam", (people.DOOR,), (people.SHELF,))), CameraState()
    for index, track in enumerate(walk(1, (2.0, -1.0), (2.0, 2.0), 60)):
        state, _ = decide(state, View("cam", index / 15, (track,)))
    assert all((state.seen, state.lines["door"], state.zones["shelf"].stays))
    for index in range(60, 95):
        state, _ = decide(state, View("cam", index / 15, (), Quality.BAD, "dark: 2"))
    assert (state.seen, state.lines, state.zones, state.aliases) == ({}, {}, {}, {})


def test_what_is_remembered_ends_with_the_tracks():
    decide, state = Rules(Scene("cam", (people.DOOR,), (people.SHELF,))), CameraState()
    for index in range(2000):
        state, _ = decide(state, View("cam", index / 5, (person(index, 1.0, -1.0),)))
    assert max(len(state.seen), len(state.lines["door"]), len(state.aliases)) < 100


# ---------------------------------------------- the tracker and the rules together


@pytest.mark.parametrize(("outage_s", "same"), [(1.0, True), (2.0, False), (20_000.0, False)])
def test_who_comes_after_an_outage_is_somebody_else(outage_s, same):
    tracker = MotionTracker(Tracking())
    for view in range(20):
        first = tracker.update(np.array([box(300, 200)]), np.array([0.9]), view / 15)
    again = tracker.update(np.array([box(310, 200)]), np.array([0.9]), 19 / 15 + outage_s)
    assert ([one.id for one in again] == [one.id for one in first]) is same
    assert [one.confirmed for one in again] == [same]


PX = Line("door", (0.0, 240.0), (640.0, 240.0))


def tracked(boxes_by_view, fps=15.0):
    """(direction) of the crossings that boxes in px lead to."""
    tracker, floor = MotionTracker(Tracking()), Floor()
    decide, state, found = Rules(Scene("cam", (PX,))), CameraState(), []
    for index, boxes in enumerate(boxes_by_view):
        now = (index + 1) / fps
        result = tracker.update(
            np.array(boxes, float).reshape(-1, 4), np.full(len(boxes), 0.9), now
        )
        view = View("cam", now, to_tracks(result, floor, 1.7), Quality.GOOD)
        state, decision = decide(state, view)
        found += [crossing.direction for crossing in decision.crossings]
    return found


def box(x, foot, height=120.0):
    return [x - 20, foot - height, x + 20, foot]


@pytest.mark.parametrize("fps", [5.0, 10.0, 15.0, 30.0])
def test_boxes_that_walk_over_the_line_are_counted_at_any_rate(fps):
    steps = int(4 * fps)
    assert tracked([[box(300, 140 + 50 * i / fps)] for i in range(steps)], fps) == ["in"]


def test_boxes_that_flicker_are_one_person():
    views = [[] if i % 4 == 1 else [box(300, 140 + 4 * i)] for i in range(60)]
    assert tracked(views) == ["in"]


def test_two_boxes_abreast_are_two_people():
    views = [[box(280, 140 + 4 * i), box(325, 142 + 4 * i)] for i in range(60)]
    assert tracked(views) == ["in", "in"]


def test_boxes_that_pass_each_other_are_in_and_out():
    views = [[box(290, 140 + 4 * i), box(330, 380 - 4 * i)] for i in range(60)]
    assert sorted(tracked(views)) == ["in", "out"]


def test_a_gap_on_the_line_is_bridged():
    views = [[] if 22 <= i < 34 else [box(300, 140 + 4 * i)] for i in range(60)]
    assert tracked(views) == ["in"]


def test_boxes_seen_once_are_nobody():
    rng = np.random.default_rng(3)
    views = [
        [box(*rng.uniform([50, 200], [600, 280]))] if i % 9 == 0 else [] for i in range(300)
    ]
    assert tracked(views) == []


def test_a_box_that_swallows_a_neighbour_moves_nobodys_feet():
    """Two people in one box: the head is one's, the feet are the other's, over the line."""
    alone = [[box(300, 200)] for _ in range(20)]
    swallowed = [[box(300, 280, 200)] for _ in range(4)]
    assert tracked(alone + swallowed + alone) == []


def test_nobody_lost_comes_back_as_two_people_in_one_box():
    """Who was lost above the line is not the tall box below it."""
    views = [[box(300, 200)] for _ in range(20)] + [[]] * 5
    assert tracked(views + [[box(300, 260, 180)] for _ in range(20)]) == []


def test_who_runs_out_of_sight_is_looked_for_where_people_walk():
    """At 4 m/s a box soon hands a track on to somebody else's."""
    tracker, step = MotionTracker(Tracking()), 1 / 15
    for view in range(20):
        tracker.update(np.array([box(100 + 19 * view, 200)]), np.array([0.9]), view * step)
    unseen = [
        tracker.update(np.zeros((0, 4)), np.zeros(0), (20 + view) * step) for view in range(8)
    ]
    start, end = (result[0].box[0] for result in (unseen[0], unseen[-1]))
    assert 0 < (end - start) / (120 / 1.7) <= 2.5 * 7 * step
