"""How long until the next limit, followed window by window. Pure.

Levels are followed as their ratio to the baseline of the state they were measured in, so
that another speed or load is no trend; without a baseline there is none. An outlook informs
a plan; it never changes a verdict.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from apps.predictive_maintenance.config import DecideRules
from apps.predictive_maintenance.domain import Health, Outlook, Verdict
from apps.predictive_maintenance.trend import Track, seconds_until, slope_of


class Level(Protocol):
    """A figure beside its limits."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def limits(self) -> dict[Verdict, float]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Forecast:
    """The tracks of a machine's levels, and the outlook when the last block ended."""

    tracks: Mapping[str, Track] = field(default_factory=dict)
    outlook: Outlook | None = None

    def after(self, health: Health, level: Level | None, rules: DecideRules) -> "Forecast":
        """The forecast after one more judged window; `level` is the one to look at."""
        ratios = {
            "velocity": _ratio(health.velocity_mm_s, health.velocity_baseline),
            "acceleration": _ratio(health.acceleration_m_s2, health.acceleration_baseline),
        }
        tracks = dict(self.tracks)
        for kind, ratio in ratios.items():
            if ratio is not None:
                track = tracks.get(kind, Track())
                tracks[kind] = track.add(
                    health.at_s, ratio, rules.trend_block_s, rules.trend_blocks
                )
        after = Forecast(tracks, self.outlook)
        if level is None or not _block_ended(self, after, level.kind):
            return after
        return replace(after, outlook=_outlook(tracks[level.kind], level, health))


def _ratio(value: float, baseline: float | None) -> float | None:
    if not baseline or not value > 0 or not math.isfinite(value):
        return None
    return math.log(value) - math.log(baseline)


def _block_ended(before: Forecast, after: Forecast, kind: str) -> bool:
    old, new = before.tracks.get(kind), after.tracks.get(kind)
    return new is not None and new.points != (old.points if old else ())


def _outlook(track: Track, level: Level, health: Health) -> Outlook | None:
    """When the nearest limit above the present level is reached; None: no trend."""
    slope = slope_of(track.points)
    baseline = (
        health.velocity_baseline if level.kind == "velocity" else health.acceleration_baseline
    )
    if slope is None or not baseline:
        return None
    ahead = sorted(
        limit for limit in level.limits.values() if math.log(limit / baseline) > slope.level
    )
    seconds = seconds_until(slope, math.log(ahead[0] / baseline)) if ahead else None
    if seconds is None:
        return None
    best, earliest, latest = (value / 3600 for value in seconds)
    return Outlook(level.kind, ahead[0], best, earliest, latest)
