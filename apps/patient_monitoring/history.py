"""The last hours of each bed's score: what a tile's trend and little course show.

Kept in memory beside the loop, in steps of five minutes; the records have it in full. A
step's value is the highest lower bound within it, so that nothing that was called for is
smoothed away. A document of two hundred tiles goes out every second: a course has quarters
of an hour.
"""

import numpy as np

from apps.patient_monitoring.ward import Percept

STEP_S = 300.0
STEPS = 72
HOUR_STEPS, QUARTER_STEPS = 12, 3
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

    def courses(self) -> list[list[int | None]]:
        """Of each bed the highest score of every quarter of an hour back from now.

        Oldest first, from the first that is known; None where nothing was.
        """
        order = (self._step + 1 + np.arange(STEPS)) % STEPS
        quarters = self._scores[:, order].reshape(len(self._scores), -1, QUARTER_STEPS)
        return [_known(row) for row in quarters.max(axis=2).tolist()]

    def trend(self, row: int) -> int:
        """1 rising, −1 falling, 0 neither or not known: against an hour ago."""
        now, before = self._scores[row, [self._step % STEPS, (self._step - HOUR_STEPS) % STEPS]]
        if UNKNOWN in (now, before):
            return 0
        return int(now - before >= SURE) - int(before - now >= SURE)


def _known(course: list[int]) -> list[int | None]:
    first = next((at for at, one in enumerate(course) if one != UNKNOWN), len(course))
    return [None if one == UNKNOWN else one for one in course[first:]]
