"""Time as a port: rules use monotonic time, records wall time, tests hold the clock."""

import time


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC; may jump."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait at least `seconds`."""
        time.sleep(seconds)


class HeldClock:
    """A clock that moves only when told to: for tests, replays and simulators."""

    def __init__(self, wall: float = 1_767_225_600.0, monotonic: float = 0.0) -> None:
        self._wall, self._monotonic = wall, monotonic

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Move both clocks on at once."""
        self._wall += seconds
        self._monotonic += seconds

    def set_wall(self, wall: float) -> None:
        """Let wall time jump, as NTP or a user does."""
        self._wall = wall
