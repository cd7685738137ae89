"""The two ways out of a station, each with its own pauses and its own troubles.

That nobody hears samples must hold up no alarm; so each topic waits for itself alone.
"""

from enum import Enum

from common.telemetry.back_off import BackOff

LANES = {"events": ("alarm", "audit", "verdict"), "telemetry": ("metric", "sample")}
"""Topic → the classes it carries (DOMAIN F2)."""
LIVE_S = 10.0
"""What could not be sent for so long is live no more: it joins the backlog."""


class Kind(Enum):
    """Which rows of a lane come next, in this order."""

    LIVE = "written since the connection stands"
    AGAIN = "sent, and never confirmed"
    BACKLOG = "what has waited"


class Lane:
    """One topic. Times are monotonic seconds of the process."""

    def __init__(self, leaf: str, topic: str, back_off: BackOff) -> None:
        self.leaf, self.topic, self.classes = leaf, topic, LANES[leaf]
        self.trouble = ""
        """Why its events do not get through although there is a connection."""
        self._back_off = back_off
        self._paused_until = self._caught_up_at = 0.0

    @property
    def urgent(self) -> bool:
        """Whether its events must not wait behind others."""
        return self.leaf == "events"

    def begin(self, now: float) -> None:
        """A new connection: whatever it was, try again."""
        self._paused_until, self._caught_up_at = 0.0, now

    def open(self, now: float) -> bool:
        """Whether it may be sent on."""
        return self._paused_until <= now

    def caught_up(self, now: float) -> None:
        """All that is live has been sent."""
        self._caught_up_at = now

    def behind(self, now: float) -> bool:
        """Whether what is called live has waited too long to be that."""
        return now - self._caught_up_at > LIVE_S

    def delivered(self) -> None:
        """The broker takes its events."""
        self.trouble = ""
        self._back_off.reset()

    def pause(self, trouble: str, now: float) -> None:
        """Wait before the next attempt; one pause for all batches under way."""
        self.trouble = trouble
        if self._paused_until <= now:
            self._paused_until = now + self._back_off.next()
