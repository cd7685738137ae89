"""Detections to tracks: who in this picture is who in the one before.

Written here, behind a small interface, and not taken from a library: the well-kept ones
match boxes by overlap from frame to frame, which breaks at 5 fps, on heads seen from above
and after a gap; they need a second build of OpenCV; and they keep what may not be kept.
Here a person is a place and a speed with their uncertainty (one Kalman filter, in units of
the person's own size), in real time instead of frames. Nothing of anybody's looks is
used. `lineside evaluate` runs a library's tracker on the same detections beside it.
"""

import secrets
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from apps.retail_analytics.config import Tracking
from apps.retail_analytics.domain import STANDING_M
from common.inference.images import iou

Floats = NDArray[np.float64]

PLACE_NOISE = 0.06  # of a detection's foot, as a share of the box's height
PUSH = 0.6  # how much a person's speed changes within √1 s, m/s
FIRST_SPEED = 1.4  # how fast somebody new may be, m/s (1 s.d.)
SPEED_MEMORY_S = 1.2  # somebody unseen is taken to slow down with this time constant
GATE = 2.8  # s.d. a detection may be away from where it was expected
SIZE_MEMORY = 0.15  # share of a new height in the smoothed one
OVERLAP = 0.3  # a box that overlaps the expected one this much may be the same person's
DOUBLE_IOU = 0.6  # a new box that overlaps a person already matched this much is the same
IMPOSSIBLE = 1e6


class Tracker(Protocol):
    """What counting needs of any tracker."""

    def update(self, boxes: Floats, scores: Floats, monotonic: float) -> "Tracked":
        """Tracks after one picture: boxes [n, 4] px with scores [n], seen at `monotonic` s."""


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


class MotionTracker:
    """One camera's tracker; ids are random, never used twice, and end with the track."""

    def __init__(
        self, rules: Tracking, person_m: float = STANDING_M, size: tuple[int, int] = (0, 0)
    ) -> None:
        """`person_m` is how high a box really is; `size` the picture's in px, 0: not known."""
        self._rules, self._person_m, self._size = rules, person_m, size
        self._last: float | None = None
        self._rows = _empty()
        self._next = secrets.randbits(40)

    def update(self, boxes: Floats, scores: Floats, monotonic: float) -> Tracked:
        """Tracks after one picture; a time that does not move on is refused (ValueError)."""
        if self._last is not None and monotonic <= self._last:
            raise ValueError("pictures must come in order of time")
        step = 0.0 if self._last is None else monotonic - self._last
        self._last = monotonic
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        scores = np.asarray(scores, np.float64)
        rows = _predict(self._rows, step, self._person_m)
        taken = self._match(rows, boxes, scores)
        _correct(rows, boxes, taken, monotonic)
        self._confirm(rows, monotonic)
        rows = self._born(rows, taken, boxes, scores, monotonic)
        self._rows = _kept(rows, self._gone(rows, monotonic))
        return _tracked(self._rows)

    def _match(self, rows: "_Rows", boxes: Floats, scores: Floats) -> NDArray[np.int64]:
        """Which detection each track takes, −1 for none: sure ones first, faint ones then."""
        rules = self._rules
        taken = np.full(len(rows.ids), -1, np.int64)
        reach = _reach(rows, self._last or 0.0, rules.max_speed_m_s / self._person_m)
        sure = np.flatnonzero(scores >= rules.high_score)
        faint = np.flatnonzero((scores >= rules.low_score) & (scores < rules.high_score))
        known = np.flatnonzero(rows.confirmed)
        _assign(rows, boxes, known, sure, taken, reach)
        left = known[taken[known] < 0]
        _assign(rows, boxes, left, faint, taken, reach)
        new = np.flatnonzero(~rows.confirmed)
        _assign(rows, boxes, new, _without(sure, taken), taken, reach)
        return taken

    def _confirm(self, rows: "_Rows", monotonic: float) -> None:
        rules = self._rules
        old = monotonic - rows.born >= rules.confirm_s
        rows.confirmed |= (rows.hits >= rules.confirm_hits) & old & (rows.source >= 0)

    def _born(
        self, rows: "_Rows", taken: NDArray[np.int64], boxes: Floats, scores: Floats, now: float
    ) -> "_Rows":
        sure = np.flatnonzero(scores >= self._rules.high_score)
        free = _without(sure, taken)
        matched = boxes[taken[taken >= 0]]
        if len(free) and len(matched):
            overlap = iou(boxes[free].astype(np.float32), matched.astype(np.float32)).max(1)
            free = free[overlap < DOUBLE_IOU]
        if not len(free):
            return rows
        ids = self._next + 1 + np.arange(len(free))
        self._next += len(free)
        fresh = _fresh(ids, boxes[free], free, now, self._person_m)
        fresh.confirmed |= self._rules.confirm_hits == 1
        return rows.joined(fresh)

    def _gone(self, rows: "_Rows", monotonic: float) -> NDArray[np.bool_]:
        unseen = monotonic - rows.seen
        limit = np.where(rows.confirmed, self._rules.lost_s, self._rules.tentative_s)
        gone = unseen > limit
        width, height = self._size
        if width and height:  # who has walked out is not looked for among who walks in
            x, top = rows.place[:, 0], rows.place[:, 1] - rows.size[:, 1]
            gone |= (unseen > 0) & (
                (x < 0) | (x > width) | (top > height) | (rows.place[:, 1] < 0)
            )
        return np.asarray(gone)


@dataclass(slots=True)
class _Rows:
    """All tracks of one camera, column by column."""

    ids: NDArray[np.int64]
    place: Floats
    """[n, 2] foot, px."""
    speed: Floats
    """[n, 2] px/s."""
    spread: Floats
    """[n, 3] variance of place, covariance, variance of speed, in heights of the box."""
    size: Floats
    """[n, 2] smoothed width and height, px."""
    born: Floats
    seen: Floats
    """When it was detected last, s."""
    hits: NDArray[np.int64]
    confirmed: NDArray[np.bool_]
    source: NDArray[np.int64]

    def joined(self, other: "_Rows") -> "_Rows":
        """Both, one after the other."""
        return _Rows(
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in _Rows.__slots__
            )
        )


def _empty() -> _Rows:
    return _fresh(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, np.int64), 0.0)


def _fresh(
    ids: NDArray[np.int64],
    boxes: Floats,
    source: NDArray[np.int64],
    now: float,
    person_m: float = STANDING_M,
) -> _Rows:
    count = len(ids)
    spread = np.tile([PLACE_NOISE**2, 0.0, (FIRST_SPEED / person_m) ** 2], (count, 1))
    return _Rows(
        ids, _feet(boxes), np.zeros((count, 2)), spread, _sizes(boxes),
        np.full(count, now), np.full(count, now), np.ones(count, np.int64),
        np.zeros(count, bool), np.asarray(source, np.int64),
    )  # fmt: skip


def _feet(boxes: Floats) -> Floats:
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])


def _sizes(boxes: Floats) -> Floats:
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)


def _boxes(place: Floats, size: Floats) -> Floats:
    half = size[:, 0] / 2
    left, right = place[:, 0] - half, place[:, 0] + half
    return np.column_stack([left, place[:, 1] - size[:, 1], right, place[:, 1]])


def _predict(rows: _Rows, step: float, person_m: float) -> _Rows:
    """Where everybody is expected `step` s later, and how sure that is."""
    unseen = rows.source < 0
    kept = np.where(unseen, np.exp(-step / SPEED_MEMORY_S), 1.0)
    rows.place = rows.place + rows.speed * step
    rows.speed = rows.speed * kept[:, None]
    place, both, speed = rows.spread.T
    push = (PUSH / person_m) ** 2
    rows.spread = np.column_stack(
        [
            place + 2 * step * both + step**2 * speed + push * step**3 / 3,
            both + step * speed + push * step**2 / 2,
            np.minimum(speed + push * step, (2 * FIRST_SPEED / person_m) ** 2),
        ]
    )
    return rows


def _reach(rows: _Rows, now: float, fastest: float) -> Floats:
    """[tracks] how far from where they are expected people may be, in their heights."""
    return np.asarray(0.35 + fastest * (now - rows.seen))


def _assign(
    rows: _Rows,
    boxes: Floats,
    tracks: NDArray[np.int64],
    free: NDArray[np.int64],
    taken: NDArray[np.int64],
    reach: Floats,
) -> None:
    """Give each of `tracks` at most one of the `free` detections, cheapest sum first."""
    if not len(tracks) or not len(free):
        return
    cost = _costs(rows, tracks, boxes[free], reach[tracks])
    for track, found in zip(*linear_sum_assignment(cost), strict=True):
        if cost[track, found] < IMPOSSIBLE:
            taken[tracks[track]] = free[found]


def _costs(rows: _Rows, tracks: NDArray[np.int64], boxes: Floats, reach: Floats) -> Floats:
    """[tracks, boxes]: how unlikely it is that this box is that person."""
    height = rows.size[tracks, 1][:, None]
    place = rows.place[tracks]
    step = (_feet(boxes)[None] - place[:, None]) / height[:, :, None]
    away = (step**2).sum(2)
    top = place[:, None, 1] - height  # feet hidden: the head says where somebody is
    head_step = np.abs(boxes[None, :, 1] - top) / height
    sideways = np.abs(step[:, :, 0])
    spread = rows.spread[tracks, 0][:, None] + PLACE_NOISE**2
    near = away / spread
    by_head = (head_step**2 + sideways**2) / spread + 2.0
    ratio = np.log(_sizes(boxes)[:, 1][None] / height)
    expected = _boxes(place, rows.size[tracks]).astype(np.float32)
    overlap = iou(expected, boxes.astype(np.float32))
    unlikely = np.minimum(near, by_head)
    cost = np.minimum(unlikely, GATE**2 + 4.0 * (1 - overlap)) + 4.0 * ratio**2 + np.log(spread)
    allowed = (unlikely < GATE**2) | (overlap > OVERLAP)
    allowed &= np.abs(ratio) < 0.9
    allowed &= np.minimum(away, head_step**2 + sideways**2) < reach[:, None] ** 2
    return np.where(allowed, cost + 50.0, IMPOSSIBLE)


def _correct(rows: _Rows, boxes: Floats, taken: NDArray[np.int64], now: float) -> None:
    """Bring every track that took a detection to where it was seen."""
    rows.source = taken.copy()
    hit = np.flatnonzero(taken >= 0)
    if not len(hit):
        return
    found = boxes[taken[hit]]
    size, foot, doubt = rows.size[hit], _feet(found), np.ones(len(hit))
    height = _sizes(found)[:, 1]
    top = found[:, 1] - (rows.place[hit, 1] - size[:, 1])
    hidden = (height < 0.8 * size[:, 1]) & (np.abs(top) < 0.2 * size[:, 1])
    foot[hidden, 1] = found[hidden, 1] + size[hidden, 1]
    doubt[hidden] = 4.0
    place, both, speed = rows.spread[hit].T
    noise = PLACE_NOISE**2 * doubt
    gain, push = place / (place + noise), both / (place + noise)
    miss = foot - rows.place[hit]
    rows.place[hit] += gain[:, None] * miss
    rows.speed[hit] += push[:, None] * miss
    rows.spread[hit] = np.column_stack(
        [(1 - gain) * place, (1 - gain) * both, speed - push * both]
    )
    share = np.where(hidden, 0.0, np.maximum(SIZE_MEMORY, 1.0 / (rows.hits[hit] + 1)))
    rows.size[hit] += share[:, None] * (_sizes(found) - size)
    rows.seen[hit] = now
    rows.hits[hit] += 1


def _without(found: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.int64]:
    return found[~np.isin(found, taken)]


def _kept(rows: _Rows, gone: NDArray[np.bool_]) -> _Rows:
    if not gone.any():
        return rows
    return _Rows(*(getattr(rows, name)[~gone] for name in _Rows.__slots__))


def _tracked(rows: _Rows) -> Tracked:
    return Tracked(
        rows.ids.copy(), _boxes(rows.place, rows.size), rows.confirmed.copy(),
        rows.source >= 0, rows.source.copy(),
    )  # fmt: skip
