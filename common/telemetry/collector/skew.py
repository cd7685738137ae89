"""How far a station's clock is from ours, without asking it (DOMAIN F6).

Received less recorded is the clock's offset plus the way's delay. A delay is never
negative and now and then almost nothing, so the least of many differences is the offset.

Yet a broker may have held a live event for us for hours: that a clock is behind is believed
only when two events were received as far apart as they were recorded. What a broker held
comes all at once.
"""

from dataclasses import dataclass

WINDOW_S = 600.0
"""The least of so long; a clock set back is noticed after it at the latest."""
APART_S, SLACK_S = 10.0, 1.0
"""So far apart the two are recorded, and so much less they may be received."""
LONGEST_HELD_S = 30 * 86_400.0
"""No broker holds anything for so long: a clock that is further behind was never set."""
MOST_SOURCES = 100_000


@dataclass(slots=True)
class _Least:
    boot_id: str
    since: float
    older: float | None
    newer: float
    recorded: float
    """When the event was recorded that the next is compared with."""
    offset_s: float
    """Its difference."""
    live: bool = False
    """Whether two events came as far apart as they were recorded."""

    def compare(self, recorded: float, offset_s: float) -> None:
        if not self.live and abs(recorded - self.recorded) >= APART_S:
            self.live = recorded > self.recorded and offset_s >= self.offset_s - SLACK_S
            self.recorded, self.offset_s = recorded, offset_s


class ClockOffsets:
    """Estimates by source; one start of a station by itself, for its clock may have jumped."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._half_s = window_s / 2
        self._leasts: dict[str, _Least] = {}

    def observe(self, source: str, boot_id: str, offset_s: float, now: float) -> None:
        """A live event came in: `offset_s` is received less recorded.

        Not to be told of what waited in a station's backlog: that was not recorded just now.
        """
        least, recorded = self._leasts.get(source), now - offset_s
        if least is None or least.boot_id != boot_id:
            if len(self._leasts) >= MOST_SOURCES:
                self._leasts.clear()
            self._leasts[source] = _Least(boot_id, now, None, offset_s, recorded, offset_s)
            return
        least.compare(recorded, offset_s)
        if now - least.since >= self._half_s:
            least.older, least.newer, least.since = least.newer, offset_s, now
        else:
            least.newer = min(least.newer, offset_s)

    def offset_s(self, source: str, boot_id: str) -> float | None:
        """Seconds to add to the station's times; None while nobody knows."""
        least = self._leasts.get(source)
        if least is None or least.boot_id != boot_id:
            return None
        found = least.newer if least.older is None else min(least.older, least.newer)
        held = SLACK_S < found < LONGEST_HELD_S and not least.live
        return None if held else found
