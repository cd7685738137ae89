"""What is more than an operator can follow: floods, chattering and stale alarms (DOMAIN E2).

Only annunciated alarms count, each time that they begin to ask for attention. Times are
seconds of any one clock; a window of W s before t is (t − W, t].
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.alarms.engine import ABNORMAL, AlarmState

WINDOW_S = 600.0
FLOOD_FROM, FLOOD_BELOW = 10, 5
"""A flood begins with 10 alarms in 10 min, and ends with fewer than 5."""
CHATTER_S, CHATTER_TIMES = 60.0, 3
STALE_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Flood:
    """Whether alarms come faster than they can be dealt with."""

    newest: tuple[float, ...] = ()
    """Times of the last FLOOD_FROM alarms: all that the rule needs."""
    since: float | None = None
    """When the present flood began; None: there is none."""
    count: int = 0
    """Alarms of the present flood, or of the last."""


def annunciated(flood: Flood, now: float) -> Flood:
    """The flood after one more alarm."""
    flood = settled(flood, now)
    newest = (*flood.newest, now)[-FLOOD_FROM:]
    if flood.since is not None:
        return Flood(newest, flood.since, flood.count + 1)
    if len(newest) == FLOOD_FROM and newest[0] > now - WINDOW_S:
        return Flood(newest, now, FLOOD_FROM)
    return replace(flood, newest=newest)


def calm_at(flood: Flood) -> float:
    """When a flood ends if nothing more comes."""
    return flood.newest[-FLOOD_BELOW] + WINDOW_S


def settled(flood: Flood, now: float) -> Flood:
    """The flood at this time; the very same where it has not ended."""
    if flood.since is None or now < calm_at(flood):
        return flood
    return replace(flood, since=None)


def spans(times: Sequence[float]) -> list[tuple[float, float]]:
    """From when to when there was a flood, of alarms at `times` in rising order."""
    flood, found = Flood(), []
    for time in times:
        before, flood = flood, annunciated(flood, time)
        if before.since is not None and flood.since != before.since:
            found.append((before.since, calm_at(before)))
    if flood.since is not None:
        found.append((flood.since, calm_at(flood)))
    return found


def most_in(times: Sequence[float], window_s: float) -> int:
    """The most alarms in any window of this length, of `times` in rising order."""
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def chatters(times: Sequence[float]) -> bool:
    """Whether one alarm came three times within a minute, its `times` in rising order."""
    return most_in(times, CHATTER_S) >= CHATTER_TIMES


def is_stale(state: AlarmState, now: float) -> bool:
    """Whether an alarm has stood in the list for more than a day (`now` in monotonic s)."""
    active_at = state.active_at if state.name in ABNORMAL else None
    return active_at is not None and now - active_at > STALE_S
