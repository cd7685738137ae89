"""The line in software: drawn boards before a back-lit camera.

It says that it is a simulator. The boards, their defects and every variation of light,
focus and position come from a seed, so the truth of every picture is known.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from apps.defect_inspection.artwork import (
    DEFECT_KINDS,
    DrawnDefect,
    add_defects,
    draw_product,
)
from common.errors import CameraError
from common.ports import Trigger

# Seeds of the designs this line makes. A line is commissioned product by product: on
# these the shipped models raise no false alarm, on others they may (see the README).
PRODUCTS = (21, 402, 483)
POOL = 24  # boards drawn ahead: drawing takes longer than a line's cycle


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
    moved = cv2.warpAffine(board, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.6, 1.3)).astype(np.float32)
    dark, bright = rng.uniform(15, 45), rng.uniform(150, 225)
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    slope = rng.uniform(-0.12, 0.12, 2)
    light = 1 + slope[0] * x + slope[1] * y - rng.uniform(0, 0.1) * (x * x + y * y)
    frame = (dark + blurred / 255 * (bright - dark)) * light
    frame += rng.normal(0, rng.uniform(1, 4), frame.shape)
    return frame.clip(0, 255).astype(np.uint8), [_shifted(d, dx, dy, board) for d in defects]


def _shifted(defect: DrawnDefect, dx: int, dy: int, board: np.ndarray) -> DrawnDefect:
    height, width = board.shape
    left, top, right, bottom = defect.box
    box = (
        min(max(left + dx, 0.0), float(width)),
        min(max(top + dy, 0.0), float(height)),
        min(max(right + dx, 0.0), float(width)),
        min(max(bottom + dy, 0.0), float(height)),
    )
    return replace(defect, box=box)


@dataclass(frozen=True, eq=False)
class Board:
    """A drawn board as the camera sees it, and the truth about it."""

    frame: np.ndarray
    defects: tuple[DrawnDefect, ...]


def make_board(rng: Generator, defective: bool) -> Board:
    """One board of the line's products, with one to three defects or with none."""
    design = draw_product(np.random.default_rng(int(rng.choice(PRODUCTS))))
    kinds = list(rng.choice(DEFECT_KINDS, int(rng.integers(1, 4)))) if defective else []
    drawn, defects = add_defects(design, rng, kinds)
    if defective and not defects:  # the artwork had no room: draw another
        return make_board(rng, defective)
    frame, seen = photograph(drawn, rng, defects)
    return Board(frame, tuple(seen))


class SimulatedCamera:
    """A camera before the simulated line: which board lies there follows from the part id.

    `broken` makes it fail as a pulled cable does.
    """

    name = "simulated camera"

    def __init__(self, seed: int, defective_share: float, pool: int = POOL) -> None:
        rng = np.random.default_rng(seed)
        self._seed, self._share = seed, defective_share
        self._good = [make_board(rng, defective=False) for _ in range(pool)]
        self._bad = [make_board(rng, defective=True) for _ in range(pool)]
        self._noise = rng.integers(0, 6, (1024, 1024), np.uint8)
        self.broken = False

    def truth(self, trigger: Trigger) -> tuple[DrawnDefect, ...]:
        """The defects of the board that this trigger's part is."""
        return self._board(trigger).defects

    def capture(self, trigger: Trigger) -> np.ndarray:
        """The part's picture; raises CameraError while `broken`."""
        if self.broken:
            raise CameraError(self.name, "no picture; its cable was pulled in the simulation")
        frame = self._board(trigger).frame
        y, x = divmod(trigger.part_id * 7919 % 147_456, 384)
        noise = self._noise[y : y + frame.shape[0], x : x + frame.shape[1]]
        return np.asarray(cv2.add(frame, noise))

    def close(self) -> None:
        """Nothing to free."""

    def _board(self, trigger: Trigger) -> Board:
        rng = np.random.default_rng([self._seed, trigger.part_id])
        defective = trigger.challenge or rng.random() < self._share
        pool = self._bad if defective else self._good
        return pool[int(rng.integers(len(pool)))]


def golden_board() -> Board:
    """The known board that proves, while no part comes, that the station still sees."""
    rng = np.random.default_rng(20_260_112)
    design = draw_product(np.random.default_rng(PRODUCTS[0]))
    drawn, defects = add_defects(design, rng, list(DEFECT_KINDS))
    frame, seen = photograph(drawn, rng, defects)
    return Board(frame, tuple(seen))
