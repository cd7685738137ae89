"""Where people are and how fast, with how sure that is: one Kalman filter for all of them.

Arrays, a row per track. Places are px, uncertainties are shares of the person's own height,
so the same figures hold near the camera and far from it; time is seconds, so they hold at
any frame rate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from apps.retail_analytics.domain import STANDING_M
from common.inference.images import iou

Floats = NDArray[np.float64]

PLACE_NOISE = 0.06  # of a detection's foot, as a share of the box's height
PUSH = 0.6  # how much a person's speed changes within √1 s, m/s
FIRST_SPEED = 1.4  # how fast somebody new may be, m/s (1 s.d.)
SPEED_MEMORY_S = 1.2  # somebody unseen is taken to slow down with this time constant
GATE = 2.8  # s.d. a detection may be away from where it was expected
SIZE_MEMORY = 0.15  # share of a new height in the smoothed one
FASTEST = 2.5  # m/s that a track is taken to walk; more is a box that jumped
SHORT, TALL = 0.8, 1.25  # of the usual height: legs hidden; two people in one box
SAME_HEAD = 0.2  # heights within which the upper edge is still the same head's
OVERLAP = 0.3  # a box that overlaps the expected one this much may be the same person's
IMPOSSIBLE = 1e6


@dataclass(slots=True)
class Rows:
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

    def joined(self, other: "Rows") -> "Rows":
        """Both, one after the other."""
        return Rows(
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in Rows.__slots__
            )
        )


def nobody() -> Rows:
    """No rows."""
    return begin(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, np.int64), 0.0)


def begin(
    ids: NDArray[np.int64],
    boxes: Floats,
    source: NDArray[np.int64],
    now: float,
    person_m: float = STANDING_M,
) -> Rows:
    """Rows for people seen for the first time, with one detection each."""
    count = len(ids)
    spread = np.tile([PLACE_NOISE**2, 0.0, (FIRST_SPEED / person_m) ** 2], (count, 1))
    return Rows(
        ids, feet_of(boxes), np.zeros((count, 2)), spread, sizes_of(boxes),
        np.full(count, now), np.full(count, now), np.ones(count, np.int64),
        np.zeros(count, bool), np.asarray(source, np.int64),
    )  # fmt: skip


def feet_of(boxes: Floats) -> Floats:
    """The middle of each lower edge [n, 2] of boxes [n, 4]."""
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])


def sizes_of(boxes: Floats) -> Floats:
    """Width and height [n, 2] of boxes [n, 4], at least 1 px."""
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)


def to_boxes(place: Floats, size: Floats) -> Floats:
    """Boxes [n, 4] of people with their feet at `place`."""
    half = size[:, 0] / 2
    left, right = place[:, 0] - half, place[:, 0] + half
    return np.column_stack([left, place[:, 1] - size[:, 1], right, place[:, 1]])


def predict(rows: Rows, step: float, person_m: float) -> Rows:
    """Where everybody is expected `step` s later, and how sure that is."""
    unseen = rows.source < 0
    kept = np.where(unseen, np.exp(-step / SPEED_MEMORY_S), 1.0)
    rows.place = rows.place + rows.speed * step
    rows.speed = rows.speed * kept[:, None]
    place, both, speed = rows.spread.T
    push = (PUSH / person_m) ** 2
    after = place + 2 * step * both + step**2 * speed + push * step**3 / 3
    faster = np.minimum(speed + push * step, (2 * FIRST_SPEED / person_m) ** 2)
    # capped, speed cannot be tied to place as before: no variance may ever become negative
    most = np.sqrt(after * faster)
    tied = (both + step * speed + push * step**2 / 2).clip(-most, most)
    rows.spread = np.column_stack([after, tied, faster])
    return rows


def reach_of(rows: Rows, now: float, fastest: float) -> Floats:
    """[tracks] how far from where they are expected people may be, in their heights."""
    return np.asarray(0.35 + fastest * (now - rows.seen))


def assign(
    rows: Rows,
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


def _costs(rows: Rows, tracks: NDArray[np.int64], boxes: Floats, reach: Floats) -> Floats:
    """[tracks, boxes]: how unlikely it is that this box is that person."""
    height = rows.size[tracks, 1][:, None]
    place = rows.place[tracks]
    step = (feet_of(boxes)[None] - place[:, None]) / height[:, :, None]
    away = (step**2).sum(2)
    top = place[:, None, 1] - height  # feet hidden: the head says where somebody is
    head_step = np.abs(boxes[None, :, 1] - top) / height
    sideways = np.abs(step[:, :, 0])
    spread = rows.spread[tracks, 0][:, None] + PLACE_NOISE**2
    near = away / spread
    by_head = (head_step**2 + sideways**2) / spread + 2.0
    ratio = np.log(sizes_of(boxes)[:, 1][None] / height)
    expected = to_boxes(place, rows.size[tracks]).astype(np.float32)
    overlap = iou(expected, boxes.astype(np.float32))
    unlikely = np.minimum(near, by_head)
    cost = np.minimum(unlikely, GATE**2 + 4.0 * (1 - overlap)) + 4.0 * ratio**2 + np.log(spread)
    allowed = (unlikely < GATE**2) | (overlap > OVERLAP)
    tallest = np.where(rows.source[tracks] < 0, np.log(TALL), 0.9)[:, None]
    allowed &= (ratio > -0.9) & (ratio < tallest)  # nobody comes back as two in one box
    allowed &= np.minimum(away, head_step**2 + sideways**2) < reach[:, None] ** 2
    return np.where(allowed, cost + 50.0, IMPOSSIBLE)


def _walkable(speed: Floats, fastest: Floats) -> Floats:
    """Speeds [n, 2] in px/s, none above its `fastest`."""
    pace = np.hypot(speed[:, 0], speed[:, 1])
    return speed * np.minimum(1.0, fastest / np.maximum(pace, 1e-9))[:, None]


def correct(
    rows: Rows,
    boxes: Floats,
    taken: NDArray[np.int64],
    now: float,
    person_m: float = STANDING_M,
) -> None:
    """Bring every track that took a detection to where it was seen."""
    rows.source = taken.copy()
    hit = np.flatnonzero(taken >= 0)
    if not len(hit):
        return
    found = boxes[taken[hit]]
    size, foot, doubt = rows.size[hit], feet_of(found), np.ones(len(hit))
    hidden, joined = _wrong_feet(rows, hit, found)
    wrong = hidden | joined
    foot[wrong, 1] = found[wrong, 1] + size[wrong, 1]
    doubt[wrong] = 4.0
    place, both, speed = rows.spread[hit].T
    noise = PLACE_NOISE**2 * doubt
    gain, push = place / (place + noise), both / (place + noise)
    miss = foot - rows.place[hit]
    rows.place[hit] += gain[:, None] * miss
    rows.speed[hit] += push[:, None] * miss
    rows.speed[hit] = _walkable(rows.speed[hit], FASTEST / person_m * size[:, 1])
    # speed - push * both, written so that no rounding makes it less than nothing
    left = speed * noise + np.maximum(0.0, place * speed - both**2)
    rows.spread[hit] = np.column_stack(
        [(1 - gain) * place, (1 - gain) * both, left / (place + noise)]
    )
    share = np.where(hidden, 0.0, np.maximum(SIZE_MEMORY, 1.0 / (rows.hits[hit] + 1)))
    rows.size[hit] += share[:, None] * (sizes_of(found) - size)
    rows.seen[hit] = now
    rows.hits[hit] += 1


def _wrong_feet(
    rows: Rows, hit: NDArray[np.int64], found: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Boxes whose lower edge is not this person's: the legs hidden, or another's within.

    The head is where it was expected, so the feet are a body's height below it.
    """
    size = rows.size[hit, 1]
    height = sizes_of(found)[:, 1]
    same = np.abs(found[:, 1] - (rows.place[hit, 1] - size)) < SAME_HEAD * size
    return same & (height < SHORT * size), same & (height > TALL * size)
