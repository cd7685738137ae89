"""The gates between what a sensor says and what is scored: pure masks over arrays.

Each takes values and what is known beside them, and says what is wrong. None of them makes
a value up, and none turns an unknown into a normal one.
"""

import numpy as np

from apps.patient_monitoring.config import ExtremeRules, SignLimits, SignRules
from apps.patient_monitoring.domain import Array, Extreme, Flag, Sign

BLOCKING = int(
    Flag.SENSOR_OFF | Flag.LEAD_OFF | Flag.IMPLAUSIBLE | Flag.JUMP | Flag.MOTION | Flag.CUFF
    | Flag.OFFLINE
)  # fmt: skip
"""A value so flagged is not scored. A weak signal alone does not block: it may be shock."""

UNUSABLE = BLOCKING & ~int(Flag.JUMP | Flag.IMPLAUSIBLE) | int(Flag.LOW_SIGNAL)
"""For extremes: they are jumps, and may lie beyond the plausible; a weak signal fakes them."""

FOOLED_BY_MOTION = (Sign.PULSE, Sign.SPO2, Sign.RR)
UNDER_THE_OXIMETER = (Sign.PULSE, Sign.SPO2)
PULSE_CONTRADICTS = {Extreme.BRADYCARDIA: 40.0, Extreme.TACHYCARDIA: 150.0}
"""A good pulse above (below) it: the ECG's low (high) rate is an artefact."""


def implausible(sign: Array, value: Array, rules: SignRules) -> Array:
    """int32 flags: beyond what a living adult has. NaN is not implausible but absent."""
    low = np.array([rules.of(s).low for s in Sign])[sign]
    high = np.array([rules.of(s).high for s in Sign])[sign]
    return np.where((value < low) | (value > high), int(Flag.IMPLAUSIBLE), 0)


def context(sign: Array, perfusion: Array, motion: Array, rules: SignRules) -> Array:
    """int32 flags from the patient's present perfusion index and motion (NaN: not known)."""
    weak = np.isin(sign, UNDER_THE_OXIMETER) & (perfusion < rules.perfusion_low)
    moved = np.isin(sign, FOOLED_BY_MOTION) & (motion > rules.motion_high_mg)
    return np.where(weak, int(Flag.LOW_SIGNAL), 0) | np.where(moved, int(Flag.MOTION), 0)


def jumped(value: Array, recent: Array, limits: SignLimits) -> Array:
    """Bool [n]: further from any of `recent` [n, seconds] than a body gets in that time."""
    distance = np.fmax.reduce(np.abs(value[:, None] - recent), axis=1, initial=0.0)
    return np.asarray(distance > limits.jump)


def pressures_contradict(value: Array) -> Array:
    """Bool [beds, signs]: pressures that cannot be true together."""
    systolic, diastolic, mean = (value[:, s] for s in (Sign.SBP, Sign.DBP, Sign.MAP))
    wrong = np.zeros(value.shape, bool)
    inverted = systolic <= diastolic
    wrong[:, Sign.SBP] = wrong[:, Sign.DBP] = inverted
    wrong[:, Sign.MAP] = inverted | (mean > systolic) | (mean < diastolic)
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
