"""The line in software: boards that pass a back-lit camera."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator

from apps.defect_inspection.artwork import BARE, DrawnDefect


def photograph(
    board: np.ndarray, rng: Generator, defects: list[DrawnDefect]
) -> tuple[np.ndarray, list[DrawnDefect]]:
    """What the camera sees of `board`: grey uint8 [H, W], and where the defects lie in it.

    Light level, its fall-off across the frame, focus, the board's position and sensor
    noise vary from picture to picture.
    """
    dx, dy = (int(v) for v in rng.integers(-6, 7, 2))
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    height, width = board.shape
    moved = cv2.warpAffine(board, move, (width, height), borderValue=BARE)
    blurred = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.6, 1.3)).astype(np.float32)
    dark, bright = rng.uniform(15, 45), rng.uniform(150, 225)
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    slope = rng.uniform(-0.12, 0.12, 2)
    light = 1 + slope[0] * x + slope[1] * y - rng.uniform(0, 0.1) * (x * x + y * y)
    frame = (dark + blurred / 255 * (bright - dark)) * light
    frame += rng.normal(0, rng.uniform(1, 4), frame.shape)
    shift = np.array([dx, dy, dx, dy])
    edge = np.array([width, height, width, height])
    seen = [replace(d, box=tuple((d.box + shift).clip(0, edge))) for d in defects]
    return frame.clip(0, 255).astype(np.uint8), seen
