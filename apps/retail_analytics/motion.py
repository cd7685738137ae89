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
from apps.retail_analytics.feet import PLACE_NOISE, Body, Feet, Found, first, looked_at, told
from apps.retail_analytics.geometry import columns
from apps.retail_analytics.stature import Stature
from common.inference.images import iou

Floats = NDArray[np.float64]

PUSH = 0.6  # how much a person's speed changes within √1 s, m/s
FIRST_SPEED = 1.4  # how fast somebody new may be, m/s (1 s.d.)
SPEED_MEMORY_S = 1.2  # somebody unseen is taken to slow down with this time constant
GATE = 2.8  # s.d. a detection may be away from where it was expected
SIZE_MEMORY = 0.15  # share of a new height in the smoothed one
FASTEST = 2.5  # m/s that a track is taken to walk; more is a box that jumped
TALL = float(np.log(1.25))  # of the usual height: two people in one box
OVERLAP = 0.3  # a box that overlaps the expected one this much may be the same person's
IMPOSSIBLE = 1e6
ODD = 8.0  # what a height other than expected costs, in squares of its logarithm


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
    """[n, 2] width and height of the whole body there, px."""
    share: Floats
    """[n] height beside the usual one at the same place (see stature.py)."""
    doubt: Floats
    """[n] of the height (1 s.d.), as a share of it."""
    hidden: NDArray[np.bool_]
    """[n] the feet were not seen in the last box."""
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
    none = np.zeros(0, np.int64)
    return begin(none, looked_at(np.zeros((0, 4)), (0, 0)), none, 0.0, STANDING_M, Stature())


def begin(
    ids: NDArray[np.int64],
    found: Found,
    source: NDArray[np.int64],
    now: float,
    person_m: float,
    stature: Stature,
) -> Rows:
    """Rows for people seen for the first time, with one detection each."""
    count, feet = len(ids), first(found, stature)
    spread = np.tile([0.0, 0.0, (FIRST_SPEED / person_m) ** 2], (count, 1))
    spread[:, 0] = feet.noise
    wide = np.maximum(found.boxes[:, 2] - found.boxes[:, 0], 1.0)
    return Rows(
        ids, feet.places, np.zeros((count, 2)), spread, columns(wide, feet.heights),
        stature.shares(feet.heights, feet.places), feet.doubt, feet.hidden,
        np.full(count, now), np.full(count, now), np.ones(count, np.int64),
        np.zeros(count, bool), np.asarray(source, np.int64),
    )  # fmt: skip


def to_boxes(place: Floats, size: Floats) -> Floats:
    """Boxes [n, 4] of people with their feet at `place`."""
    half = size[:, 0] / 2
    left, right = place[:, 0] - half, place[:, 0] + half
    return columns(left, place[:, 1] - size[:, 1], right, place[:, 1])


def predict(rows: Rows, step: float, person_m: float, stature: Stature) -> Rows:
    """Where everybody is expected `step` s later, and how sure that is."""
    unseen = rows.source < 0
    kept = np.where(unseen, np.exp(-step / SPEED_MEMORY_S), 1.0)
    rows.place = rows.place + rows.speed * step
    rows.size[:, 1] = stature.heights(rows.share, rows.place)
    rows.speed = rows.speed * kept[:, None]
    place, both, speed = rows.spread.T
    push = (PUSH / person_m) ** 2
    after = place + 2 * step * both + step**2 * speed + push * step**3 / 3
    faster = np.minimum(speed + push * step, (2 * FIRST_SPEED / person_m) ** 2)
    # capped, speed cannot be tied to place as before: no variance may ever become negative
    most = np.sqrt(after * faster)
    tied = (both + step * speed + push * step**2 / 2).clip(-most, most)
    rows.spread = columns(after, tied, faster)
    return rows


def reach_of(rows: Rows, now: float, fastest: float) -> Floats:
    """[tracks] how far from where they are expected people may be, in their heights."""
    return np.asarray(0.35 + fastest * (now - rows.seen))


def assign(
    cost: Floats, tracks: NDArray[np.int64], free: NDArray[np.int64], taken: NDArray[np.int64]
) -> None:
    """Give each of `tracks` at most one of the `free` detections, cheapest sum first."""
    if not len(tracks) or not len(free):
        return
    some = cost[tracks[:, None], free]
    for track, found in zip(*linear_sum_assignment(some), strict=True):
        if some[track, found] < IMPOSSIBLE:
            taken[tracks[track]] = free[found]


def costs(rows: Rows, boxes: Floats, reach: Floats) -> Floats:
    """[tracks, boxes]: how unlikely it is that this box is that person."""
    height, low = rows.size[:, 1, None], rows.place[:, 1, None]
    left, top, right, bottom = boxes.T
    sideways = (((left + right) / 2 - rows.place[:, 0, None]) / height) ** 2
    away = sideways + ((bottom - low) / height) ** 2
    by_head = ((top - (low - height)) / height) ** 2 + sideways  # feet hidden: the head says
    spread = rows.spread[:, 0, None] + PLACE_NOISE**2
    unlikely = np.minimum(away / spread, by_head / spread + 2.0)
    ratio = np.log(np.maximum(bottom - top, 1.0) / height)
    expected = to_boxes(rows.place, rows.size).astype(np.float32)
    overlap = iou(expected, boxes.astype(np.float32))
    cost = np.minimum(unlikely, GATE**2 + 4.0 * (1 - overlap)) + ODD * ratio**2 + np.log(spread)
    allowed = (unlikely < GATE**2) | (overlap > OVERLAP)
    tallest = np.where(rows.source < 0, TALL, 0.9)[:, None]
    allowed &= (ratio > -0.9) & (ratio < tallest)  # nobody comes back as two in one box
    allowed &= np.minimum(away, by_head) < reach[:, None] ** 2
    return np.where(allowed, cost + 50.0, IMPOSSIBLE)


def _walkable(speed: Floats, fastest: Floats) -> Floats:
    """Speeds [n, 2] in px/s, none above its `fastest`."""
    pace = np.hypot(speed[:, 0], speed[:, 1])
    return speed * np.minimum(1.0, fastest / np.maximum(pace, 1e-9))[:, None]


def correct(
    rows: Rows,
    found: Found,
    taken: NDArray[np.int64],
    now: float,
    person_m: float,
    stature: Stature,
) -> NDArray[np.int64]:
    """Bring every track that took a detection to where it was seen; who was seen whole."""
    rows.source = taken.copy()
    hit = (taken >= 0).nonzero()[0]
    if not len(hit):
        return hit
    seen, expected = found.some(taken[hit]), rows.place[hit, 1] - rows.size[hit, 1]
    heights = rows.share[hit] * stature.usual(seen.heads)
    sizes = columns(rows.size[hit, 0], heights)
    body = Body(sizes, rows.share[hit], rows.doubt[hit], stature.known)
    feet = told(seen, body, expected, now - rows.seen[hit])
    _to(rows, hit, feet, FASTEST / person_m * heights)
    wide = seen.boxes[:, 2] - seen.boxes[:, 0]
    weight = np.where(feet.hidden, 0.0, np.maximum(SIZE_MEMORY, 1.0 / (rows.hits[hit] + 1)))
    rows.share[hit] *= feet.heights / heights
    rows.size[hit, 0] += weight * (np.maximum(wide, 1.0) - sizes[:, 0])
    rows.size[hit, 1] = stature.heights(rows.share[hit], rows.place[hit])
    rows.doubt[hit], rows.hidden[hit] = feet.doubt, feet.hidden
    rows.seen[hit] = now
    rows.hits[hit] += 1
    return np.asarray(hit[feet.whole])


def _to(rows: Rows, hit: NDArray[np.int64], feet: Feet, fastest: Floats) -> None:
    """Kalman's step: places and speeds of `hit`, none above its `fastest` px/s."""
    place, both, speed = rows.spread[hit].T
    noise = feet.noise
    gain, push = place / (place + noise), both / (place + noise)
    miss = feet.places - rows.place[hit]
    rows.place[hit] += gain[:, None] * miss
    rows.speed[hit] = _walkable(rows.speed[hit] + push[:, None] * miss, fastest)
    # speed - push * both, written so that no rounding makes it less than nothing
    left = speed * noise + np.maximum(0.0, place * speed - both**2)
    rows.spread[hit] = columns((1 - gain) * place, (1 - gain) * both, left / (place + noise))
