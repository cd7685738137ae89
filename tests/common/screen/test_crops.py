"""Crops: the defect is in sight with its box, and a missing picture is said to be missing."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.screen.crops import (
    ORANGE,
    PictureGone,
    crop,
    crop_address,
    load_picture,
    window,
)

SIZE = (120, 64)
SIDES = st.integers(1, 900)
PLACES = st.floats(-2000, 2000)


@given(st.tuples(PLACES, PLACES, PLACES, PLACES), SIDES, SIDES)
def test_the_window_lies_in_the_picture(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    x0, y0, x1, y1 = window(box, width, height, SIZE[0] / SIZE[1])
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height


@given(st.integers(0, 560), st.integers(0, 560), st.integers(4, 80), st.integers(4, 80))
def test_the_window_holds_the_box(left: int, top: int, wide: int, high: int) -> None:
    box = (left, top, left + wide, top + high)
    x0, y0, x1, y1 = window(box, 640, 640, SIZE[0] / SIZE[1])
    assert x0 <= left
    assert y0 <= top
    assert x1 >= left + wide
    assert y1 >= top + high


@settings(max_examples=50)
@given(st.tuples(PLACES, PLACES, PLACES, PLACES), st.integers(16, 90), st.integers(16, 90))
def test_any_box_gives_a_crop_of_the_asked_size(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    shown = crop(np.zeros((height, width, 3), np.uint8), box, SIZE)
    assert shown.shape == (SIZE[1], SIZE[0], 3)


@pytest.mark.parametrize("ground", [0, 255])
def test_the_box_is_drawn_so_that_it_is_seen(ground: int) -> None:
    shown = crop(np.full((640, 640, 3), ground, np.uint8), (300, 300, 340, 330), SIZE)
    orange = (shown == ORANGE).all(axis=2)
    rows, columns = np.nonzero(orange)
    assert orange.any()
    assert not orange[SIZE[1] // 2, SIZE[0] // 2]  # it frames the defect, and hides nothing
    assert rows.min() < SIZE[1] // 2 < rows.max()
    assert columns.min() < SIZE[0] // 2 < columns.max()


def test_the_picture_itself_is_left_as_it_was() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    crop(picture, (10, 10, 20, 20), SIZE)
    assert not picture.any()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 64), 90, np.uint8))
    (tmp_path / "torn.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    return tmp_path


def test_a_grey_picture_can_carry_a_coloured_box(folder: Path) -> None:
    assert load_picture(folder, "a.png").shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, "no picture was taken"),
        ("gone.png", "picture gone"),
        ("torn.png", "picture unreadable"),
        ("../a.png", "its name is no file name"),
        ("/etc/passwd", "its name is no file name"),
        ("a\0.png", "its name is no file name"),
    ],
)
def test_what_cannot_be_shown_says_why(folder: Path, name: str | None, said: str) -> None:
    with pytest.raises(PictureGone, match=said):
        crop_address(folder, name, (1, 1, 5, 5), SIZE)


def test_a_picture_deleted_after_it_was_shown_is_gone(folder: Path) -> None:
    assert crop_address(folder, "a.png", (1, 1, 5, 5), SIZE).startswith("data:image/png;")
    (folder / "a.png").unlink()
    with pytest.raises(PictureGone, match="picture gone"):
        crop_address(folder, "a.png", (1, 1, 5, 5), SIZE)
