"""How far a patient is from their own normal: several signs at once, at 1 Hz.

Each bed has a running mean and covariance of its signs, which follow slowly and never learn
from what is far out. The distance takes correlation into account: a pulse of 95 with a
respiration of 24 may be usual together and odd apart. It is advice, never an alarm by itself.
"""

from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring.config import BaselineRules
from apps.patient_monitoring.domain import Array, Sign
from apps.patient_monitoring.readings import Reading

COMPONENTS = ("heart rate", "SpO₂", "respiration", "pulse deficit")
FLOOR = np.array([4.0, 1.0, 2.0, 3.0])
"""Standard deviations below which nobody is held to be: a sensor's own noise."""
PRIOR = 2.0  # the ordinary spread before anything is known, in floors
FAR = 3.0  # standard deviations beyond which the baseline does not follow
STEP_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What a distance is computed from, and all of it: kept with an alert to prove it."""

    value: Array
    """float [beds, 4] as in COMPONENTS; NaN for what is not known now."""
    mean: Array
    """float [beds, 4]: the patient's own; NaN until it has been seen for long enough."""
    spread: Array
    """float [beds, 4, 4]: the covariance of the patient's own signs."""


class BaselineBoard:
    """The baseline of every bed."""

    def __init__(self, beds: int, rules: BaselineRules) -> None:
        size = len(COMPONENTS)
        self._rules = rules
        self._mean = np.full((beds, size), np.nan)
        self._spread = np.tile(np.diag((PRIOR * FLOOR) ** 2), (beds, 1, 1))
        self._seen_s = np.zeros((beds, size))
        self._next = -np.inf

    def clear(self, bed: int) -> None:
        """Another patient lies there."""
        self._spread = self._spread.copy()  # what was given out stays what it was
        self._mean[bed], self._seen_s[bed] = np.nan, 0.0
        self._spread[bed] = np.diag((PRIOR * FLOOR) ** 2)

    def follow(self, reading: Reading, now: float) -> Usual:
        """The signs of now beside each patient's own normal, which then learns from them."""
        value, seen = components(reading), self._seen_s >= self._rules.warm_up_s
        usual = Usual(value, np.where(seen, self._mean, np.nan), self._spread)
        if now >= self._next:
            self._next = now + STEP_S
            self._learn(value)
        return usual

    def _learn(self, value: Array) -> None:
        """Follow by one step, no further than `FAR` would lie."""
        there = np.isfinite(value)
        self._mean = np.where(np.isnan(self._mean), value, self._mean)
        deviation = np.sqrt(np.diagonal(self._spread, axis1=1, axis2=2))
        off = np.where(there, value - self._mean, 0.0).clip(-FAR * deviation, FAR * deviation)
        self._seen_s += np.where(there, STEP_S, 0.0)
        weight = STEP_S / np.minimum(self._seen_s + 60.0, self._rules.memory_s)
        weight = np.where(there, weight, 0.0)
        self._mean = self._mean + weight * off
        both = np.sqrt(weight[:, :, None] * weight[:, None, :])
        seen = off[:, :, None] * off[:, None, :] + np.diag(FLOOR**2)
        self._spread = self._spread + both * (seen - self._spread)


def distance(usual: Usual) -> tuple[Array, Array]:
    """Distance [beds] in standard deviations, and each component's share [beds, 4].

    NaN as long as a bed's baseline is not known, or none of its signs.
    """
    known = np.isfinite(usual.value) & np.isfinite(usual.mean)
    away = np.where(known, usual.value - usual.mean, 0.0)
    away[:, 1] = np.minimum(away[:, 1], 0.0)  # more oxygen in the blood is no concern
    pull = np.linalg.solve(_within(usual.spread, known), away[:, :, None])[:, :, 0]
    square, count = (away * pull).sum(axis=1), known.sum(axis=1)
    share = np.where(known, away * pull / np.maximum(square, 1e-12)[:, None], np.nan)
    return np.where(count > 0, _deviations(square, np.maximum(count, 1)), np.nan), share


def components(reading: Reading) -> Array:
    """[beds, 4] as in COMPONENTS; NaN for what is not known."""
    heart, pulse = reading.value[:, Sign.HR], reading.value[:, Sign.PULSE]
    rate = np.where(np.isfinite(heart), heart, pulse)
    spo2, respiration = reading.value[:, Sign.SPO2], reading.value[:, Sign.RR]
    return np.stack([rate, spo2, respiration, heart - pulse], axis=1)


def _within(spread: Array, known: Array) -> Array:
    """The covariance of what is known; the rest stands apart with variance 1."""
    both = known[:, :, None] & known[:, None, :]
    return np.where(both, spread, np.eye(spread.shape[1]))


def _deviations(square: Array, count: Array) -> Array:
    """A sum of `count` squares as standard deviations of one (Wilson and Hilferty)."""
    ninth = 2.0 / (9.0 * count)
    return np.asarray(((square / count) ** (1 / 3) - (1 - ninth)) / np.sqrt(ninth))
