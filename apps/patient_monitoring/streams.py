"""Whether a sign streams or was measured once: told from how often it comes, by bed.

A monitor and a spot-check device say the same codes. One value by itself is a spot value
and counts as long as the chart allows; what comes every few seconds is a stream, and is
stale as soon as it stops; a wearable that speaks every minute is something between.
"""

import math

from apps.patient_monitoring.domain import SIGNS
from apps.patient_monitoring.readings import BY_ROUNDS, CONTINUOUS

STREAM_S = 15.0
SLOW_S = 120.0
"""What comes twice in a row within this counts for so long and a quarter."""


class Streams:
    """When each sign of each bed was last measured, and how long before that."""

    def __init__(self, beds: int) -> None:
        self._last = [[-math.inf] * SIGNS for _ in range(beds)]
        self._gap = [[math.inf] * SIGNS for _ in range(beds)]

    def clear(self, row: int) -> None:
        """Another patient lies there."""
        self._last[row], self._gap[row] = [-math.inf] * SIGNS, [math.inf] * SIGNS

    def interval_s(self, row: int, sign: int, at: float) -> float:
        """For how long a value measured at `at` (monotonic s) counts; see Readings."""
        last, gaps = self._last[row], self._gap[row]
        gap, before = at - last[sign], gaps[sign]
        if gap <= 0:  # late or twice: it says nothing of how often it comes
            return CONTINUOUS if before <= STREAM_S else BY_ROUNDS
        last[sign], gaps[sign] = at, gap
        if gap <= STREAM_S:
            return CONTINUOUS
        return SLOW_S if gap <= SLOW_S and before <= SLOW_S else BY_ROUNDS
