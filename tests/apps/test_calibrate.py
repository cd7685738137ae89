"""`lineside calibrate`: a picture of the target gives the recipe's two lines."""

import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.cli import main
from common.inference.calibration import load

SQUARE_PX, PITCH_MM = 40, 5.0


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A chessboard of 9 × 6 inner corners, 8 px to the mm."""
    squares = np.indices((7, 10)).sum(axis=0) % 2
    drawn = np.kron(25 + 205 * squares, np.ones((SQUARE_PX, SQUARE_PX))).astype(np.uint8)
    path = tmp_path / "board.png"
    cv2.imwrite(str(path), np.pad(drawn, 60, constant_values=230))
    return path


def calibrate(picture: Path, out: Path, *more: str) -> int:
    return main(["calibrate", str(picture), "--pitch", str(PITCH_MM), "--out", str(out), *more])


def test_a_picture_of_the_target_gives_what_a_recipe_takes(board, tmp_path, capsys) -> None:
    out = tmp_path / "camera-1.toml"
    assert calibrate(board, out) == 0
    recipe = tomllib.loads(capsys.readouterr().out)
    assert recipe["mm_per_px"] == pytest.approx(PITCH_MM / SQUARE_PX, rel=1e-3)
    assert recipe["calibration"] == load(out).id


def stretched(path: Path) -> None:
    drawn = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(path), cv2.resize(drawn, None, fx=1.02, fy=1.0))


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (lambda path: path.write_bytes(b"no picture"), 2, "not a PNG"),
        (lambda path: path.unlink(), 2, "No such file"),
        (lambda path: cv2.imwrite(str(path), np.full((200, 300), 9, np.uint8)), 1, "no chess"),
        (stretched, 1, "a pixel's sides differ by"),
    ],
    ids=["garbage", "nothing", "no target", "not square"],
)
def test_what_gives_no_calibration_says_why_and_keeps_none(
    board, tmp_path, capsys, change, code, told
) -> None:
    change(board)
    assert calibrate(board, tmp_path / "out.toml") == code
    error = capsys.readouterr().err
    assert error.startswith("lineside: ")
    assert told in error
    assert not (tmp_path / "out.toml").exists()


def test_another_target_is_asked_for_by_its_size(board, tmp_path, capsys) -> None:
    assert calibrate(board, tmp_path / "out.toml", "--columns", "12") == 1
    assert "check columns and rows" in capsys.readouterr().err
    assert calibrate(board, tmp_path / "out.toml", "--columns", "1") == 2
    assert "columns" in capsys.readouterr().err
