"""Values as devices send them, and a ward's signs as they are at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring.domain import Array, Sign

CONTINUOUS = 0.0
BY_ROUNDS = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Values as they came, one row each, in any order."""

    bed: Array
    """int64 [n]"""
    sign: Array
    """int64 [n] of `Sign`."""
    value: Array
    """float64 [n]; NaN where the device says "not available"."""
    at: Array
    """float64 [n]: when it was measured, in this gateway's monotonic s; never in the future."""
    flags: Array
    """int32 [n] of `Flag`: what the device itself says."""
    interval_s: Array
    """float64 [n]: CONTINUOUS (at least every 15 s), a spot source's own interval, or
    BY_ROUNDS: as often as the score asks."""

    def __len__(self) -> int:
        return len(self.bed)

    def where(self, chosen: Array) -> "Readings":
        """The rows that a mask or an index array names."""
        return Readings(
            self.bed[chosen], self.sign[chosen], self.value[chosen], self.at[chosen],
            self.flags[chosen], self.interval_s[chosen],
        )  # fmt: skip


def readings(
    rows: Iterable[tuple[int, Sign, float, float]],
    interval_s: float = CONTINUOUS,
    flags: int = 0,
) -> Readings:
    """Readings of (bed, sign, value, at) that share their interval and flags."""
    table = np.array([tuple(row) for row in rows], np.float64).reshape(-1, 4)
    bed, sign = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    count = len(table)
    return Readings(
        bed, sign, table[:, 2], table[:, 3], np.full(count, flags, np.int32),
        np.full(count, interval_s),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The signs of a ward at one moment."""

    value: Array
    """float64 [beds, signs]: median of the last minute, or the last spot value; NaN: none."""
    age_s: Array
    """[beds, signs]: since the newest value that was taken; inf: never."""
    flags: Array
    """int32 [beds, signs] of `Flag`."""
    extreme: Array
    """int32 [beds] of `Extreme`, each already held for its time."""
