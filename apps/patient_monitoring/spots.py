"""The newest spot values of each patient: what goes with them to another bed, and is still
known after a restart, each as old as it is. With them goes which signs stream: their
silence is told wherever the patient lies.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from apps.patient_monitoring.domain import NONE, Sign
from apps.patient_monitoring.streams import SLOW_S


class Spot(NamedTuple):
    """The newest spot value of a sign."""

    value: float
    """NaN: there is none, the sign streams."""
    at: float
    """When it was measured: monotonic s of this gateway."""
    own: float
    """The same by its source's clock: wall, UTC s."""
    interval_s: float
    """See Readings."""

    @property
    def streams(self) -> bool:
        """Whether it only says that the sign comes by itself."""
        return math.isnan(self.value)


Patient = dict[int, Spot]
"""By sign."""


class Spots:
    """By pseudonym; the intake's lock guards it."""

    def __init__(self) -> None:
        self._of: dict[str, Patient] = {}
        self.changed = False
        """Since `document` was last taken."""

    def of(self, pseudonym: str) -> Patient:
        """One patient's, to be looked at and added to."""
        return self._of.setdefault(pseudonym, {})

    def keep(self, kept: Patient, sign: int, spot: Spot) -> None:
        """A spot value, unless a newer one is known; of one time the later word counts."""
        before = kept.get(sign)
        if before is None or spot.at >= before.at:
            self.changed |= before is None or spot[:2] != before[:2]
            kept[sign] = spot

    def heard(self, kept: Patient, sign: int, at: float, *, streams: bool) -> None:
        """A monitor measures the sign: its spot value is history."""
        before = kept.get(sign)
        if streams and before is not None and before.streams:
            return
        kept.pop(sign, None)
        if streams:
            kept[sign] = Spot(NONE, at, at, SLOW_S)
        self.changed |= kept.get(sign) is not before

    def withdraw(self, kept: Patient, sign: int, at: float) -> None:
        """What was measured by `at` is wrong."""
        if sign in kept and not kept[sign].streams and kept[sign].at <= at:
            del kept[sign]
            self.changed = True

    def still(self, pseudonym: str, now: float, oldest_s: float) -> Iterator[tuple[int, Spot]]:
        """By sign what is not too old; what streams is waited for from `now` on."""
        for sign, spot in self._of.get(pseudonym, {}).items():
            if spot.streams:
                yield sign, spot._replace(at=now)
            elif now - spot.at <= oldest_s:
                yield sign, spot

    # ------------------------------------------------------------------ kept over a restart

    def document(self, here: Collection[str], apart: float) -> dict[str, Any]:
        """As JSON; those who are no longer `here` are forgotten.

        `apart` is wall less monotonic time: a restart ends what monotonic times mean.
        """
        self.changed = False
        self._of = {name: kept for name, kept in self._of.items() if name in here}
        return {
            name: {str(int(sign)): _row(spot, apart) for sign, spot in kept.items()}
            for name, kept in self._of.items()
        }

    def restore(self, document: Mapping[str, Any], apart: float, wall: float) -> int:
        """What a document says; how many of its spot values are unreadable or of no known age.

        `wall` is now, or less where the clock stands before a time that is on record: what
        seems to be measured after it may be of any age.
        """
        self._of, lost = {}, 0
        for name, kept in document.items():
            for sign, row in kept.items():
                spot = _spot(sign, row, apart)
                if spot and (spot.streams or spot.at + apart <= wall):
                    self.of(name)[int(sign)] = spot
                else:
                    lost += 1
        return lost


def _row(spot: Spot, apart: float) -> tuple[float | None, float, float | None, float]:
    every = spot.interval_s if math.isfinite(spot.interval_s) else None
    return None if spot.streams else spot.value, spot.at + apart, every, spot.own


def _spot(sign: str, row: list[Any], apart: float) -> Spot | None:
    """One value; None where it cannot be read, e.g. as it is of a later release."""
    try:
        Sign(int(sign))
        value, at, every = row[:3]
        own = row[3] if len(row) > 3 else at
        known, lasts = NONE if value is None else value, math.inf if every is None else every
        return Spot(float(known), at - apart, float(own), float(lasts))
    except (TypeError, ValueError):
        return None
