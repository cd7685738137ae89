"""The gates between what a sensor says and what is scored: pure masks over arrays.

Each takes values and what is known beside them, and says what is wrong. None of them makes
a value up, and none turns an unknown into a normal one.
"""

import numpy as np

from apps.patient_monitoring.config import ExtremeRules, SignLimits, SignRules
from apps.patient_monitoring.domain import Array, Extreme, Flag, Sign

BLOCKING = int(
    Flag.SENSOR_OFF | Flag.LEAD_OFF | Flag.IMPLAUSIBLE | Flag.JUMP | Flag.MOTION
    | Flag.OFFLINE | Flag.WITHDRAWN
)  # fmt: skip
"""A value so flagged is not scored. A weak signal alone does not block: it may be shock."""

UNUSABLE = BLOCKING & ~int(Flag.JUMP | Flag.IMPLAUSIBLE) | int(Flag.LOW_SIGNAL)
"""For extremes: they are jumps, and may lie beyond the plausible; a weak signal fakes them."""

FOOLED_BY_MOTION = (Sign.PULSE, Sign.SPO2, Sign.RR)
UNDER_THE_OXIMETER = (Sign.PULSE, Sign.SPO2)
TOGETHER_S = 60.0
"""Pressures, or two rates, that were measured further apart may well differ."""
PULSE_CONTRADICTS = {Extreme.BRADYCARDIA: 40.0, Extreme.TACHYCARDIA: 150.0}
"""A good pulse above (below) it: the ECG's low (high) rate is an artefact."""


class Gates:
    """The masks of one ward's rules, looked up by sign."""

    def __init__(self, rules: SignRules) -> None:
        limits = [rules.of(sign) for sign in Sign]
        self._low = np.array([one.low for one in limits])
        self._high = np.array([one.high for one in limits])
        self._weak_below = np.array(
            [rules.perfusion_low if sign in UNDER_THE_OXIMETER else -np.inf for sign in Sign]
        )
        self._moved_above = np.array(
            [rules.motion_high_mg if sign in FOOLED_BY_MOTION else np.inf for sign in Sign]
        )

    def implausible(self, sign: Array, value: Array) -> Array:
        """Int32 flags: beyond what a living adult has. NaN is not implausible but absent."""
        wrong = (value < self._low[sign]) | (value > self._high[sign])
        return np.asarray(wrong * np.int32(Flag.IMPLAUSIBLE))

    def context(self, sign: Array, perfusion: Array, motion: Array) -> Array:
        """Int32 flags from the patient's present perfusion index and motion (NaN: unknown)."""
        weak = perfusion < self._weak_below[sign]
        moved = motion > self._moved_above[sign]
        flags = weak * np.int32(Flag.LOW_SIGNAL) | moved * np.int32(Flag.MOTION)
        return np.asarray(flags)


def jumped(value: Array, recent: Array, limits: SignLimits) -> Array:
    """Bool [n]: further from any of `recent` [n, seconds] than a body gets in that time."""
    distance = np.fmax.reduce(np.abs(value[:, None] - recent), axis=1, initial=0.0)
    return np.asarray(distance > limits.jump)


def pressures_contradict(value: Array, at: Array) -> Array:
    """Bool [beds, signs]: pressures that cannot be true together.

    Of two that were measured at different times (`at`, s) the newer one is believed. A mean
    that is wrong says nothing of the two that it was computed from.
    """
    systolic, diastolic, mean = (value[:, s] for s in (Sign.SBP, Sign.DBP, Sign.MAP))
    wrong = np.zeros(value.shape, bool)
    for sign, other, contradict in (
        (Sign.SBP, Sign.DBP, systolic <= diastolic),
        (Sign.DBP, Sign.SBP, systolic <= diastolic),
        (Sign.MAP, Sign.SBP, mean > systolic),
        (Sign.MAP, Sign.DBP, mean < diastolic),
    ):
        wrong[:, sign] |= contradict & (at[:, sign] <= at[:, other] + TOGETHER_S)
    return wrong


def extremes(value: Array, usable: Array, rules: ExtremeRules) -> Array:
    """Bool [beds, 4] in the order of `Extreme`, from each sign's newest value.

    `usable` [beds, signs]: that value is recent and its sensor is in order.
    """
    said = np.where(usable, value, np.nan)
    heart, pulse = said[:, Sign.HR], said[:, Sign.PULSE]
    rate = np.where(np.isfinite(heart), heart, pulse)
    slow = rate < rules.heart_below
    fast = rate > rules.heart_above
    return np.stack(
        [
            said[:, Sign.SPO2] < rules.spo2_below,
            slow & ~(pulse >= PULSE_CONTRADICTS[Extreme.BRADYCARDIA]),
            fast & ~(pulse < PULSE_CONTRADICTS[Extreme.TACHYCARDIA]),
            said[:, Sign.RR] < 2.0,  # no breath, where the electrodes are on
        ],
        axis=1,
    )
