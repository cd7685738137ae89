"""Messages on their way from the network to the database, and how many there may be."""

import threading
from collections import deque
from dataclasses import dataclass

from common.telemetry.collector.checks import Arrival

SPARE = 1000
"""Messages of QoS 0 held beyond the bound: no broker holds those back for us."""


@dataclass(frozen=True, slots=True)
class Token:
    """What acknowledges a message: it holds for the connection that brought it."""

    connection: int
    mid: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message, and how to acknowledge it; None where nobody waits for that (QoS 0)."""

    arrival: Arrival
    token: Token | None


class Inbox:
    """A queue between two threads. The broker's window bounds it: `bound` messages.

    After a reconnect those not yet taken come again, so at most two windows are held.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: deque[Delivery] = deque()
        self._changed = threading.Condition()
        self.overrun = 0
        """Messages of QoS 0 that found no room."""

    def put(self, delivery: Delivery) -> None:
        """Take a message in."""
        with self._changed:
            if delivery.token is None and len(self._waiting) >= self._bound + SPARE:
                self.overrun += 1
                return
            self._waiting.append(delivery)
            self._changed.notify()

    def take(self, timeout_s: float) -> Delivery | None:
        """The oldest message, or None when there is none for so long."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            return self._waiting.popleft() if self._waiting else None

    def forget_acknowledgeable(self) -> None:
        """Drop what the broker is about to send again."""
        with self._changed:
            self._waiting = deque(one for one in self._waiting if one.token is None)

    @property
    def full(self) -> bool:
        """Whether a further window of messages would be too many."""
        return len(self._waiting) > self._bound

    def __len__(self) -> int:
        return len(self._waiting)
