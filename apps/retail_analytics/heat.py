"""Where people spend their time: person-seconds per cell of the floor, in coarse cells.

A cell that fewer than k people were in says nothing, not even 0. The sum over all cells is
never told, so what is left out cannot be had by subtracting.
"""

import math
from dataclasses import dataclass, field

from apps.retail_analytics.domain import Decision

Cell = tuple[int, int]
ROUND_S = 10  # of published person-seconds


@dataclass
class HeatMap:
    """One camera's floor during one interval; in memory until the interval closes."""

    cell: float
    """Side of a cell, in the units of the spots (m, or px where no floor is known)."""
    seconds: dict[Cell, float] = field(default_factory=dict)
    people: dict[Cell, set[int]] = field(default_factory=dict)

    def add(self, decision: Decision) -> None:
        """Take where everybody stands for the time since the view before."""
        if not decision.usable:
            return
        for track, (x, y) in decision.spots:
            if math.isfinite(x) and math.isfinite(y):
                cell = (math.floor(x / self.cell), math.floor(y / self.cell))
                self.seconds[cell] = self.seconds.get(cell, 0.0) + decision.seconds
                self.people.setdefault(cell, set()).add(track)

    def publish(self, k: int) -> dict[Cell, int]:
        """Rounded person-seconds of the cells that at least k people were in."""
        return {
            cell: ROUND_S * round(seconds / ROUND_S)
            for cell, seconds in self.seconds.items()
            if len(self.people[cell]) >= k
        }
