"""Does the camera still show the shop? Dark, covered, frozen or turned: then it counts nobody.

A network finds nobody in a black picture, and nobody is not zero people. What is kept from
picture to picture is two rows of sums of edges and one of grey values: enough to notice that
the camera was turned, too little to show anything of anybody.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.camera import ViewLimits

SMALL = (160, 120)
LOOK_S = 0.15  # between two looks at whether it was turned: to be sure takes SURE_S anyway
LEARN_VIEWS = 15  # views that the reference is made of
KEPT = 0.985  # share of the old reference in the new one: a shop changes within minutes
SURE_VIEWS, SURE_S = 8, 3.0  # people close by move the edges too, but walk on
MOST_STEPS = 24  # of the small picture: how far it is looked for where it may have gone
ALIKE = 0.35  # correlation below which nothing of the reference is left
Row = NDArray[np.float64]


class Sight:
    """Checks view after view of one camera; what masks cover says nothing of its light."""

    def __init__(self, limits: ViewLimits, unmasked: np.ndarray | None = None) -> None:
        self._limits = limits
        self._shown = None if unmasked is None else np.uint8(255) * (_small(unmasked) == 255)
        self._reference: tuple[Row, Row] | None = None
        self._learned = 0
        self._moved = 0
        self._moved_since = 0.0
        self._turn = ""
        self._look_at = -math.inf
        self._same_since: tuple[bytes, float] | None = None

    def check(self, frame: np.ndarray, now: float) -> str:
        """Why the view is unusable; "" when it is good. Costs about 0.1 ms at 640×480."""
        small = _small(frame)
        mean, deviation = (
            float(value[0, 0]) for value in cv2.meanStdDev(small, mask=self._shown)
        )
        if mean < self._limits.dark_below:
            return f"dark: mean grey {mean:.0f} of 255"
        if deviation < self._limits.blocked_contrast:
            return f"blocked: grey values differ by {deviation:.1f} only"
        return self._frozen(small, now) or self._look(small, frame.shape[1] / SMALL[0], now)

    def _frozen(self, small: np.ndarray, now: float) -> str:
        sums = _sums(small, 0).tobytes()
        if self._same_since is None or self._same_since[0] != sums:
            self._same_since = (sums, now)
        for_s = now - self._same_since[1]
        return f"frozen: for {for_s:.0f} s" if for_s >= self._limits.frozen_s else ""

    def _look(self, small: np.ndarray, scale: float, now: float) -> str:
        """Whether it was turned, as of the last look."""
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._turn = self._turned(small, scale, now)
        return self._turn

    def _turned(self, small: np.ndarray, scale: float, now: float) -> str:
        rows = _edges(small)
        if self._reference is None or self._learned < LEARN_VIEWS:
            self._reference = rows if self._reference is None else _mixed(
                self._reference, rows, self._learned / (self._learned + 1)
            )  # fmt: skip
            self._learned += 1
            return ""
        found = [_shift(old, new) for old, new in zip(self._reference, rows, strict=True)]
        shift = max(abs(step) for step, _ in found) * scale
        alike = min(likeness for _, likeness in found)
        turned = shift >= self._limits.moved_px or alike < ALIKE
        if not self._moved:
            self._moved_since = now
        self._moved = self._moved + 1 if turned else 0
        if not turned:
            self._reference = _mixed(self._reference, rows, KEPT)
        if self._moved < SURE_VIEWS or now - self._moved_since < SURE_S:
            return ""
        return f"moved: the picture is {shift:.0f} px off, likeness {alike:.2f}"


def _small(frame: np.ndarray) -> np.ndarray:
    """About 160 × 120 of its pixels: reading few of them is what makes this cheap."""
    grey = frame if frame.ndim == 2 else frame[:, :, 1]
    down, across = max(1, grey.shape[0] // SMALL[1]), max(1, grey.shape[1] // SMALL[0])
    few = np.ascontiguousarray(grey[::down, ::across])
    if few.shape == SMALL[::-1]:
        return few
    return np.asarray(cv2.resize(few, SMALL, interpolation=cv2.INTER_AREA))


def _sums(values: np.ndarray, axis: int) -> NDArray[np.int32]:
    return np.asarray(cv2.reduce(values, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel())


def _edges(small: np.ndarray) -> tuple[Row, Row]:
    """Sums of the edges by column and by row, brought to mean 0 and length 1."""
    across = _sums(cv2.absdiff(small[:, 1:], small[:, :-1]), 0)
    down = _sums(cv2.absdiff(small[1:], small[:-1]), 1)
    return _unit(across - across.mean()), _unit(down - down.mean())


def _unit(row: Row) -> Row:
    return row / max(math.sqrt(row @ row), 1e-9)


def _mixed(old: tuple[Row, Row], new: tuple[Row, Row], kept: float) -> tuple[Row, Row]:
    (across, down), (a, b) = old, new
    return _unit(kept * across + (1 - kept) * a), _unit(kept * down + (1 - kept) * b)


def _shift(old: Row, new: Row) -> tuple[int, float]:
    """By how many steps `new` is moved against `old`, and how alike they are then."""
    full = np.correlate(new, old, "full")
    middle = len(old) - 1
    near = full[middle - MOST_STEPS : middle + MOST_STEPS + 1]
    best = int(near.argmax())
    still = float(near[MOST_STEPS])  # a tie is no movement
    if still >= 0.95 * float(near[best]):
        best = MOST_STEPS
    return best - MOST_STEPS, float(near[best])
