"""What is drawn: accepted when it can be counted with, refused in one clear line when not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics import drawing
from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import APP, Settings
from apps.retail_analytics.geometry import Floor, Line, Zone, fit_floor, from_matrix
from common.config import from_table, load
from common.errors import ConfigError

SQUARE = [(10.0, 10.0), (100.0, 10.0), (100.0, 100.0), (10.0, 100.0)]
CORNERS = [list(point) for point in SQUARE]
UNIT = [[0, 0], [1, 0], [1, 1], [0, 1]]
ROW = [[0, 0], [1, 1], [2, 2], [3, 3]]
number = st.floats(-100, 100)


def test_the_shipped_settings_load():
    shipped = load(Settings, APP / "app.toml")
    assert [camera.name for camera in shipped.camera] == ["door", "floor"]


@pytest.mark.parametrize(
    ("polygon", "why"),
    [
        ([(0, 0), (50, 50), (50, 0), (0, 50)], "crosses itself"),
        ([(0, 0), (50, 0), (100, 0)], "crosses itself|no area"),
        ([(5, 5), (5, 5), (5, 5)], "crosses itself|no area"),
        ([(0, 0), (700, 0), (0, 50)], "outside the picture"),
        ([(0, 0), (math.nan, 0), (0, 50)], "outside the picture"),
        ([(0, 0), (10, 0)], "3 or more"),
    ],
)
def test_a_polygon_that_is_none_is_refused(polygon, why):
    with pytest.raises(ValueError, match=why):
        drawing.check_polygon("zone till", polygon, 640, 480)


def test_a_bow_whose_edges_only_touch_is_refused():
    bow = [(0, 0), (100, 0), (50, 50), (100, 100), (0, 100), (50, 50)]
    with pytest.raises(ValueError, match="crosses itself"):
        drawing.check_polygon("z", bow, 640, 480)


def test_a_good_polygon_is_taken_concave_too():
    drawing.check_polygon("z", SQUARE, 640, 480)
    drawing.check_polygon("z", [(0, 0), (90, 0), (90, 90), (45, 20), (0, 90)], 640, 480)


def test_a_line_without_length_is_refused():
    with pytest.raises(ValueError, match="no length"):
        drawing.check_line("door", [(5.0, 5.0), (5.0, 5.0)], 640, 480)


@pytest.mark.parametrize(
    "picture",
    [
        [(0, 0), (10, 0), (20, 0), (5, 30)],
        [(0, 0), (0, 0), (20, 0), (5, 30)],
        [(0, 0), (10, 10), (20, 20), (30, 30)],
    ],
)
def test_a_degenerate_homography_is_refused(picture):
    with pytest.raises(ValueError, match="homography"):
        fit_floor(picture, [(0, 0), (1, 0), (1, 1), (0, 1)])


def test_a_homography_of_zeros_or_one_that_flattens_is_refused():
    for matrix in (np.zeros((3, 3)), np.ones((3, 3)), np.full((3, 3), np.nan)):
        with pytest.raises(ValueError, match="homography"):
            from_matrix(matrix, np.array(SQUARE))


def test_a_horizon_through_the_picture_is_refused():
    matrix = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, -50.0]])
    with pytest.raises(ValueError, match="horizon"):
        from_matrix(matrix, np.array(SQUARE))


def test_a_homography_finds_its_own_points_again():
    floor_m = [(0.0, 0.0), (4.0, 0.0), (4.0, 6.0), (0.0, 6.0)]
    picture_px = [(100, 400), (500, 400), (400, 100), (200, 100)]
    floor = fit_floor(picture_px, floor_m)
    for point, place in zip(picture_px, floor_m, strict=True):
        assert floor.project(point) == pytest.approx(place, abs=1e-6)


def test_feet_on_the_horizon_are_far_away_and_break_nothing():
    """A pinhole 2 m up that looks level: the horizon is at 100 px."""
    floor = Floor(np.array([[1.0, 0.0, -100.0], [0.0, 0.0, 100.0], [0.0, 1.0, -100.0]]))
    x, y = floor.project((110.0, 100.0))
    assert min(x, y) > 1e9


def test_a_floor_that_runs_the_other_way_keeps_in_and_out():
    floor = fit_floor(SQUARE, [(0, 9), (9, 9), (9, 0), (0, 0)])  # y up, as on a plan
    drawn, plane = Line("door", (10, 50), (100, 50)), floor.line("door", (10, 50), (100, 50))
    assert floor.mirrored((50, 50))
    for point in ((50.0, 30.0), (50.0, 70.0)):
        there = floor.project(point)
        assert np.sign(drawn.distance(point)) == np.sign(plane.distance(there))


@given(number, number, number, number)
def test_a_way_cut_in_two_crosses_as_often_as_the_whole(x1, y1, x2, y2):
    line = Line("door", (-1e4, 3.0), (1e4, 4.0))
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    parts = line.crossed((x1, y1), middle) + line.crossed(middle, (x2, y2))
    assert parts % 2 == line.crossed((x1, y1), (x2, y2))


@given(st.floats(0.1, 99.9), st.floats(0.1, 99.9))
def test_a_zone_holds_what_is_in_it_and_nothing_else(x, y):
    zone = Zone("z", ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)))
    assert zone.holds((x, y))
    assert not zone.holds((x + 100.0, y))
    assert not zone.holds((x, -y))


def test_without_a_floor_a_metre_follows_from_the_persons_height():
    assert Floor().metre(170.0) == pytest.approx(100.0)
    assert Floor().metre(30.0, 0.5) == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("camera", "why"),
    [
        ({"line": [{"name": "a", "points": [[0, 0], [0, 0]]}]}, "no length"),
        ({"line": [{"name": "a", "points": [[0, 0], [9, 9, 9]]}]}, r"\[x, y\]"),
        ({"line": [{"name": "a", "points": [[0, 0], [9, 9]]}] * 2}, "twice"),
        (
            {"mask": [{"name": "m", "polygon": [[0, 0], [999, 0], [0, 99]]}]},
            "mask m: .*outside",
        ),
        ({"zone": [{"name": "q", "polygon": CORNERS, "queue": True}]}, "till"),
        ({"zone": [{"name": "q", "polygon": CORNERS, "till": "x"}]}, "no zone"),
        (
            {"homography": {"picture_px": ROW, "floor_m": UNIT}},
            "one row",
        ),
    ],
)
def test_a_wrong_drawing_is_one_clear_line(camera, why):
    with pytest.raises(ConfigError, match=why):
        from_table(Settings, {"camera": [{"name": "c", **camera}]}, APP / "app.toml")


def test_a_camera_with_a_homography_knows_the_floor():
    table = {
        "name": "c",
        "homography": {"picture_px": CORNERS, "floor_m": UNIT},
    }
    assert from_table(CameraSettings, table, APP).floor().known
