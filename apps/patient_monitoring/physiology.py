"""A ward's patients in software: what their bodies do, whether or not a sensor sees it.

Every patient has an own level of each sign, a night and a day, something to do or nothing,
and noise that is not independent: a tense patient has a faster pulse, a higher pressure and
a faster breath at once; a falling pressure speeds the heart; a falling saturation the breath.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from apps.patient_monitoring.courses import Course, effects
from apps.patient_monitoring.domain import Acvpu, Array, Patient

DAY_S = 86_400.0
NIGHT = (22.0, 6.0)
# Of who is asleep, rests, sits and walks:
MOTION_MG = np.array([3.0, 8.0, 25.0, 260.0])
HEART = np.array([-7.0, 0.0, 5.0, 20.0])
BREATH = np.array([-1.0, 0.0, 0.6, 4.5])
PRESSURE = np.array([-9.0, 0.0, 3.0, 9.0])
BOUT_S = np.array([5400.0, 1500.0, 1200.0, 240.0])
BY_DAY = np.array([0.08, 0.50, 0.35, 0.07])
BY_NIGHT = np.array([0.86, 0.11, 0.02, 0.01])

NOISE = {
    # sign: (standard deviation, time constant in s)
    "tension": (1.0, 1200.0),
    "hr": (2.0, 90.0),
    "rr": (0.9, 45.0),
    "spo2": (0.45, 90.0),
    "sbp": (5.0, 600.0),
    "temp": (0.12, 7200.0),
    "perfusion": (0.35, 300.0),
}


@dataclass(frozen=True, eq=False)
class People:
    """Who lies on the ward: each patient's own levels."""

    patients: tuple[Patient, ...]
    oxygen: Array
    hr: Array
    rr: Array
    spo2: Array
    sbp: Array
    temp: Array
    perfusion: Array


@dataclass(frozen=True, eq=False)
class Truth:
    """What every body does at one moment; arrays [beds]."""

    hr: Array
    pulse: Array
    rr: Array
    spo2: Array
    sbp: Array
    dbp: Array
    temp: Array
    perfusion: Array
    motion: Array
    acvpu: Array


def people(beds: int, rng: Generator) -> People:
    """A general ward: mostly old, one in eight with COPD, one in seven on oxygen."""
    copd = rng.random(beds) < 0.12
    oxygen = rng.random(beds) < np.where(copd, 0.35, 0.12)
    ages = rng.normal(66, 14, beds).clip(18, 95).round()
    patients = tuple(
        Patient(f"sim-{bed:04d}", f"{bed + 1}", float(ages[bed]), scale2=bool(copd[bed]))
        for bed in range(beds)
    )
    return People(
        patients=patients,
        oxygen=oxygen.astype(float),
        hr=rng.normal(75, 8, beds).clip(58, 92),
        rr=rng.normal(15.5, 1.5, beds).clip(13, 18.5),
        spo2=np.where(copd, rng.normal(90.5, 0.8, beds), rng.normal(97.2, 0.8, beds)).clip(
            89, 99
        ),
        sbp=rng.normal(130, 12, beds).clip(112, 160),
        temp=rng.normal(36.8, 0.2, beds).clip(36.3, 37.4),
        perfusion=rng.normal(3.0, 0.8, beds).clip(1.5, 6.0),
    )


class Bodies:
    """All patients' bodies, second by second; the same seed gives the same ward."""

    def __init__(self, beds: int, seed: int, courses: list[Course]) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self.people = people(beds, self._rng)
        self.courses = courses
        self._noise = {name: self._rng.normal(size=beds) for name in NOISE}
        self._doing = np.ones(beds, np.int64)
        self._until = np.zeros(beds)
        self._felt = np.zeros(beds)  # activity as the heart follows it, with a delay
        self._effects = effects(courses, beds, 0.0)
        self._effects_at = -np.inf

    def step(self, now: float, seconds: float = 1.0) -> Truth:
        """The ward at `now`, `seconds` after the last step; 0 is midnight."""
        self._act(now)
        for name, (_, constant) in NOISE.items():
            kept = np.exp(-seconds / constant)
            fresh = self._rng.normal(size=len(self._doing))
            self._noise[name] = kept * self._noise[name] + np.sqrt(1 - kept**2) * fresh
        self._felt += (HEART[self._doing] - self._felt) * (1 - np.exp(-seconds / 40.0))
        if now - self._effects_at >= 5.0:
            self._effects = effects(self.courses, len(self._doing), now)
            self._effects_at = now
        return self._truth(now)

    def _act(self, now: float) -> None:
        over = np.flatnonzero(now >= self._until)
        if not len(over):
            return
        hour = now % DAY_S / 3600
        night = hour >= NIGHT[0] or hour < NIGHT[1]
        self._doing[over] = self._rng.choice(4, len(over), p=BY_NIGHT if night else BY_DAY)
        ill = np.isin(over, [c.bed for c in self.courses if c.drive(now) > 0.3])
        self._doing[over[ill]] = np.minimum(self._doing[over[ill]], 1)  # stays in bed
        lasting = self._rng.exponential(BOUT_S[self._doing[over]])
        self._until[over] = now + np.maximum(lasting, 30.0)

    def _truth(self, now: float) -> Truth:
        own, more = self.people, self._effects
        noise = {name: NOISE[name][0] * value for name, value in self._noise.items()}
        tension, doing = noise["tension"], self._doing
        sbp = own.sbp + noise["sbp"] + 4 * tension + PRESSURE[doing] + more["sbp"]
        spo2 = np.minimum(own.spo2 + noise["spo2"] + more["spo2"], 100.0)
        short = np.maximum(own.spo2 - 2 - spo2, 0.0) * (more["rr"] >= 0)
        rr = own.rr + noise["rr"] + 0.6 * tension + BREATH[doing] + more["rr"] + 0.3 * short
        reflex = -0.15 * np.maximum(sbp - own.sbp, -20.0).clip(max=20.0)
        hr = own.hr + noise["hr"] + 3 * tension + self._felt + more["hr"] + reflex
        hr = hr + more["irregular"] * self._rng.normal(size=len(hr))
        night = -0.15 * np.cos((now % DAY_S / 3600 - 17.0) / 24 * 2 * np.pi)
        return Truth(
            hr=hr.clip(25, 220),
            pulse=(hr - more["deficit"]).clip(25, 220),
            rr=rr.clip(3, 60),
            spo2=spo2.clip(50, 100),
            sbp=sbp.clip(45, 230),
            dbp=(0.58 * sbp).clip(25, 140),
            temp=own.temp + noise["temp"] - night + more["temp"],
            perfusion=(own.perfusion + noise["perfusion"] + more["perfusion"]).clip(0.15, 12),
            motion=MOTION_MG[doing] * self._rng.lognormal(0, 0.3, len(hr)),
            acvpu=self._acvpu(now),
        )

    def _acvpu(self, now: float) -> Array:
        levels = np.full(len(self._doing), int(Acvpu.ALERT))
        for course in self.courses:
            levels[course.bed] = max(levels[course.bed], course.consciousness(now))
        return levels
