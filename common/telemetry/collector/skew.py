"""How far a station's clock is from ours, without asking it (DOMAIN F6).

Received less recorded is the clock's offset plus the way's delay. A delay is never
negative and now and then almost nothing, so the least of many differences is the offset.
"""

from dataclasses import dataclass

WINDOW_S = 600.0
"""The least of so long; a clock set back is noticed after it at the latest."""
MOST_SOURCES = 100_000


@dataclass(slots=True)
class _Least:
    boot_id: str
    since: float
    older: float | None
    newer: float


class ClockOffsets:
    """Estimates by source; one start of a station by itself, for its clock may have jumped."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._half_s = window_s / 2
        self._leasts: dict[str, _Least] = {}

    def observe(self, source: str, boot_id: str, offset_s: float, now: float) -> None:
        """An event just recorded came in: `offset_s` is received less recorded.

        Not to be told of what waited in a backlog: that was not recorded just now.
        """
        least = self._leasts.get(source)
        if least is None or least.boot_id != boot_id:
            if len(self._leasts) >= MOST_SOURCES:
                self._leasts.clear()
            self._leasts[source] = _Least(boot_id, now, None, offset_s)
        elif now - least.since >= self._half_s:
            least.older, least.newer, least.since = least.newer, offset_s, now
        else:
            least.newer = min(least.newer, offset_s)

    def offset_s(self, source: str, boot_id: str) -> float | None:
        """Seconds to add to the station's times; None while nobody knows."""
        least = self._leasts.get(source)
        if least is None or least.boot_id != boot_id:
            return None
        return least.newer if least.older is None else min(least.older, least.newer)
