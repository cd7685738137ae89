"""How many people are inside: in − out, with what such a sum needs to stay true.

Each missed crossing moves the sum for the rest of the day. So it never falls below zero
(and remembers how often it would have), is set to nobody at an hour when the shop is known
to be empty, and what was left over then, as a share of who came in, corrects the next day.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from apps.retail_analytics.config import OccupancyRules


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The sum since the last time the shop was empty."""

    entered: int = 0
    left: int = 0
    base: int = 0
    """Inside when counting began: after a restart, or by a person's word."""
    corrected: int = 0
    """People added because more left than had come: each a missed entry."""
    drift: float = 0.0
    """Share of who comes in that is not seen going out (< 0: the other way), learned."""
    day: date | None = None
    """The business day it counts, from `reset_at` to `reset_at`; None before the first."""

    @property
    def inside(self) -> int:
        """The best estimate of how many are inside, never below 0."""
        return max(0, self.reckoned)

    @property
    def reckoned(self) -> int:
        """The same sum as it is, even where it cannot be."""
        sum_now = self.base + self.entered + self.corrected - self.left
        return round(sum_now - self.drift * self.entered)


def count(state: Occupancy, entered: int, left: int) -> Occupancy:
    """After so many went in and out through the doors."""
    after = replace(state, entered=state.entered + entered, left=state.left + left)
    missing = after.left - after.entered - after.corrected - after.base
    return replace(after, corrected=after.corrected + missing) if missing > 0 else after


def on_day(state: Occupancy, local: datetime, rules: OccupancyRules) -> Occupancy:
    """The sum as it stands at local time `local`: emptied once for each new business day.

    A clock that steps back does not empty it again; one that was days ahead is forgotten.
    """
    day = day_start(local, rules).date()
    if state.day is None or state.day - day > timedelta(days=1):
        return replace(state, day=day)
    if day <= state.day:
        return state
    return Occupancy(drift=learned(state, rules), day=day)


def day_start(local: datetime, rules: OccupancyRules) -> datetime:
    """When the business day of local time `local` began."""
    hours, minutes = (int(part) for part in rules.reset_at.split(":"))
    start = local.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    return start if start <= local else start - timedelta(days=1)


def said(state: Occupancy, inside: int) -> Occupancy:
    """After somebody has looked: so many are inside."""
    return replace(state, base=state.base + inside - state.reckoned)


def learned(state: Occupancy, rules: OccupancyRules) -> float:
    """The drift after one more day: bounded, and never from one day alone."""
    if not state.entered:
        return state.drift
    missed = (state.base + state.entered - state.left) / state.entered
    moved = state.drift + rules.learn * (missed - state.drift)
    return max(-rules.most_drift, min(rules.most_drift, moved))
