"""How fast the backlog may go, so that what is new never waits behind it.

Two limits: a rate, because a site coming back must not flood its broker; and a share of the
window that follows the line. When answers begin to take longer than they can, the line is
full, and more under way only makes a queue: in it an alarm would have to wait its turn. On
a line so thin that one batch fills it, batches become smaller.
"""

QUEUE_S = 0.5
"""So much longer than the quickest answer, and the line counts as full."""
SMALLEST = 1 / 16
"""Of a batch."""
MEASURE_S = 60.0
"""How long an answer counts as the quickest on a line that gets full: lines change."""


class Pace:
    """Times are monotonic seconds of the process."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most, self._share = 1, 1
        self.portion = SMALLEST
        """Of a whole batch, for what can wait."""
        self._tokens, self._filled_at = 0.0, 0.0
        self._quickest = float("inf")
        self._measured_at = self._narrowed_at = 0.0

    def begin(self, window: int, now: float) -> None:
        """A new connection with this window: one place in five is kept for what is new."""
        self._most = max(1, window - max(1, window // 5))
        self._tokens, self._filled_at = 1.0, now
        self._measure(now)

    def _measure(self, now: float) -> None:
        """Begin anew with one small batch: its answer tells how quick the line can be."""
        self._share, self.portion, self._quickest = 1, SMALLEST, float("inf")
        self._measured_at = self._narrowed_at = now

    def tick(self, now: float) -> None:
        """Time has passed."""
        most = max(1.0, self._per_s)
        self._tokens = min(most, self._tokens + (now - self._filled_at) * self._per_s)
        self._filled_at = now

    def allows(self, under_way: int, *, limited: bool) -> bool:
        """Whether a batch may join the `under_way` that can wait; `limited` in its rate."""
        return under_way < self._share and not (limited and self._tokens < 1.0)

    def spend(self) -> None:
        """A batch of the backlog goes."""
        self._tokens -= 1.0

    def answered(self, sent_at: float, now: float) -> None:
        """A batch has its PUBACK; narrowed once for all that were under way together."""
        if now - self._measured_at > MEASURE_S and self._narrowed_at > self._measured_at:
            self._measure(now)
        if sent_at < self._measured_at:
            return
        took = now - sent_at
        self._quickest = min(took, self._quickest)
        if took <= self._quickest + QUEUE_S:
            self._widen()
        elif sent_at >= self._narrowed_at:
            self._narrow(now)

    def _widen(self) -> None:
        if self.portion < 1.0:
            self.portion *= 2
        else:
            self._share = min(self._most, self._share + 1)

    def _narrow(self, now: float) -> None:
        self._narrowed_at = now
        if self._share > 1:
            self._share //= 2
        else:
            self.portion = max(SMALLEST, self.portion / 2)
