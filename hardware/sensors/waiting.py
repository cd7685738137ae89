"""Readings between the thread that receives them and the loop that fetches them.

Bounded: a loop that cannot keep up loses the oldest, and every loss is counted.
"""

import threading
from collections import deque

from common.errors import SensorError
from common.ports import VibrationReading


class Waiting:
    """A queue of readings, and how the source fares. Safe to use from several threads."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._readings: deque[VibrationReading] = deque()
        self._changed = threading.Condition()
        self._away = "not connected yet"
        self.dropped = 0
        """Readings lost because nobody fetched them in time."""

    def put(self, reading: VibrationReading) -> None:
        """Have it fetched; over the limit the oldest goes."""
        with self._changed:
            if len(self._readings) >= self._most:
                self._readings.popleft()
                self.dropped += 1
            self._readings.append(reading)
            self._changed.notify()

    def away(self, reason: str) -> None:
        """Say why nothing comes; empty: it works."""
        with self._changed:
            self._away = reason
            self._changed.notify()

    def fetch(self, timeout_s: float) -> list[VibrationReading]:
        """All that came; raises SensorError when nothing came and nothing can."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._readings), timeout_s)
            found = list(self._readings)
            self._readings.clear()
            if not found and self._away:
                raise SensorError(self._name, self._away)
            return found
