"""The ward in software: bodies, devices and the nurse who comes by.

It says that it is a simulator. The patients, what they do, how sensors fail and who gets
worse when come from a seed, so the truth of every second is known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring.courses import Course, schedule
from apps.patient_monitoring.domain import Array, Patient, Sign
from apps.patient_monitoring.monitors import Monitors
from apps.patient_monitoring.physiology import Bodies, Truth
from apps.patient_monitoring.readings import BY_ROUNDS, Readings, readings

FIRST_ROUND_S = 1800.0
LATE = (0.75, 1.05)
"""A nurse comes somewhat before an observation is due, sometimes a little after."""
AFTER_ALARM_S = (180.0, 900.0)


@dataclass(frozen=True, eq=False)
class Second:
    """One step of the ward: what the devices and nurses sent, and the truth behind it."""

    now: float
    devices: Readings
    nurses: Readings
    truth: Truth


class Nurse:
    """Observes every patient as often as the score asks, and after an alarm."""

    def __init__(self, beds: int, seed: int, oxygen: Array) -> None:
        self._rng = np.random.default_rng([seed, 3])
        self._oxygen = oxygen
        self._last = np.zeros(beds)
        self._next = self._rng.uniform(0, FIRST_ROUND_S, beds)
        self._patience = self._rng.uniform(*LATE, beds)

    def follow(self, now: float, due_s: Array, called: Sequence[int]) -> None:
        """How often each patient is to be observed, and whose alarm has just been raised."""
        self._next = np.minimum(self._next, self._last + due_s * self._patience)
        for bed in called:
            self._next[bed] = min(self._next[bed], now + self._rng.uniform(*AFTER_ALARM_S))

    def observe(self, now: float, truth: Truth, due_s: Array) -> Readings:
        """What is entered now: consciousness, oxygen, pressure, temperature."""
        here = np.flatnonzero(now >= self._next)
        rows: list[tuple[int, Sign, float, float]] = []
        for bed in here.tolist():
            systolic = float(np.rint(truth.sbp[bed] + 3 * self._rng.normal()))
            temperature = float((truth.temp[bed] + 0.1 * self._rng.normal()).round(1))
            rows += [
                (bed, Sign.ACVPU, float(truth.acvpu[bed]), now),
                (bed, Sign.OXYGEN, float(self._oxygen[bed]), now),
                (bed, Sign.SBP, systolic, now),
                (bed, Sign.DBP, float(np.rint(truth.dbp[bed])), now),
                (bed, Sign.TEMP, temperature, now),
            ]
            self._last[bed] = now
            self._patience[bed] = self._rng.uniform(*LATE)
            self._next[bed] = now + due_s[bed] * self._patience[bed]
        return readings(rows, BY_ROUNDS)


class SimulatedWard:
    """A ward of 50–200 patients, second by second, closed by what is decided of it.

    `follow` tells the nurses what the gateway asks for; without it they keep to the rounds
    of a healthy patient.
    """

    def __init__(self, beds: int, seed: int, courses: list[Course] | None = None) -> None:
        made = schedule(beds, 1.0, 1, seed) if courses is None else courses
        self.bodies = Bodies(beds, seed, made)
        self.courses = made
        self._monitors = Monitors(beds, seed)
        self._nurse = Nurse(beds, seed, self.bodies.people.oxygen)
        self._due_s = np.full(beds, 12 * 3600.0)

    @property
    def patients(self) -> tuple[Patient, ...]:
        """Who lies in which bed."""
        return self.bodies.people.patients

    def step(self, now: float, seconds: float = 1.0) -> Second:
        """What is sent at `now`, in s since the simulation's midnight."""
        truth = self.bodies.step(now, seconds)
        devices = self._monitors.read(truth, now, seconds)
        return Second(now, devices, self._nurse.observe(now, truth, self._due_s), truth)

    def follow(self, now: float, due_s: Array, called: Sequence[int] = ()) -> None:
        """What the gateway asks of the nurses."""
        self._due_s = due_s
        self._nurse.follow(now, due_s, called)

    def seconds(self, begin: float, end: float, step_s: float = 1.0) -> Iterator[Second]:
        """Every step from `begin` to `end`."""
        for k in range(int((end - begin) / step_s)):
            yield self.step(begin + k * step_s, step_s)


def together(parts: Sequence[Readings]) -> Readings:
    """Several lots of readings as one."""
    return Readings(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("bed", "sign", "value", "at", "flags", "interval_s")
        )
    )
