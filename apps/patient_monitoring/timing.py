"""When what a source sent was measured, and for how long it counts: spot value or stream."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from apps.patient_monitoring.config import IntakeRules
from apps.patient_monitoring.domain import Flag
from apps.patient_monitoring.incoming.observed import Refused, Value
from apps.patient_monitoring.readings import BY_ROUNDS, CONTINUOUS
from apps.patient_monitoring.spots import Patient, Spot, Spots
from apps.patient_monitoring.streams import SLOW_S, Streams

WITHDRAWN = int(Flag.WITHDRAWN)
Timed = tuple[int, float, float, int, float]
"""Sign, value, when it was measured (monotonic s), flags and interval: see Readings."""


@dataclass(frozen=True, slots=True)
class Told:
    """The values of one message."""

    values: tuple[Value, ...]
    sent: float
    """By its source's clock: wall, UTC s."""
    here: float
    """The same in this gateway's monotonic s."""

    def own(self, one: Value) -> float:
        """When a value was measured, by its source's clock."""
        return self.sent if one.at is None else one.at


class Timing:
    """Of the patients of a gateway; the intake's lock guards it."""

    def __init__(
        self, spots: Spots, beds: int, rules: IntakeRules, counts: Counter[str]
    ) -> None:
        self._spots, self._streams = spots, Streams(beds)
        self._rules, self._counts = rules, counts

    def clear(self, row: int) -> None:
        """Another patient lies there."""
        self._streams.clear(row)

    def taken(self, row: int, kept: Patient, told: Told, now: float) -> list[Timed]:
        """What counts of a message; raises Refused, and then nothing of it is kept.

        A value that is too old is left out and counted; only where all are, it is Refused.
        """
        timed = [(one, self._measured(row, kept, told, one)) for one in told.values]
        oldest = now - self._rules.oldest_s
        young = [(one, at) for one, at in timed if at >= oldest]
        if timed and not young:
            one, at = timed[0]
            raise Refused("old", f"{one.sign.name} was measured {now - at:.0f} s ago")
        self._counts["too_old"] += len(timed) - len(young)
        return [
            (one.sign, one.value, at, one.flags, self._interval_s(row, kept, told, one, at))
            for one, at in young
        ]

    def known(self, row: int, pseudonym: str, now: float) -> Iterator[Timed]:
        """What is known of the patient who lies in `row` from now on."""
        for sign, spot in self._spots.still(pseudonym, now, self._rules.oldest_s):
            if spot.streams:
                self._streams.streamed(row, sign)
            else:
                self._streams.measured(row, sign, spot.own, spot.at)
            yield sign, spot.value, spot.at, 0, spot.interval_s

    def _measured(self, row: int, kept: Patient, told: Told, one: Value) -> float:
        own = told.own(one)
        ahead_s = own - told.sent
        if ahead_s > self._rules.clock_tolerance_s:
            raise Refused(
                "time",
                f"{one.sign.name} was measured {ahead_s:.0f} s after it was sent: is "
                "intake.utc_offset_min right, for HL7 times that name no zone?",
            )
        at = told.here + min(ahead_s, 0.0)
        before = kept.get(one.sign)
        if one.repeated and before is not None and before.value == one.value:
            return min(before.at, at)
        return self._streams.at(row, one.sign, own, at)

    def _interval_s(self, row: int, kept: Patient, told: Told, one: Value, at: float) -> float:
        """For how long a value counts; what goes with its patient is kept."""
        own = told.own(one)
        self._streams.measured(row, one.sign, own, at)
        if one.flags & WITHDRAWN:
            self._counts["withdrawn"] += 1
            self._spots.withdraw(kept, one.sign, at)
            return BY_ROUNDS
        if one.interval_s == CONTINUOUS:
            every = self._streams.interval_s(row, one.sign, at)
            self._spots.heard(kept, one.sign, at, streams=every <= SLOW_S)
            return every
        if not math.isnan(one.value):
            self._spots.keep(kept, one.sign, Spot(one.value, at, own, one.interval_s))
        return one.interval_s
