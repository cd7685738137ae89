"""When a measured value is abnormal: a limit with a deadband, as a pure function.

Where to begin, after DOMAIN E2 (deadband as a share of the range, then the delay): flow
5 % and 15 s, level 5 % and 60 s, pressure 2 % and 15 s, temperature 1 % and 60 s.
"""

import math
from dataclasses import dataclass

from common.config import setting


@dataclass(frozen=True)
class Limit:
    """A limit that a value must not pass; all three numbers in the value's own unit."""

    value: float = setting()
    side: str = setting("high", choices=("high", "low"))
    """high: abnormal above `value`; low: abnormal below."""
    deadband: float = setting(0.0, low=0.0)
    """How far the value must come back inside before it is normal again."""

    def __post_init__(self) -> None:
        if self.side not in ("high", "low"):
            raise ValueError(f"side = {self.side!r}; allowed: high, low")
        if not (math.isfinite(self.value) and 0 <= self.deadband < math.inf):
            raise ValueError("a limit is a finite number, its deadband one of 0 or more")


def passed(limit: Limit, value: float | None, active: bool) -> bool:
    """Whether `value` is abnormal, given whether it was (`active`).

    A value on the limit is normal; one on the inner edge of the deadband is normal again.
    No value (None, NaN) changes nothing: that it is missing is an alarm of its own.
    """
    if value is None or math.isnan(value):
        return active
    band = limit.deadband if active else 0.0
    if limit.side == "high":
        return value > limit.value - band
    return value < limit.value + band
