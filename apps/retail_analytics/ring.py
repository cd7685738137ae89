"""Where pictures live: in memory, two seconds at most; the oldest go first and are counted."""

import threading
from collections import deque

import numpy as np

from apps.retail_analytics.domain import Glance
from common.ports import Sample

LONGEST_S = 2.0  # that any picture lives, whatever the settings say


class Ring:
    """One camera's last pictures; safe to use from two threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = min(seconds, LONGEST_S)
        self._waiting: deque[Sample[Glance]] = deque()
        self._newest: Sample[Glance] | None = None
        self._mutex = threading.Lock()
        self.dropped = 0
        """Pictures given up since the start because nobody looked in time."""

    def put(self, sample: Sample[Glance]) -> None:
        """Add the newest; the oldest go when it would be too long."""
        with self._mutex:
            self._waiting.append(sample)
            self._newest = sample
            self._expire(sample.monotonic)

    def take(self) -> Sample[Glance] | None:
        """The oldest that waits."""
        with self._mutex:
            return self._waiting.popleft() if self._waiting else None

    def oldest(self, now: float) -> float | None:
        """When the oldest that waits was taken (monotonic s); forgets what is too old."""
        with self._mutex:
            self._expire(now)
            return self._waiting[0].monotonic if self._waiting else None

    def newest(self, now: float) -> np.ndarray | None:
        """The last picture, masked; None where there is none of the last two seconds."""
        with self._mutex:
            self._expire(now)
            return self._newest.data.frame if self._newest else None

    def clear(self) -> None:
        """Forget all pictures: their masks are no longer the right ones."""
        with self._mutex:
            self._waiting.clear()
            self._newest = None

    def _expire(self, now: float) -> None:
        while self._waiting and now - self._waiting[0].monotonic > self._seconds:
            self.dropped += self._waiting.popleft().data.frame is not None
        if self._newest and now - self._newest.monotonic > LONGEST_S:
            self._newest = None
