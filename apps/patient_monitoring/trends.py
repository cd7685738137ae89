"""A patient's last day as the deterioration model sees it: level, spread and change.

Only what a body does: no time since admission, no laboratory, no age, and no trace of how
often somebody measured. A sign that was not measured is NaN, and the network puts its
ordinary value there, so that a gap speaks neither for nor against.
"""

import numpy as np

from apps.patient_monitoring.domain import Array, Sign
from apps.patient_monitoring.readings import Reading

MODEL_SIGNS = (Sign.HR, Sign.SPO2, Sign.TEMP, Sign.SBP, Sign.RR)
HOURS = 24
NOW_HOURS = {sign: 8 if sign is Sign.TEMP else 4 for sign in MODEL_SIGNS}
"""For how many hours the newest value stands for now; temperature is taken less often."""
KINDS = (
    "now", "mean_6h", "mean_24h", "spread_6h", "spread_24h", "lowest_24h", "highest_24h",
    "change",
)  # fmt: skip
FEATURES = (
    *(f"{sign.name.lower()}_{kind}" for sign in MODEL_SIGNS for kind in KINDS),
    "oxygen",
)
ENOUGH = (Sign.HR, Sign.SPO2, Sign.SBP, Sign.RR)
"""Without a present value of each of these the model says nothing."""

SLOT_S = 300
SLOTS_PER_HOUR = 3600 // SLOT_S
SLOTS = HOURS * SLOTS_PER_HOUR


def features(hours: Array, oxygen: Array) -> Array:
    """float32 [n, features] in the order of FEATURES.

    `hours` is [n, 24, 5]: each hour's value of MODEL_SIGNS, the newest hour first, NaN where
    none was measured; `oxygen` is [n]: 1 where the patient is given oxygen.
    """
    columns = []
    for index, sign in enumerate(MODEL_SIGNS):
        day, recent = hours[:, :, index], NOW_HOURS[sign]
        before = max(recent, 6)
        columns += [
            _newest(day[:, :recent]),
            _mean(day[:, :6]),
            _mean(day),
            _spread(day[:, :6]),
            _spread(day),
            np.fmin.reduce(day, axis=1),
            np.fmax.reduce(day, axis=1),
            _mean(day[:, :recent]) - _mean(day[:, before:]),
        ]
    columns.append(np.where(oxygen == 1, 1.0, 0.0))
    return np.stack(columns, axis=1).astype(np.float32)


def enough(found: Array) -> Array:
    """Bool [n]: the signs without which the model says nothing are there."""
    needed = [FEATURES.index(f"{sign.name.lower()}_now") for sign in ENOUGH]
    return np.asarray(np.isfinite(found[:, needed]).all(axis=1))


def _newest(day: Array) -> Array:
    there = np.isfinite(day)
    first = there.argmax(axis=1)
    return np.where(there.any(axis=1), day[np.arange(len(day)), first], np.nan)


def _mean(day: Array) -> Array:
    there = np.isfinite(day)
    count = there.sum(axis=1)
    total = np.where(there, day, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _spread(day: Array) -> Array:
    """Standard deviation; NaN for less than two values."""
    there = np.isfinite(day)
    count = there.sum(axis=1)
    off = np.where(there, day - _mean(day)[:, None], 0.0)
    variance = (off * off).sum(axis=1) / np.maximum(count - 1, 1)
    return np.where(count > 1, np.sqrt(variance), np.nan)


class TrendBoard:
    """The last day of every bed in steps of five minutes."""

    def __init__(self, beds: int) -> None:
        self._sum = np.zeros((beds, SLOTS, len(MODEL_SIGNS)))
        self._count = np.zeros((beds, SLOTS, len(MODEL_SIGNS)), np.int32)
        self._slot = -1

    def clear(self, bed: int) -> None:
        """Another patient lies there."""
        self._sum[bed], self._count[bed] = 0, 0

    def add(self, reading: Reading, now: float) -> None:
        """Take in what was measured in this step; an older value is not measured again."""
        self._advance(now)
        value = reading.value[:, MODEL_SIGNS]
        new = np.isfinite(value) & (reading.age_s[:, MODEL_SIGNS] <= SLOT_S)
        self._sum[:, self._slot % SLOTS] += np.where(new, value, 0.0)
        self._count[:, self._slot % SLOTS] += new

    def _advance(self, now: float) -> None:
        slot = int(now // SLOT_S)
        passed = min(max(slot - self._slot, 0), SLOTS)
        if passed:
            emptied = np.arange(slot - passed + 1, slot + 1) % SLOTS
            self._sum[:, emptied], self._count[:, emptied] = 0, 0
            self._slot = slot

    def hours(self) -> Array:
        """[beds, 24, 5]: the mean of each hour back from now, newest first; NaN for none."""
        order = (self._slot - np.arange(SLOTS)) % SLOTS
        shape = (len(self._sum), HOURS, SLOTS_PER_HOUR, len(MODEL_SIGNS))
        count = self._count[:, order]
        means = np.where(count > 0, self._sum[:, order] / np.maximum(count, 1), 0.0)
        slots = (count > 0).reshape(shape).sum(axis=2)
        total = means.reshape(shape).sum(axis=2)
        return np.where(slots > 0, total / np.maximum(slots, 1), np.nan)
