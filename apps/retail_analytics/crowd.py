"""How many are inside: from the doors of all cameras, over days and restarts, told with care.

The exact number stays in memory. Polled often enough, even a rounded one would betray the
moment at which somebody goes in, so what is told is rounded to fives, renewed on whole
minutes only, and below k it is "few". What a restart finds in the file is that and no more: of
few, nobody. Who of them leaves then is one missed entry, as `occupancy.py` takes them.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from apps.retail_analytics import occupancy
from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import OccupancyRules
from apps.retail_analytics.domain import IN, Decision
from apps.retail_analytics.occupancy import Occupancy
from apps.retail_analytics.telling import rounded

MINUTE_S = 60.0
CLOCK, START = "clock", "start"
Doors = frozenset[tuple[str, str]]
"""(camera, line) of every line that is a door."""


def local_time(wall: float) -> datetime:
    """The device's own local time."""
    return datetime.fromtimestamp(wall, UTC).astimezone()


def doors_of(cameras: Iterable[CameraSettings]) -> Doors:
    """Every line that counts for the occupancy."""
    return frozenset((c.name, line.name) for c in cameras for line in c.line if line.door)


@dataclass(frozen=True, slots=True)
class Told:
    """What may be said of the occupancy, as of the last whole minute."""

    minute: int = -1
    inside: int | None = None
    """Rounded; None where there are few."""
    few: bool = True
    corrected: int = 0


class Crowd:
    """Counts who is inside; `remembered` is what `document` said before a restart."""

    def __init__(
        self,
        rules: OccupancyRules,
        k: int,
        doors: Doors,
        wall: float,
        remembered: Mapping[str, Any] | None = None,
        local: Callable[[float], datetime] = local_time,
    ) -> None:
        self._rules, self._k, self._local = rules, k, local
        self.doors = doors
        self.reset_at, self.reset_by = wall, START
        """Since when the sum runs, and who said how many were inside then."""
        self._state = Occupancy()
        if remembered:
            self.reset_at, self.reset_by = remembered["reset"], remembered["reset_by"]
            self._state = Occupancy(
                base=int(remembered["inside"]), drift=float(remembered["drift"]),
                day=date.fromisoformat(remembered["day"]),
            )  # fmt: skip
        self._told = Told()
        self.on_day(wall)

    def add(self, decision: Decision) -> None:
        """Take who went through the doors; a view that says nothing has no crossings."""
        doors = [c for c in decision.crossings if (decision.camera, c.line) in self.doors]
        if doors:
            entered = sum(crossing.direction == IN for crossing in doors)
            self._state = occupancy.count(self._state, entered, len(doors) - entered)

    def on_day(self, wall: float) -> None:
        """Empty the shop where a new business day has begun by wall time (UTC, s)."""
        before = self._state.day
        self._state = occupancy.on_day(self._state, self._local(wall), self._rules)
        if before is not None and self._state.day != before:
            self.reset_at, self.reset_by = self.day_start(wall), CLOCK
            self._told = Told()
        minute = int(wall // MINUTE_S)
        if minute != self._told.minute:
            self._told = self._tell(minute)

    def correct(self, inside: int, wall: float, by: str) -> None:
        """A person has counted at wall time (UTC, s): so many are inside."""
        self._state = occupancy.said(self._state, inside)
        self.reset_at, self.reset_by = wall, by
        self._told = self._tell(self._told.minute)

    def corrected(self, inside: int, wall: float, by: str) -> "Crowd":
        """A crowd as this one would be after `correct`; this one stays as it is."""
        after = copy(self)
        after.correct(inside, wall, by)
        return after

    @property
    def told(self) -> Told:
        """What may be said."""
        return self._told

    @property
    def drift(self) -> float:
        """Share of who comes in that is not seen going out, learned from day to day."""
        return round(self._state.drift, 2)

    @property
    def over(self) -> bool:
        """Whether more are inside than may be; judged by the exact number."""
        return bool(self._rules.limit) and self._state.inside > self._rules.limit

    def day_start(self, wall: float) -> float:
        """When the business day of wall time (UTC, s) began: UTC, s."""
        return occupancy.day_start(self._local(wall), self._rules).timestamp()

    def document(self) -> dict[str, Any]:
        """To be kept over a restart: nothing from which one crossing could be told."""
        day = self._state.day or date.min
        return {
            "inside": self._tell(self._told.minute).inside or 0, "drift": self.drift,
            "day": day.isoformat(), "reset": self.reset_at, "reset_by": self.reset_by,
        }  # fmt: skip

    def _tell(self, minute: int) -> Told:
        few = self._state.inside < self._k
        inside = None if few else max(rounded(self._state.inside), self._k)
        return Told(minute, inside, few, rounded(self._state.corrected))

    def renamed(self, doors: Doors) -> None:
        """Other lines are doors from now on; who is inside stays inside."""
        self.doors = doors
