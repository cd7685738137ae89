"""How far a source's clock is from ours, from when its messages say they were sent.

The shortest delay of the last minutes is taken for the difference of the clocks: a network
only ever adds to it. So a backlog that is sent after an outage is old, and a monitor whose
clock is wrong is not; where the difference is too large nobody can tell the two apart, and
what the source says has no age.
"""

import math


class SourceClock:
    """The clock of one source. Monotonic s of this gateway."""

    def __init__(self, memory_s: float) -> None:
        self._bucket_s = memory_s / 2
        self._turn = -math.inf
        self._least = self._before = math.inf

    def offset(self, delay_s: float, now: float) -> float:
        """Our clock less the source's, after a message that came `delay_s` after it was
        sent; negative where the source's clock is ahead.
        """
        if now >= self._turn:
            long_ago = now >= self._turn + self._bucket_s
            self._before = math.inf if long_ago else self._least
            self._least, self._turn = math.inf, now + self._bucket_s
        self._least = min(self._least, delay_s)
        return min(self._least, self._before)
