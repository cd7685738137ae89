"""Waiting longer after every failure, and never in step with a thousand other stations."""

import random


class BackOff:
    """Full jitter: a uniform draw from 0 to a bound that doubles up to `cap_s`."""

    def __init__(self, base_s: float, cap_s: float) -> None:
        self._base_s, self._cap_s, self._failures = base_s, cap_s, 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        bound = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return random.uniform(0.0, bound)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """It worked: begin anew."""
        self._failures = 0
