"""Who is who until an interval closes, without keeping anybody's number for so long.

Counting distinct people takes something to tell them apart by, longer than a track may live.
So a track's number is exchanged for a running mark as soon as it is counted, and a minute
after the track was last seen nothing knows any more which mark it had.
"""

from dataclasses import replace
from typing import TypeVar

from apps.retail_analytics.domain import Crossing, Decision, Visit, Wait

FORGET_S = 60.0
Tracked = TypeVar("Tracked", Crossing, Visit, Wait)


class Marks:
    """Tracks of one camera → marks of one interval."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, float]] = {}
        """Track → its mark, and when it was last seen (monotonic s)."""
        self._next = 0
        self._look_at = float("-inf")

    def marked(self, decision: Decision) -> Decision:
        """The decision with marks in place of numbers."""
        if not (decision.spots or decision.crossings or decision.visits or decision.waits):
            return decision
        now = decision.monotonic
        return replace(
            decision,
            crossings=tuple(self._own(one, now) for one in decision.crossings),
            visits=tuple(self._own(one, now) for one in decision.visits),
            waits=tuple(self._own(one, now) for one in decision.waits),
            spots=tuple((self._mark(track, now), spot) for track, spot in decision.spots),
        )

    def _own(self, one: Tracked, now: float) -> Tracked:
        return replace(one, track=self._mark(one.track, now))

    def over(self, now: float) -> frozenset[int]:
        """Marks whose tracks are forgotten from now on; looked for once a second."""
        if now < self._look_at:
            return frozenset()
        self._look_at = now + 1.0
        old = [track for track, (_, seen) in self._known.items() if now - seen > FORGET_S]
        return frozenset(self._known.pop(track)[0] for track in old)

    def _mark(self, track: int, now: float) -> int:
        known = self._known.get(track)
        if known is None:
            self._next += 1
            known = (self._next, now)
        self._known[track] = (known[0], now)
        return known[0]
