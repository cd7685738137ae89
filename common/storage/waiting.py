"""What waits for the writer: bounded in number and bytes, handed over in groups."""

import threading
import time
from collections import deque

from common.storage.commit import Waiting

URGENT = ("alarm", "audit")
"""Classes for which no commit waits for company: a person hears of them, or has done them."""


class Queue:
    """Filled by any thread, emptied by the writer's; nobody who fills it ever waits."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._waiting: deque[Waiting] = deque()
        self._bytes, self._since = 0, 0.0
        self._group = most
        self.refused = 0
        """How many were not taken."""
        self._urgent = self._closed = False
        self._changed = threading.Condition(threading.Lock())

    def put(self, waiting: Waiting) -> str:
        """Have it wait; gives "", or why it was not taken."""
        with self._changed:
            if refusal := self._why_refused(waiting.size):
                self.refused += 1
                return refusal
            self._waiting.append(waiting)
            self._bytes += waiting.size
            count = len(self._waiting)
            if waiting.of_class in URGENT:
                self._urgent = True
                self._changed.notify()
            elif count in (1, self._group):
                self._changed.notify()
            if count == 1:
                self._since = time.monotonic()
        return ""

    def _why_refused(self, size: int) -> str:
        if self._closed:
            return "the store is closed"
        if len(self._waiting) >= self._most:
            return f"{self._most} operations wait already"
        if size and self._bytes + size > self._most_bytes:
            return f"{self._bytes} bytes wait already"
        return ""

    def take(self, most: int, window_s: float, patience_s: float) -> list[Waiting]:
        """The next `most`; none after `patience_s` without any, or when closed and empty.

        They come once there are so many, or one is urgent, or the first has waited
        `window_s`.
        """
        with self._changed:
            self._group = most
            self._changed.wait_for(lambda: self._waiting or self._closed, patience_s)
            if self._waiting:
                left = self._since + window_s - time.monotonic()
                self._changed.wait_for(lambda: self._ripe(most), left)
            group = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._bytes -= sum(waiting.size for waiting in group)
            self._urgent = self._urgent and bool(self._waiting)
        return group

    def _ripe(self, most: int) -> bool:
        return self._urgent or self._closed or len(self._waiting) >= most

    def hurry(self) -> None:
        """Hand over at once what waits: somebody wants to know what came of it."""
        with self._changed:
            self._urgent = bool(self._waiting)
            self._changed.notify()

    def close(self) -> None:
        """Take nothing more; what waits is handed over at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether it is closed and empty."""
        return self._closed and not self._waiting

    def __len__(self) -> int:
        return len(self._waiting)
