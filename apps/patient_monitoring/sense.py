"""From what listeners heard to one sample of the whole ward, on a steady beat.

The beat's own times are used, not the moment in which the loop woke: a rule that waits
for 12 s then waits for 12 s, whatever else the machine does. A beat that was missed is
left out, and counted. Readings of beds whose patient changed come after the change.
"""

from collections.abc import Callable

from apps.patient_monitoring.census import Move
from apps.patient_monitoring.intake import Intake
from apps.patient_monitoring.readings import Readings
from common.ports import Clock, Sample

Moved = Callable[[tuple[Move, ...], float], None]


class Sense:
    """Waits for the next beat; gives what came since the last one."""

    def __init__(self, intake: Intake, clock: Clock, period_s: float, moved: Moved) -> None:
        self._intake, self._clock, self._period_s, self._moved = intake, clock, period_s, moved
        self._due = clock.monotonic() + period_s
        self._sequence = 0
        self.missed = 0
        """Beats left out because the one before took too long."""

    def __call__(self, timeout_s: float) -> Sample[Readings] | None:
        """The ward's sample; None while it is not yet time. Who moved is told first."""
        wait = self._due - self._clock.monotonic()
        if wait > 0:
            self._clock.sleep(min(wait, timeout_s))
            if wait > timeout_s:
                return None
        now = self._beat()
        self._intake.watch_clock()
        gathered = self._intake.gather(now)
        if gathered.moves:
            self._moved(gathered.moves, now)
        self._sequence += 1
        wall = self._clock.wall() - (self._clock.monotonic() - now)
        return Sample(f"ward/{self._sequence}", gathered.readings, self._sequence, wall, now)

    def _beat(self) -> float:
        """The latest beat that is over; those before it are missed."""
        late = int((self._clock.monotonic() - self._due) // self._period_s)
        self.missed += late
        now = self._due + late * self._period_s
        self._due = now + self._period_s
        return now
