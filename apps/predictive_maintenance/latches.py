"""Persistence and hysteresis of one limit. Pure."""

from dataclasses import dataclass

from apps.predictive_maintenance.config import DecideRules


@dataclass(frozen=True, slots=True)
class Latch:
    """On after several readings over the limit running, off after more well below it."""

    over: int = 0
    under: int = 0
    on: bool = False

    def after(
        self, value: float, limit: float, rules: DecideRules, usual: float = 0.0
    ) -> "Latch":
        """The latch after one more reading. A value of NaN is over every limit.

        Well below is below clear_share × limit; where what is `usual` lies nearer to the
        limit than that, it is half way from there: else nothing healthy would clear it.
        """
        over = min(self.over + 1, rules.persist_readings) if not value <= limit else 0
        below = value < max(rules.clear_share * limit, (usual + limit) / 2 if usual else 0.0)
        under = min(self.under + 1, rules.clear_readings) if below else 0
        on = under < rules.clear_readings if self.on else over >= rules.persist_readings
        if (over, under, on) == (self.over, self.under, self.on):
            return self
        return Latch(over, under, on)
