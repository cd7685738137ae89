"""Heat lowers the frame rate before it lowers the truth.

A device that throttles itself does every picture later, and drops those that no longer fit:
which ones is chance. So fewer pictures are looked at, evenly, and each as well as ever. The
rate never falls below what tracking needs: from there on only the alarm is left.

Heat is summed up and not looked at by the moment: a device at its limit switches to and fro
every second, and the rate must not follow it. The sum of a hotter time is never the smaller
one, so a hotter device is never asked for more.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.config import setting

LONGEST_LOOK_S = 5.0
"""Of a longer time between two looks no more is known than this."""


@dataclass(frozen=True)
class Cooling:
    """[cooling]: how pictures per second give way to heat."""

    hot_c: float = setting(0.0, low=0.0, high=150.0, unit="°C")
    """From here it is hot; 0: only when the device says that it throttles itself."""
    band_c: float = setting(5.0, low=0.5, high=50.0, unit="°C")
    """So far below it is cool again."""
    steps: int = setting(3, low=1, high=10)
    slower_s: float = setting(10.0, low=0.1, high=3600.0, unit="s")
    """Hot for so long costs one step; the first is taken at once."""
    faster_s: float = setting(60.0, low=1.0, high=7200.0, unit="s")
    """Cool for so long gives one back."""
    least_fps: float = setting(5.0, low=0.5, high=60.0, unit="1/s")

    def __post_init__(self) -> None:
        if self.faster_s < self.slower_s:
            raise ValueError("faster_s below slower_s would warm the device up again at once")


class FrameRate:
    """How many pictures per second are looked at now."""

    def __init__(self, settings: Cooling) -> None:
        self._settings = settings
        self._heat = 0.0
        """Steps' worth of heat, 0 … steps."""
        self._looked_at: float | None = None
        self._cause = ""
        self.level = 0
        """Steps taken; 0 is the full rate."""

    def look(self, now: float, host: Mapping[str, Any]) -> None:
        """Take the device's word at monotonic time `now`, s: the snapshot's `host`.

        Keys read are `throttled`, `throttle_reasons` and `temperature_c`; None is not told.
        """
        before, self._looked_at = self._looked_at, now
        passed = 0.0 if before is None else min(max(now - before, 0.0), LONGEST_LOOK_S)
        cause = self._hot(host)
        if cause:
            self._cause = cause
            passed = max(passed, 1e-6)  # hot at the first look is hot too
            self._heat += passed / self._settings.slower_s
        elif self._cool(host):
            self._heat -= passed / self._settings.faster_s
        self._heat = min(max(self._heat, 0.0), float(self._settings.steps))
        self.level = max(self.level, math.ceil(self._heat))
        while self.level and self._heat <= max(0.0, self.level - 1.5):
            self.level -= 1

    def fps(self, full: float) -> float:
        """Pictures per second where `full` would be looked at in a cool place."""
        least = min(full, self._settings.least_fps)
        share: float = (least / full) ** (self.level / self._settings.steps)
        return full * share

    def slowdown(self, full: float) -> float:
        """Times as long from picture to picture as at `full` pictures per second; 1 or more."""
        return full / self.fps(full)

    @property
    def reason(self) -> str:
        """Why fewer are looked at; empty at the full rate."""
        if not self.level:
            return ""
        return f"{self._cause}: pictures reduced, step {self.level} of {self._settings.steps}"

    def document(self, full: float) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "level": self.level,
            "steps": self._settings.steps,
            "fps": round(self.fps(full), 2),
            "full_fps": full,
            "reason": self.reason,
        }

    def _hot(self, host: Mapping[str, Any]) -> str:
        if host.get("throttled"):
            return ", ".join(host.get("throttle_reasons") or ()) or "throttled"
        degrees = host.get("temperature_c")
        if self._settings.hot_c and degrees is not None and degrees >= self._settings.hot_c:
            return f"{degrees:.0f} °C"
        return ""

    def _cool(self, host: Mapping[str, Any]) -> bool:
        degrees = host.get("temperature_c")
        limit = self._settings.hot_c - self._settings.band_c
        return not self._settings.hot_c or degrees is None or degrees <= limit
