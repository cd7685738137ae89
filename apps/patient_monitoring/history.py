"""The last day of each bed's score in steps of five minutes: what a tile's trend shows.

Kept in memory beside the loop; the records have it in full. A step's value is the highest
lower bound within it, so that nothing that was called for is smoothed away.
"""

import numpy as np

from apps.patient_monitoring.ward import Percept

STEP_S = 300.0
STEPS = 288
HOUR_STEPS = 12
UNKNOWN = -1
SURE = 2
"""A change of fewer points is no trend."""


class Histories:
    """The scores of all beds."""

    def __init__(self, beds: int) -> None:
        self._scores = np.full((beds, STEPS), UNKNOWN, np.int16)
        self._step = -1

    def clear(self, row: int) -> None:
        """Another patient lies there."""
        self._scores[row] = UNKNOWN

    def add(self, percept: Percept) -> None:
        """Take in this moment's scores; where nothing at all is known there is none."""
        step = int(percept.at // STEP_S)
        if step != self._step:
            passed = min(max(step - self._step, 1), STEPS)
            self._scores[:, np.arange(step - passed + 1, step + 1) % STEPS] = UNKNOWN
            self._step = step
        score = percept.score
        known = ~score.missing.all(axis=1)
        now = np.where(known, score.at_least, UNKNOWN)
        slot = step % STEPS
        self._scores[:, slot] = np.maximum(self._scores[:, slot], now)

    def of(self, row: int) -> list[int | None]:
        """Oldest first, from the first that is known; None where nothing was."""
        order = (self._step + 1 + np.arange(STEPS)) % STEPS
        found = self._scores[row, order]
        known = np.flatnonzero(found != UNKNOWN)
        if not len(known):
            return []
        return [None if one == UNKNOWN else int(one) for one in found[known[0] :]]

    def trend(self, row: int) -> int:
        """1 rising, −1 falling, 0 neither or not known: against an hour ago."""
        now, before = self._scores[row, [self._step % STEPS, (self._step - HOUR_STEPS) % STEPS]]
        if UNKNOWN in (now, before):
            return 0
        return int(now - before >= SURE) - int(before - now >= SURE)
