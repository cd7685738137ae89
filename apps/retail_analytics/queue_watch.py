"""Queues as they are now, for who opens tills: what anybody standing there sees, smoothed.

Live figures for the screen; nothing of them is kept or sent. The length is a mean of the
last minute and renewed every ten seconds, so that no single arrival can be read from it.
"""

from collections import deque
from dataclasses import dataclass

from apps.retail_analytics.config import QueueRules
from apps.retail_analytics.domain import Wait

MEAN_S, RENEW_S = 60.0, 10.0
SERVED_WEIGHT = 0.3  # of the newest time between two served, in the mean
LONGEST_SERVICE_S = 600.0  # longer between two served is a till that was closed
ROUND_WAIT_S = 10
FREE, SHORT, LONG = "free", "short", "long"


@dataclass(frozen=True, slots=True)
class Seen:
    """What may be shown of one queue."""

    at: float = float("-inf")
    length: int | None = None
    wait_s: int | None = None
    band: str = FREE


class QueueWatch:
    """One queue."""

    def __init__(self, rules: QueueRules) -> None:
        self._rules = rules
        self._lengths: deque[tuple[float, float, int]] = deque()
        self._service_s: float | None = None
        self._served_at: float | None = None
        self._seen = Seen()

    def add(self, length: int, seconds: float, now: float) -> None:
        """So many waited for the last `seconds`, at `now` (monotonic s)."""
        self._lengths.append((now, max(seconds, 1e-3), length))
        while now - self._lengths[0][0] > MEAN_S:
            self._lengths.popleft()

    def served(self, wait: Wait) -> None:
        """Somebody has reached the till."""
        if not wait.served:
            return
        before, self._served_at = self._served_at, wait.ended
        if before is None or not 0 < wait.ended - before < LONGEST_SERVICE_S:
            return
        took, mean = wait.ended - before, self._service_s
        self._service_s = took if mean is None else mean + SERVED_WEIGHT * (took - mean)

    def seen(self, now: float) -> Seen:
        """Length, estimated wait and band, as of the last ten seconds."""
        if now - self._seen.at >= RENEW_S:
            self._seen = self._look(now)
        return self._seen

    def _look(self, now: float) -> Seen:
        seconds = sum(s for _, s, _ in self._lengths)
        if not seconds:
            return Seen(now)
        mean = sum(s * n for _, s, n in self._lengths) / seconds
        length, wait = round(mean), None
        if self._service_s is not None:
            wait = ROUND_WAIT_S * round(length * self._service_s / ROUND_WAIT_S)
        long, short = length >= self._rules.call_length, length > self._rules.clear_length
        return Seen(now, length, wait, LONG if long else SHORT if short else FREE)
