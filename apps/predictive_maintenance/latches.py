"""Persistence and hysteresis of one limit. Pure."""

from dataclasses import dataclass

from apps.predictive_maintenance.config import DecideRules


@dataclass(frozen=True, slots=True)
class Latch:
    """On after several readings over the limit running, off after more well below it."""

    over: int = 0
    under: int = 0
    on: bool = False

    def after(self, value: float, limit: float, rules: DecideRules) -> "Latch":
        """The latch after one more reading. A value of NaN is over every limit."""
        over = self.over + 1 if not value <= limit else 0
        under = self.under + 1 if value < rules.clear_share * limit else 0
        on = under < rules.clear_readings if self.on else over >= rules.persist_readings
        return Latch(min(over, 10_000), min(under, 10_000), on)
