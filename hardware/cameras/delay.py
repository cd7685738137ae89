"""How late a frame came, told by the stream's own time stamps."""

import math


class Delay:
    """When a frame would have arrived if nothing had held it up on its way."""

    DRIFT = 2e-4
    """Seconds per second by which camera's and host's clock may differ (100 ppm each)."""
    ON_TIME_S = 0.1
    """A frame later than this was held up: its delay is not taken for drift of the clocks."""
    PATIENCE_S = 5.0
    """A stream that is behind for so long does not catch up by itself."""

    def __init__(self, most_s: float) -> None:
        self._most_s = max(most_s, self.ON_TIME_S)  # who is later is behind
        self._stamp = -math.inf
        self._offset = math.inf
        self._runs = False
        self._behind_since = math.inf

    def removed(self, arrived: float, stamp: float | None) -> float:
        """`arrived`, monotonic s, less the delay that `stamp`, the stream's own s, reveals.

        Raises OSError when the stream stays behind: opening it anew throws away what is
        queued, and learns the clock of a camera that set it back.
        """
        counted = self._counted(arrived, stamp)
        if arrived - counted <= self._most_s:
            self._behind_since = math.inf
            return counted
        self._behind_since = min(self._behind_since, arrived)
        if arrived - self._behind_since < self.PATIENCE_S:
            return counted
        raise OSError(
            f"by its time stamps the stream stays {arrived - counted:.1f} s behind: network or "
            "machine are too slow for it, or use_stamps = false is right for this camera"
        )

    def _counted(self, arrived: float, stamp: float | None) -> float:
        """The least offset seen between the two clocks is that of a frame without delay.

        A frame without a stamp is no newer for certain than the one before it. As long as no
        stamp was greater than the one before it, they tell nothing.
        """
        stamp = self._stamp if stamp is None else stamp
        if stamp == -math.inf:
            return arrived
        self._runs |= -math.inf < self._stamp < stamp
        drift = self.DRIFT * max(0.0, stamp - self._stamp)
        offset = arrived - stamp
        if offset - self._offset <= self.ON_TIME_S + drift:
            self._offset += drift
        self._offset, self._stamp = min(self._offset, offset), stamp
        return stamp + self._offset if self._runs else arrived
