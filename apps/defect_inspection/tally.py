"""Running counts of the line since the station started: what the screen's tiles show."""

from collections import Counter, deque
from math import sqrt
from typing import Any

from apps.defect_inspection.domain import Decision, Verdict

HOUR_S = 3600.0
WINDOW_PARTS = 50
Z95 = 1.96  # two-sided 95 %


class Tally:
    """Counts verdicts; the caller says when each was given (monotonic seconds)."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.confirmed = 0
        self._hour: deque[tuple[float, bool]] = deque()
        self._last_confirmed: int | None = None

    def add(self, decision: Decision, now: float) -> None:
        """Count one part; challenge pieces do not count as production."""
        self.verdicts[decision.verdict.value] += 1
        if decision.challenge:
            return
        self._hour.append((now, decision.verdict is not Verdict.PASS))
        while self._hour and self._hour[0][0] < now - HOUR_S:
            self._hour.popleft()

    def confirm(self, part_id: int) -> bool:
        """Count a part the confirm eye saw; False when it is the one counted last.

        The first reading counts nothing: it is of before our start.
        """
        last, self._last_confirmed = self._last_confirmed, part_id
        if last is None or part_id in (0, last):
            return False
        self.confirmed += 1
        return True

    @property
    def parts(self) -> int:
        """Parts that got a verdict, no-results included."""
        return sum(self.verdicts.values())

    @property
    def commanded(self) -> int:
        """Parts that the gate must not let pass."""
        return self.parts - self.verdicts[Verdict.PASS.value]

    def counts(self) -> dict[str, int]:
        """For the snapshot."""
        by_verdict = {verdict.value: self.verdicts[verdict.value] for verdict in Verdict}
        return {
            "parts": self.parts,
            **by_verdict,
            "commanded": self.commanded,
            "confirmed": self.confirmed,
            "unconfirmed": max(0, self.commanded - self.confirmed),
        }

    def reject_rate(self) -> dict[str, Any]:
        """Share rejected in the last parts, beside the last hour's 95 % band."""
        flags = [rejected for _, rejected in self._hour]
        recent = flags[-WINDOW_PARTS:]
        low, high = wilson(sum(flags), len(flags))
        now = sum(recent) / len(recent) if recent else None
        return {"now": now, "low": low, "high": high, "window_parts": len(recent)}


def wilson(hits: int, total: int) -> tuple[float | None, float | None]:
    """95 % interval of a share (Wilson 1927); None, None when nothing was counted."""
    if not total:
        return None, None
    share, z2 = hits / total, Z95 * Z95
    middle = share + z2 / (2 * total)
    reach = Z95 * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    scale = 1 + z2 / total
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)
