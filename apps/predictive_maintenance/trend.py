"""Where a level is heading: its slope with an interval, or no trend at all.

Pure. The slope is the median of the slopes between all pairs of points (Theil and Sen), its
interval comes from Kendall's rank test: no outlier and no one odd hour makes a trend.
"""

import math
from dataclasses import dataclass

import numpy as np

MIN_POINTS = 8
CONFIDENCE = 1.645
"""Standard deviations of a 90 % interval."""
Point = tuple[float, float]
"""(seconds, value)."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Change per second, with its 90 % interval, and the level at the last point."""

    middle: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class Track:
    """A value's history as means over blocks of time, oldest first."""

    points: tuple[Point, ...] = ()
    """Finished blocks: middle of the block, mean value."""
    start_s: float = 0.0
    total: float = 0.0
    count: int = 0
    """The block under way."""

    def add(self, at_s: float, value: float, block_s: float, blocks: int) -> "Track":
        """The track with one more value; a finished block is added, the oldest dropped."""
        if not self.count:
            return Track(self.points, at_s, value, 1)
        if at_s - self.start_s < block_s:
            return Track(self.points, self.start_s, self.total + value, self.count + 1)
        done = (self.start_s + block_s / 2, self.total / self.count)
        return Track((*self.points, done)[-blocks:], at_s, value, 1)


def slope_of(points: tuple[Point, ...]) -> Slope | None:
    """The slope of (seconds, value) points; None when there is no trend.

    No trend: fewer than eight points, or zero lies within the interval of the slope.
    """
    count = len(points)
    if count < MIN_POINTS:
        return None
    times, values = (np.array(column, np.float64) for column in zip(*points, strict=True))
    first, second = np.triu_indices(count, 1)
    apart = times[second] - times[first]
    if not (apart > 0).all():
        return None
    slopes = np.sort((values[second] - values[first]) / apart)
    reach = CONFIDENCE * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    middle = float(np.median(slopes))
    low = float(slopes[max(0, math.floor((len(slopes) - reach) / 2))])
    high = float(slopes[min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))])
    if low <= 0 <= high:
        return None
    level = float(np.median(values - middle * (times - times[-1])))
    return Slope(middle, low, high, level)


def seconds_until(slope: Slope, limit: float) -> tuple[float, float, float] | None:
    """(best, earliest, latest) seconds from the last point until `limit` is reached.

    None when the trend leads away from it; 0 when the level is already there.
    """
    if slope.low <= 0:
        return None
    rest = max(limit - slope.level, 0.0)
    return rest / slope.middle, rest / slope.high, rest / slope.low
