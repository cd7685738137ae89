"""The shop in software: the same for a seed, and true to its own floor."""

import numpy as np
import pytest

from apps.retail_analytics import simulate
from apps.retail_analytics.shop.people import Shop
from apps.retail_analytics.shop.view import ABOVE, CORNER


def test_a_seed_is_a_day():
    one, truth = simulate.recording("corner", 40.0, seed=3)
    again, same = simulate.recording("corner", 40.0, seed=3)
    other, _ = simulate.recording("corner", 40.0, seed=4)
    assert truth == same
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(one.views, again.views, strict=True))
    assert any(len(a[1]) != len(b[1]) for a, b in zip(one.views, other.views, strict=True))


def test_truth_is_the_same_from_every_camera():
    _, corner = simulate.recording("corner", 60.0, seed=3)
    _, above = simulate.recording("above", 60.0, seed=3)
    assert corner == above


def test_there_are_groups_children_trolleys_staff_u_turns_and_queues():
    shop, kinds = Shop(seed=3, people_per_min=20.0), set()
    for people in shop.played(5.0, 420.0):
        kinds |= {person.kind for person in people}
    assert kinds == {"adult", "child", "trolley", "staff"}
    assert any(wait.served for wait in shop.waits)
    assert all(wait.ended >= wait.joined for wait in shop.waits)


def test_nobody_leaves_who_did_not_come():
    _, truth = simulate.recording("above", 120.0, seed=9)
    inside = set()
    for crossing in truth.crossings:
        if crossing.direction == "in":
            inside.add(crossing.track)
        else:
            assert crossing.track in inside
            inside.discard(crossing.track)


@pytest.mark.parametrize("view", [CORNER, ABOVE], ids=["corner", "above"])
def test_the_homography_is_the_cameras(view):
    floor = simulate.floor_of(view)
    spots = [(4.0, 0.5), (5.5, 1.5), (6.0, 2.0)]
    for point, spot in zip(view.on_plane(spots), spots, strict=True):
        assert floor.project(point) == pytest.approx(spot, abs=1e-4)


@pytest.mark.parametrize("view", simulate.VIEWS)
def test_in_is_into_the_shop_in_the_picture_too(view):
    recording, _ = simulate.recording(view, 1.0)
    camera, line = simulate.VIEWS[view], recording.lines[0]
    outside, inside = camera.on_plane([(5.0, 0.0), (5.0, 2.2)])
    assert line.distance(outside) < 0 < line.distance(inside)


@pytest.mark.parametrize("view", ["corner", "above"])
def test_pictures_show_people_and_the_light_changes(view):
    frames = [
        frame for frame, _ in simulate.pictures(view, 4.0, seed=3, people_per_min=40.0, fps=2.0)
    ]
    assert frames[0].shape == (480, 640, 3)
    assert frames[0].dtype == np.uint8
    assert any((np.abs(a.astype(int) - frames[0]) > 40).sum() > 300 for a in frames[1:])


def test_the_camera_gives_picture_after_picture():
    camera = simulate.ShopCamera("corner", fps=10.0)
    assert not np.array_equal(camera.capture(), camera.capture())
    assert camera.shop.now == pytest.approx(0.2)
