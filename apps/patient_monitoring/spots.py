"""The newest spot values of each patient: what goes with them to another bed, and is still
known after a restart, each as old as it is.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

Spot = tuple[float, float, float]
"""Value, when it was measured (wall, UTC s), and its interval (see Readings)."""
Patient = dict[int, Spot]
"""Sign → its newest spot value."""


class Spots:
    """By pseudonym; the intake's lock guards it."""

    def __init__(self) -> None:
        self._of: dict[str, Patient] = {}
        self.changed = False
        """Since `document` was last taken."""

    def of(self, pseudonym: str) -> Patient:
        """One patient's, to be looked at and added to."""
        return self._of.setdefault(pseudonym, {})

    def age_s(
        self, kept: Patient, said: tuple[int, Spot], age_s: float, *, repeated: bool
    ) -> float:
        """How old a spot value is, and keep it; `said` was measured `age_s` before its time.

        One that may only be the last one said again is as old as that.
        """
        sign, (value, wall, interval_s) = said
        before = kept.get(sign)
        if repeated and before is not None and before[0] == value:
            return max(wall - before[1], age_s)
        if before is None or wall - age_s >= before[1]:
            kept[sign] = (value, wall - age_s, interval_s)
            self.changed = True
        return age_s

    def over(self, kept: Patient, sign: int) -> None:
        """The sign streams now: its spot value is history."""
        del kept[sign]
        self.changed = True

    def still(
        self, pseudonym: str, wall: float, oldest_s: float
    ) -> Iterator[tuple[int, float, float, float]]:
        """Sign, value, age and interval of what is not too old."""
        for sign, (value, at, interval_s) in self._of.get(pseudonym, {}).items():
            age_s = max(wall - at, 0.0)
            if age_s <= oldest_s:
                yield sign, value, age_s, interval_s

    def document(self, here: Collection[str]) -> dict[str, Any]:
        """As JSON; those who are no longer `here` are forgotten."""
        self.changed = False
        self._of = {name: kept for name, kept in self._of.items() if name in here}
        return {
            name: {str(int(sign)): (v, at, every if math.isfinite(every) else None)
                   for sign, (v, at, every) in kept.items()}
            for name, kept in self._of.items()
        }  # fmt: skip

    def restore(self, document: Mapping[str, Any]) -> None:
        """What a document says."""
        self._of = {
            name: {int(sign): (v, at, math.inf if every is None else every)
                   for sign, (v, at, every) in kept.items()}
            for name, kept in document.items()
        }  # fmt: skip
