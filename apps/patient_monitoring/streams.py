"""Whether a sign streams or was measured once: told from how often it comes, by bed.

A monitor and a spot-check device say the same codes. One value by itself is a spot value
and counts as long as the chart allows; what comes every few seconds is a stream, and is
stale as soon as it stops; a wearable that speaks every minute is something between. What
has streamed is no spot value because of one pause: it may be the last word of the device.
"""

import math
from dataclasses import dataclass

from apps.patient_monitoring.readings import BY_ROUNDS, CONTINUOUS

STREAM_S = 15.0
SLOW_S = 120.0
"""What comes this often counts for so long and a quarter."""
OFTEN = 2
"""So many times in a row within SLOW_S, and a sign streams."""


@dataclass(slots=True)
class _Sign:
    own: float = -math.inf
    """When the newest was measured, by its source's clock: wall, UTC s."""
    at: float = -math.inf
    """The same in this gateway's monotonic s."""
    heard: float = -math.inf
    """Of a monitor's newest, monotonic s."""
    often: int = 0
    interval_s: float = BY_ROUNDS


class Streams:
    """When each sign of each bed was last measured, and how often it comes."""

    def __init__(self, beds: int) -> None:
        self._beds: list[dict[int, _Sign]] = [{} for _ in range(beds)]

    def clear(self, row: int) -> None:
        """Another patient lies there."""
        self._beds[row] = {}

    def streamed(self, row: int, sign: int) -> None:
        """It is known from before that the sign of this patient comes by itself."""
        one = self._of(row, sign)
        one.often, one.interval_s = OFTEN, SLOW_S

    def at(self, row: int, sign: int, own: float, at: float) -> float:
        """When it was measured, monotonic s, from `own`, what its source's clock says.

        One measurement has one time, however late each message of it comes; `at` is this
        message's.
        """
        one = self._of(row, sign)
        return one.at if own == one.own else at

    def measured(self, row: int, sign: int, own: float, at: float) -> None:
        """Remember the newest measurement by both clocks."""
        one = self._of(row, sign)
        if at > one.at:
            one.own, one.at = own, at

    def interval_s(self, row: int, sign: int, at: float) -> float:
        """For how long a monitor's value measured at `at` counts; see Readings."""
        one = self._of(row, sign)
        gap = at - one.heard
        if gap > 0:  # else late or twice: it says nothing of how often it comes
            one.heard, one.interval_s = at, _interval_s(one, gap)
        return one.interval_s

    def _of(self, row: int, sign: int) -> _Sign:
        bed = self._beds[row]
        if sign not in bed:
            bed[sign] = _Sign()
        return bed[sign]


def _interval_s(one: _Sign, gap: float) -> float:
    before, one.often = one.often, one.often + 1 if gap <= SLOW_S else 0
    if gap <= STREAM_S:
        return CONTINUOUS
    return SLOW_S if max(before, one.often) >= OFTEN else BY_ROUNDS
