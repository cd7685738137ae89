"""The nouns of a ward: signs, what is wrong with them, scores, and what is done about them.

Arrays hold one row per bed of the gateway, so that a whole ward is one calculation. NaN is
"not available"; nothing here is ever a number that stands for "not known".
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np

Array = np.ndarray
NONE = float("nan")


class Sign(IntEnum):
    """What is seen of a patient; the columns of every array of signs."""

    HR = 0
    """Heart rate from the ECG, /min."""
    PULSE = 1
    """Pulse rate from the oximeter, /min."""
    SPO2 = 2
    """%"""
    RR = 3
    """Respiration rate, /min."""
    SBP = 4
    """mmHg"""
    DBP = 5
    MAP = 6
    TEMP = 7
    """°C"""
    PI = 8
    """Perfusion index of the oximeter, %: how strong the pulse is under it."""
    MOTION = 9
    """Standard deviation of acceleration in a second, milli-g."""
    OXYGEN = 10
    """1 on oxygen, 0 on air; entered by a nurse."""
    ACVPU = 11
    """An `Acvpu`, entered by a nurse."""


SIGNS = len(Sign)


class Acvpu(IntEnum):
    """Consciousness as a nurse enters it."""

    ALERT = 0
    CONFUSION = 1
    """New confusion; a known, old one is not."""
    VOICE = 2
    PAIN = 3
    UNRESPONSIVE = 4


class Parameter(IntEnum):
    """What NEWS2 scores; the columns of its inputs, parts and `missing`."""

    RESPIRATION = 0
    SPO2 = 1
    OXYGEN = 2
    """1 on oxygen, 0 on air."""
    SYSTOLIC = 3
    PULSE = 4
    CONSCIOUSNESS = 5
    """An `Acvpu`."""
    TEMPERATURE = 6


class Flag(IntFlag):
    """Why a sign is not taken at its word."""

    SENSOR_OFF = 1
    """The device says: probe off."""
    LEAD_OFF = 2
    """The device says: electrode off."""
    LOW_SIGNAL = 4
    """The device says so, or the perfusion index is too low."""
    IMPLAUSIBLE = 8
    """No living adult has this value."""
    JUMP = 16
    """Changed faster than a body does; taken only if it stays."""
    MOTION = 32
    """The patient moved: this sensor is known to be fooled by that."""
    WITHDRAWN = 64
    """Its source took back what it had said: it was wrong, or another patient's."""
    DISAGREE = 128
    """Heart rate and pulse differ for longer than a moment."""
    OFFLINE = 256
    """Nothing is heard from the device."""
    STALE = 512
    """Too old to be scored; shown with its age."""


TECHNICAL = Flag.SENSOR_OFF | Flag.LEAD_OFF | Flag.LOW_SIGNAL | Flag.DISAGREE | Flag.OFFLINE
"""Faults of the monitoring that a person must mend."""


class Extreme(IntFlag):
    """What cannot wait for a median and a score."""

    DESATURATION = 1
    BRADYCARDIA = 2
    TACHYCARDIA = 4
    APNOEA = 8


class Risk(IntEnum):
    """Clinical risk after NEWS2 (RCP 2017, chart 2), from best to worst."""

    ROUTINE = 0
    """Score 0."""
    LOW = 1
    """Score 1–4."""
    LOW_MEDIUM = 2
    """A single parameter scores 3."""
    MEDIUM = 3
    """Score 5–6: urgent response threshold."""
    HIGH = 4
    """Score 7 and more: emergency response threshold."""


class Priority(IntEnum):
    """Alarm priority after IEC 60601-1-8."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Patient:
    """Who lies in a bed, as far as the score needs to know. No name: a pseudonym."""

    pseudonym: str
    bed: str
    age: float = NONE
    """Years; NaN is not known."""
    pregnant: bool = False
    scale2: bool = False
    """SpO2 scale 2, by a clinician's order only; the order is kept in the audit."""

    @property
    def refusal(self) -> str:
        """Why NEWS2 must not be used for this patient; empty where it may."""
        if self.age < 16:
            return "NEWS2 is not for children under 16"
        return "NEWS2 is not for pregnancy" if self.pregnant else ""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """NEWS2 of a ward. Where an input is missing the total is a lower bound, never a total."""

    parts: Array
    """int8 [beds, parameters]; 0 where missing."""
    missing: Array
    """bool [beds, parameters]."""
    refused: Array
    """bool [beds]: a child or a pregnancy; nothing is scored."""

    @property
    def at_least(self) -> Array:
        """Int [beds]: the total where complete, else its lower bound."""
        return np.asarray(self.parts.sum(axis=1, dtype=np.int64))

    @property
    def complete(self) -> Array:
        """Bool [beds]: all seven inputs were there."""
        return ~self.missing.any(axis=1) & ~self.refused

    @property
    def red(self) -> Array:
        """Bool [beds]: a single parameter scores 3."""
        return np.asarray((self.parts == 3).any(axis=1))
