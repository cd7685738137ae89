"""Is the other side alive? A counter that stands still for three periods says no."""

PERIODS = 3
"""Silent periods until the other side counts as lost (domain notes A4)."""


class HeartbeatWatch:
    """Watches a counter with monotonic time; the value itself means nothing.

    The first reading proves nothing: a stopped PLC keeps its registers. Alive is only who
    has changed the counter while we looked.
    """

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self.alive = False
        self.lost = False
        """It had its three periods; before that nobody knows yet."""
        self._value: int | None = None
        self._changed_at = 0.0

    def see(self, value: int, now: float) -> bool:
        """One reading at monotonic time `now`; True while alive."""
        if self._value is None:
            self._value, self._changed_at = value, now
        elif value != self._value:
            self._value, self._changed_at = value, now
            self.alive, self.lost = True, False
        elif self.silent_s(now) >= PERIODS * self.period_s:
            self.alive, self.lost = False, True
        return self.alive

    def silent_s(self, now: float) -> float:
        """Seconds since the counter last changed, as far as we have looked."""
        return now - self._changed_at

    def reset(self) -> None:
        """Forget everything: the connection is a new one."""
        self._value, self.alive, self.lost = None, False, False
