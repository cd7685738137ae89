"""Where people spend their time: person-seconds per cell of the floor, in coarse cells.

A cell that fewer than k people were in says nothing, not even 0. The sum over all cells is
never told, so what is left out cannot be had by subtracting. Who has not moved a little way
is not taken for one more person: else the track of somebody who stands at a till all day,
broken ten times, would be ten people, and the map would show where one person works.
"""

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from apps.retail_analytics.domain import Decision, Point

Cell = tuple[int, int]
ROUND_S = 10  # of published person-seconds
WALKED_CELLS = 2.0  # from where a track was first seen, until it is a person of its own


@dataclass
class HeatMap:
    """One camera's floor during one interval; in memory until the interval closes."""

    cell: float
    """Side of a cell, in the units of the spots (m, or px where no floor is known)."""
    seconds: dict[Cell, dict[int, float]] = field(default_factory=dict)
    """Per cell and track."""
    first: dict[int, Point] = field(default_factory=dict)
    """Per track: where it was first seen in this interval."""
    walked: set[int] = field(default_factory=set)
    over: dict[Cell, tuple[int, float]] = field(default_factory=dict)
    """Per cell, of people who are gone: how many had walked, and their seconds."""

    def add(self, decision: Decision) -> None:
        """Take where everybody stands for the time since the view before."""
        if not decision.usable:
            return
        for track, (x, y) in decision.spots:
            if math.isfinite(x) and math.isfinite(y):
                cell = (math.floor(x / self.cell), math.floor(y / self.cell))
                here = self.seconds.setdefault(cell, {})
                here[track] = here.get(track, 0.0) + decision.seconds
                way = math.dist(self.first.setdefault(track, (x, y)), (x, y))
                if way >= WALKED_CELLS * self.cell:
                    self.walked.add(track)

    def forget(self, gone: AbstractSet[int]) -> None:
        """Nobody's way is kept: of who is gone only sums stay."""
        if not gone:
            return
        for cell, here in self.seconds.items():
            for track in here.keys() & gone:
                seconds = here.pop(track)
                if track in self.walked:
                    people, before = self.over.get(cell, (0, 0.0))
                    self.over[cell] = (people + 1, before + seconds)
        for track in gone:
            self.first.pop(track, None)
            self.walked.discard(track)

    @property
    def people(self) -> dict[Cell, int]:
        """Per cell: how many walked through it."""
        return {cell: people for cell, (people, _) in self._sums().items()}

    def publish(self, k: int) -> dict[Cell, int]:
        """Rounded person-seconds of the cells that at least k people walked through."""
        return {
            cell: ROUND_S * round(seconds / ROUND_S)
            for cell, (people, seconds) in self._sums().items()
            if people >= k
        }

    def _sums(self) -> dict[Cell, tuple[int, float]]:
        """Per cell: how many walked through it, and their seconds there."""
        sums = dict(self.over)
        for cell, here in self.seconds.items():
            walked = self.walked & here.keys()
            people, seconds = sums.get(cell, (0, 0.0))
            seconds += sum(here[track] for track in walked)
            sums[cell] = (people + len(walked), seconds)
        return sums
