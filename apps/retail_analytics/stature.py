"""How high people are drawn where in the picture: what tells feet that nobody sees.

On an even floor a body's height in px is linear in the place of its head (and of its feet),
and who is a tenth taller than the others is so everywhere. A camera learns the plane from
boxes that end where the body ends; what is kept of them is nine sums, of nobody.
"""

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
        self._plane: Floats | None = None
        self._new = 0.0

    @property
    def known(self) -> bool:
        """Whether enough people were seen; before, every height is as usual as any."""
        return self._plane is not None

    def learn(self, heads: Floats, heights: Floats) -> bool:
        """People seen from head [n, 2] to foot, `heights` [n] px; whether the plane is new."""
        weight = np.ones(len(heights))
        if self._plane is not None:
            ratio = heights / self.usual(heads)
            weight *= (ratio > SHORTER) & (ratio < TALLER)
            weight *= np.where(ratio < 1.0, SHORT_WEIGHT, 1.0)
        rows = np.column_stack([np.ones(len(heads)), heads, heights]) / heights[:, None]
        self._sums = self._sums * KEPT ** weight.sum() + (rows * weight[:, None]).T @ rows
        self._new += float(weight.sum())
        if self._sums[3, 3] < LEAST or self._new < EVERY:  # the heights' sum: how many boxes
            return False
        self._plane, self._new = _fitted(self._sums), 0.0
        return True

    def usual(self, heads: Floats) -> Floats:
        """Height in px [n] of a usual body with its head at `heads` [n, 2]."""
        plane = self._plane
        if plane is None:
            return np.ones(len(heads))
        return np.asarray(np.maximum(plane[0] + heads @ plane[1:], LOWEST_PX))

    def heights(self, share: Floats, feet: Floats) -> Floats:
        """Height in px [n] of bodies `share` [n] as high as usual, with their feet there."""
        slope = 0.0 if self._plane is None else float(self._plane[2])
        return share * self.usual(feet) / np.maximum(1 + share * slope, LEAST_GROWTH)

    def shares(self, heights: Floats, feet: Floats) -> Floats:
        """How high bodies are beside the usual one: what `heights` is undone by."""
        if self._plane is None:
            return heights.copy()
        left = self.usual(feet) - self._plane[2] * heights
        return np.asarray(heights / np.maximum(left, LOWEST_PX))


def _fitted(sums: Floats) -> Floats:
    """Height at (0, 0), and what it grows by with x and y: least squares of relative errors."""
    mean = sums[0] / sums[0, 0]
    spread = sums / sums[0, 0] - np.outer(mean, mean)
    held = HELD / sums[3, 3] * mean[3] ** 2 * np.eye(2)
    slope = np.linalg.solve(spread[1:3, 1:3] + held, spread[1:3, 3])
    return np.array([mean[3] - slope @ mean[1:3], *slope])
