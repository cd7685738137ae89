"""px → mm: known views are recovered, doubtful ones refused."""

import tomllib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError, LinesideError
from common.inference.calibration import (
    Calibration,
    CalibrationRefused,
    Target,
    calibrate,
    fit,
    load,
    save,
)

CHESSBOARD = Target(kind="chessboard", columns=9, rows=6, pitch_mm=5.0)
DOTS = Target(kind="dots", columns=9, rows=6, pitch_mm=5.0)
MADE_AT = 1_767_225_600.0
GRID = np.indices((6, 9)).reshape(2, -1).T[:, ::-1] * 5.0


def target_picture(target, view, size=(800, 600)):
    """The target as a camera sees it; `view` [3, 3] takes its mm to px."""
    fine = 20  # px per mm of the drawing
    pitch = int(target.pitch_mm * fine)
    drawing = np.full(((target.rows + 3) * pitch, (target.columns + 3) * pitch), 230, np.uint8)
    if target.kind == "dots":
        for row in range(target.rows):
            for column in range(target.columns):
                cv2.circle(drawing, (2 * pitch + column * pitch, 2 * pitch + row * pitch),
                           pitch // 4, 25, -1, cv2.LINE_AA)  # fmt: skip
    else:
        for row in range(target.rows + 1):
            for column in range(target.columns + 1):
                if (row + column) % 2:
                    corner = (pitch + row * pitch, pitch + column * pitch)
                    drawing[corner[0] :, corner[1] :][:pitch, :pitch] = 25
    middle = 2.0 * pitch - (0.5 if target.kind == "chessboard" else 0.0)
    to_mm = np.array([[1, 0, -middle], [0, 1, -middle], [0, 0, fine]]) / fine
    drawing = cv2.GaussianBlur(drawing, (0, 0), 2.0)  # before it is made smaller
    return cv2.warpPerspective(drawing, view @ to_mm, size, borderValue=230)


def view_of(px_per_mm_x=10.0, px_per_mm_y=10.0, degrees=0.0, tilt=0.0):
    turn = np.radians(degrees)
    middle = np.array([[1, 0, -20.0], [0, 1, -12.5], [0, 0, 1]])  # the target's middle, mm
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    scale = np.diag([px_per_mm_x, px_per_mm_y, 1.0])
    lean = np.array([[1, 0, 0], [0, 1, 0], [tilt, 0, 1]])
    place = np.array([[1, 0, 400.0], [0, 1, 300.0], [0, 0, 1]])
    return place @ scale @ lean @ rotation @ middle


def seen(view, points):
    projected = np.column_stack([points, np.ones(len(points))]) @ view.T
    return projected[:, :2] / projected[:, 2:]


@pytest.mark.parametrize("target", [CHESSBOARD, DOTS], ids=["chessboard", "dots"])
@pytest.mark.parametrize("degrees", [0.0, 7.0, -30.0])
def test_a_drawn_target_gives_its_scale_and_rotation(target, degrees):
    found = calibrate(target_picture(target, view_of(degrees=degrees)), target, MADE_AT)
    assert found.mm_per_px_x == pytest.approx(0.1, rel=5e-4)
    assert found.mm_per_px_y == pytest.approx(0.1, rel=5e-4)
    assert found.rotation_deg == pytest.approx(degrees, abs=0.05)
    assert found.residual_px < 0.2
    assert found.target == f"{target.kind} 9×6, pitch 5 mm"
    assert found.made_at == "2026-01-01T00:00:00+00:00"


def test_bright_dots_and_colour_pictures_are_taken_too():
    dark = 255 - target_picture(DOTS, view_of())
    found = calibrate(cv2.cvtColor(dark, cv2.COLOR_GRAY2BGR), DOTS, MADE_AT)
    assert found.mm_per_px_x == pytest.approx(0.1, rel=5e-4)


@pytest.mark.parametrize("target", [CHESSBOARD, DOTS], ids=["chessboard", "dots"])
def test_a_picture_without_the_target_is_refused(target):
    noise = np.random.default_rng(1).integers(0, 256, (600, 800), np.uint8)
    with pytest.raises(CalibrationRefused, match=r"no .* 9×6, pitch 5 mm found"):
        calibrate(noise, target, MADE_AT)


def test_a_target_of_another_size_is_refused():
    with pytest.raises(CalibrationRefused, match="check columns and rows"):
        calibrate(target_picture(CHESSBOARD, view_of()), Target(columns=11, rows=8), MADE_AT)


def test_a_tilted_view_is_refused():
    picture = target_picture(CHESSBOARD, view_of(tilt=0.001))
    with pytest.raises(CalibrationRefused, match=r"tilted: scale changes by 4\.\d %"):
        calibrate(picture, CHESSBOARD, MADE_AT)


@given(
    st.floats(0.5, 200), st.floats(0.5, 200), st.floats(-44.9, 44.9),
    st.sampled_from([1, -1]), st.sampled_from([0, 90, 180, 270]),
)  # fmt: skip
def test_any_straight_view_is_recovered(scale_x, scale_y, degrees, mirror, quarter):
    view = view_of(scale_x, scale_y, degrees) @ view_of(1, mirror, quarter)
    found = fit(GRID, seen(view, GRID), CHESSBOARD, MADE_AT)
    assert found.mm_per_px_x == pytest.approx(1 / scale_x, rel=1e-6)
    assert found.mm_per_px_y == pytest.approx(1 / scale_y, rel=1e-6)
    assert found.rotation_deg == pytest.approx(degrees, abs=1e-4)
    assert found.residual_px < 1e-6


@given(st.floats(2e-3, 2e-2), st.floats(-180, 180), st.floats(1, 50))
def test_any_tilt_beyond_the_limit_is_refused(percent_per_mm, degrees, scale):
    lean = np.eye(3)
    turn = np.radians(degrees)
    lean[2, :2] = percent_per_mm * np.cos(turn), percent_per_mm * np.sin(turn)
    with pytest.raises(CalibrationRefused, match="tilted"):
        fit(GRID, seen(view_of(scale, scale) @ lean, GRID), CHESSBOARD, MADE_AT)


def test_a_skewed_view_is_refused():
    skew = np.array([[1, 0.05, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(CalibrationRefused, match=r"skewed by 2\.9°"):
        fit(GRID, seen(view_of() @ skew, GRID), CHESSBOARD, MADE_AT)


def test_points_off_the_grid_are_refused_as_residual():
    points = seen(view_of(), GRID) + np.random.default_rng(2).normal(0, 1, GRID.shape)
    loose = Target(max_tilt_percent=20, max_skew_deg=10)
    with pytest.raises(CalibrationRefused, match=r"residual 1.* px is over 0.3"):
        fit(GRID, points, loose, MADE_AT)
    assert issubclass(CalibrationRefused, LinesideError)


A_CALIBRATION = Calibration(0.1, 0.1000000001, -1.5, 0.08, 'a "target" \\ é', "2026-01-01")


def test_a_file_gives_back_exactly_what_was_saved(tmp_path):
    path = tmp_path / "calibration.toml"
    save(A_CALIBRATION, path)
    assert load(path) == A_CALIBRATION
    assert load(path).id == A_CALIBRATION.id
    assert [p.name for p in tmp_path.iterdir()] == ["calibration.toml"]


@given(
    st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.text(st.characters(exclude_categories=["C"]))
)
def test_every_value_survives_toml(x, y, target):
    written = Calibration(x, y, 0.0, 0.0, target, "now")
    assert Calibration(**tomllib.loads(written.as_toml())) == written


def test_the_id_is_short_and_changes_with_any_value():
    other = Calibration(0.1, 0.1000000002, -1.5, 0.08, A_CALIBRATION.target, "2026-01-01")
    assert len(A_CALIBRATION.id) == 12
    assert A_CALIBRATION.id != other.id


@pytest.mark.parametrize(
    "change", [("mm_per_px_x = 0.1", "mm_per_px_x = 0"), ("residual_px", "residual")]
)
def test_a_file_that_was_spoilt_is_refused(tmp_path, change):
    path = tmp_path / "calibration.toml"
    path.write_text(A_CALIBRATION.as_toml().replace(*change))
    with pytest.raises(ConfigError, match=r"calibration.toml"):
        load(path)


def test_sizes_and_areas_use_both_scales():
    calibration = Calibration(0.1, 0.2, 0, 0, "t", "now")
    assert calibration.size_mm(10, 10) == pytest.approx((1.0, 2.0))
    assert calibration.area_mm2(100) == pytest.approx(2.0)
