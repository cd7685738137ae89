"""How high people are drawn where in the picture: what tells feet that nobody sees.

On an even floor a body's height in px is linear in the place of its head (and of its feet),
and who is a tenth taller than the others is so everywhere. A camera learns the plane from
boxes that end where the body ends; what is kept of them is nine sums, of nobody.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ALIKE_S = 0.5  # boxes of one person within this time say the same: learn no oftener
LEAST = 60.0  # boxes until the plane is believed
KEPT = 0.999  # of the old sums at a new box: some minutes of a busy shop
EVERY = 5.0  # new boxes until the plane is laid anew
HELD = 2.0  # boxes that say there is no slope: people in one row, or few, tilt no plane
SHORTER, TALLER = 0.8, 1.3  # of the plane's height: what a grown-up's whole body may have
SHORT_WEIGHT = 0.4  # of a box below the plane: those are cut by what nobody knows of
LOWEST_PX = 4.0
LEAST_GROWTH = 0.2  # no slope is believed on which a body would be without end


class Stature:
    """The plane of one camera."""

    def __init__(self) -> None:
        self._sums = np.zeros((4, 4))
        """Σ w · rowᵀ row of rows (1, x, y, height), with w = 1 / height²."""
        self._plane: tuple[float, float, float] | None = None
        """Height in px at (0, 0), and what it grows by with x and with y."""
        self._new = 0.0

    @property
    def known(self) -> bool:
        """Whether enough people were seen; before, every height is as usual as any."""
        return self._plane is not None

    def learn(self, bodies: Sequence[tuple[float, float, float]]) -> bool:
        """People seen whole: x and y of the head, height, px; whether the plane is new."""
        weight = np.array([self._weight(*body) for body in bodies])
        heights = np.array([height for _, _, height in bodies])
        rows = np.array([(1.0, *body) for body in bodies]) / heights[:, None]
        self._sums = self._sums * KEPT ** weight.sum() + (rows * weight[:, None]).T @ rows
        self._new += float(weight.sum())
        if self._sums[3, 3] < LEAST or self._new < EVERY:  # the heights' sum: how many boxes
            return False
        self._plane, self._new = _fitted(self._sums), 0.0
        return True

    def _weight(self, x: float, y: float, height: float) -> float:
        if self._plane is None:
            return 1.0
        ratio = height / self.usual(x, y)
        if not SHORTER < ratio < TALLER:
            return 0.0
        return SHORT_WEIGHT if ratio < 1.0 else 1.0

    def usual(self, x: float, y: float) -> float:
        """Height in px of a usual body with its head at (x, y); 1 while none is known."""
        if self._plane is None:
            return 1.0
        first, by_x, by_y = self._plane
        height = first + x * by_x + y * by_y
        return height if height > LOWEST_PX else LOWEST_PX

    def height(self, share: float, x: float, y: float) -> float:
        """Height in px of a body `share` as high as usual, with its feet at (x, y)."""
        if self._plane is None:
            return share
        growth = 1.0 + share * self._plane[2]
        return share * self.usual(x, y) / (growth if growth > LEAST_GROWTH else LEAST_GROWTH)

    def share(self, height: float, x: float, y: float) -> float:
        """How high a body is beside the usual one: what `height` is undone by."""
        if self._plane is None:
            return height
        return height / max(self.usual(x, y) - self._plane[2] * height, LOWEST_PX)


def _fitted(sums: Floats) -> tuple[float, float, float]:
    """Least squares of relative errors."""
    mean = sums[0] / sums[0, 0]
    spread = sums / sums[0, 0] - np.outer(mean, mean)
    held = HELD / sums[3, 3] * mean[3] ** 2 * np.eye(2)
    by_x, by_y = np.linalg.solve(spread[1:3, 1:3] + held, spread[1:3, 3]).tolist()
    return float(mean[3] - by_x * mean[1] - by_y * mean[2]), by_x, by_y
