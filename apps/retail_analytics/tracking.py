"""Detections to tracks: who in this picture is who in the one before.

Written here, and not taken from a library: the well-kept ones match boxes by overlap from
frame to frame, which breaks at 5 fps, on heads seen from above and after a gap; they need a
second build of OpenCV; and they keep what may not be kept. Here a person is a place and a
speed with their uncertainty (one Kalman filter, in units of the person's own size), in real
time instead of frames. Nothing of anybody's looks is used. `lineside evaluate` runs a
library's tracker on the same detections beside it.
"""

import math
import secrets
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.config import Tracking
from apps.retail_analytics.domain import STANDING_M
from apps.retail_analytics.feet import Found, looked_at
from apps.retail_analytics.motion import (
    Floats,
    Rows,
    assign,
    begin,
    correct,
    costs,
    nobody,
    predict,
    reach_of,
    to_boxes,
)
from apps.retail_analytics.stature import ALIKE_S, Stature
from common.inference.images import iou

UPRIGHT_M = 1.0  # boxes lower than this are heads seen from above: they have no feet
DOUBLE_IOU = 0.6  # a new box that overlaps a person already matched this much is the same


@dataclass(frozen=True, slots=True)
class Tracked:
    """All tracks after one picture, as arrays; row i of each is one track."""

    ids: NDArray[np.int64]
    boxes: Floats
    """[n, 4] px, smoothed; where not detected: expected."""
    confirmed: NDArray[np.bool_]
    detected: NDArray[np.bool_]
    sources: NDArray[np.int64]
    """Which detection each track took; −1 for none."""
    unsure: Floats
    """[n] px that the feet may be higher or lower (1 s.d.) where they are not seen; else 0."""


class MotionTracker:
    """One camera's tracker; ids are random, never used twice, and end with the track."""

    def __init__(
        self, rules: Tracking, person_m: float = STANDING_M, size: tuple[int, int] = (0, 0)
    ) -> None:
        """`person_m` is how high a box really is; `size` the picture's in px, 0: not known."""
        self._rules, self._person_m, self._size = rules, person_m, size
        self._last: float | None = None
        self._rows, self._stature, self._learned = nobody(), Stature(), -math.inf
        self._next = secrets.randbits(40)

    def update(self, boxes: Floats, scores: Floats, monotonic: float) -> Tracked:
        """Tracks after one picture: boxes [n, 4] px with scores [n], seen at `monotonic` s.

        A time that does not move on is refused (ValueError).
        """
        if self._last is not None and monotonic <= self._last:
            raise ValueError("pictures must come in order of time")
        step = 0.0 if self._last is None else monotonic - self._last
        self._last = monotonic
        if step > self._rules.tentative_s:  # an outage: from picture to picture `_gone` will do
            self.forget(monotonic)
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        scores = np.asarray(scores, np.float64)
        if not len(boxes) and not len(self._rows.ids):
            return _tracked(self._rows)
        rows = predict(self._rows, step, self._person_m, self._stature)
        found = looked_at(boxes, self._size)
        taken = self._match(rows, boxes, scores)
        whole = correct(rows, found, taken, monotonic, self._person_m, self._stature)
        self._confirm(rows, monotonic)
        self._learn(rows, found, whole, monotonic)
        rows = self._born(rows, taken, found, scores)
        self._rows = _kept(rows, self._gone(rows, monotonic))
        return _tracked(self._rows)

    def forget(self, monotonic: float) -> None:
        """Drop who was not seen for too long: who comes then is somebody else."""
        self._rows = _kept(self._rows, self._late(self._rows, monotonic))

    def _late(self, rows: Rows, monotonic: float) -> NDArray[np.bool_]:
        limit = np.where(rows.confirmed, self._rules.lost_s, self._rules.tentative_s)
        return np.asarray(monotonic - rows.seen > limit)

    def _match(self, rows: Rows, boxes: Floats, scores: Floats) -> NDArray[np.int64]:
        """Which detection each track takes, −1 for none: sure ones first, faint ones then."""
        rules = self._rules
        taken = np.full(len(rows.ids), -1, np.int64)
        reach = reach_of(rows, self._last or 0.0, rules.max_speed_m_s / self._person_m)
        cost = costs(rows, boxes, reach)
        sure = scores >= rules.high_score
        known, new = rows.confirmed.nonzero()[0], (~rows.confirmed).nonzero()[0]
        assign(cost, known, sure.nonzero()[0], taken)
        left = known[taken[known] < 0]
        if len(left):
            faint = (scores >= rules.low_score) & ~sure
            assign(cost, left, faint.nonzero()[0], taken)
        if len(new):
            assign(cost, new, _without(sure, taken), taken)
        return taken

    def _confirm(self, rows: Rows, monotonic: float) -> None:
        rules = self._rules
        old = monotonic - rows.born >= rules.confirm_s
        rows.confirmed |= (rows.hits >= rules.confirm_hits) & old & (rows.source >= 0)

    def _learn(self, rows: Rows, found: Found, whole: NDArray[np.int64], now: float) -> None:
        """How high people are drawn here; heads seen from above are alike everywhere."""
        if self._person_m < UPRIGHT_M or now - self._learned < ALIKE_S:
            return
        whole = whole[rows.confirmed[whole]]
        if not len(whole):
            return
        self._learned, seen = now, found.some(rows.source[whole])
        if self._stature.learn(seen.heads, seen.heights):
            rows.share = self._stature.shares(rows.size[:, 1], rows.place)

    def _born(self, rows: Rows, taken: NDArray[np.int64], found: Found, scores: Floats) -> Rows:
        boxes, free = found.boxes, _without(scores >= self._rules.high_score, taken)
        if not len(free):
            return rows
        matched = boxes[taken[taken >= 0]]
        if len(matched):
            overlap = iou(boxes[free].astype(np.float32), matched.astype(np.float32)).max(1)
            free = free[overlap < DOUBLE_IOU]
        if not len(free):
            return rows
        ids = self._next + 1 + np.arange(len(free))
        self._next += len(free)
        now = self._last or 0.0
        fresh = begin(ids, found.some(free), free, now, self._person_m, self._stature)
        fresh.confirmed |= self._rules.confirm_hits == 1
        return rows.joined(fresh)

    def _gone(self, rows: Rows, monotonic: float) -> NDArray[np.bool_]:
        unseen, gone = monotonic - rows.seen, self._late(rows, monotonic)
        width, height = self._size
        if width and height:  # who has walked out is not looked for among who walks in
            x, top = rows.place[:, 0], rows.place[:, 1] - rows.size[:, 1]
            gone |= (unseen > 0) & (
                (x < 0) | (x > width) | (top > height) | (rows.place[:, 1] < 0)
            )
        return gone


def _without(wanted: NDArray[np.bool_], taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of the detections that are wanted nobody has taken."""
    free = wanted.copy()
    free[taken[taken >= 0]] = False
    return np.asarray(free.nonzero()[0])


def _kept(rows: Rows, gone: NDArray[np.bool_]) -> Rows:
    if not gone.any():
        return rows
    return Rows(*(getattr(rows, name)[~gone] for name in Rows.__slots__))


def _tracked(rows: Rows) -> Tracked:
    off = np.where(rows.hidden, np.hypot(rows.doubt, np.sqrt(rows.spread[:, 0])), 0.0)
    return Tracked(
        rows.ids.copy(), to_boxes(rows.place, rows.size), rows.confirmed.copy(),
        rows.source >= 0, rows.source.copy(), off * rows.size[:, 1],
    )  # fmt: skip
