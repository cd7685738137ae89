"""Codes of signs, units and answers: MDC and LOINC, UCUM and SNOMED (DOMAIN D6, D7). Data.

A metric that is not here is left alone; one that is here in a unit that is not is refused:
a number in the wrong unit is worse than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.patient_monitoring.domain import Acvpu, Flag, Sign
from apps.patient_monitoring.readings import BY_ROUNDS, CONTINUOUS

Units = Mapping[str, tuple[float, float]]
"""Unit → (factor, offset): sign = value · factor + offset."""
SAME = (1.0, 0.0)
PER_MINUTE: Units = {
    "264864": SAME, "MDC_DIM_BEAT_PER_MIN": SAME, "264928": SAME, "MDC_DIM_RESP_PER_MIN": SAME,
    "/min": SAME, "{beats}/min": SAME, "{breaths}/min": SAME, "bpm": SAME,
}  # fmt: skip
PERCENT: Units = {"262688": SAME, "MDC_DIM_PERCENT": SAME, "%": SAME}
PRESSURE: Units = {
    "266016": SAME, "MDC_DIM_MMHG": SAME, "mm[Hg]": SAME, "mmHg": SAME,
    "265987": (7.500616, 0.0), "MDC_DIM_KILO_PASCAL": (7.500616, 0.0), "kPa": (7.500616, 0.0),
}  # fmt: skip
CELSIUS_OF_F = (5 / 9, -160 / 9)
TEMPERATURE: Units = {
    "268192": SAME, "MDC_DIM_DEGC": SAME, "Cel": SAME,
    "266560": CELSIUS_OF_F, "MDC_DIM_FAHR": CELSIUS_OF_F, "[degF]": CELSIUS_OF_F,
}  # fmt: skip
FLOW: Units = {"L/min": SAME, "l/min": SAME, "MDC_DIM_L_PER_MIN": SAME}
MILLI_G: Units = {"mg": SAME, "m[g]": SAME}


@dataclass(frozen=True, slots=True)
class Metric:
    """What a code means here."""

    sign: Sign
    units: Units
    off: int = 0
    """`Flag` where the source says "not available"."""
    interval_s: float = CONTINUOUS


_HEART = Metric(Sign.HR, PER_MINUTE, int(Flag.LEAD_OFF))
_PULSE = Metric(Sign.PULSE, PER_MINUTE, int(Flag.SENSOR_OFF))
_SPO2 = Metric(Sign.SPO2, PERCENT, int(Flag.SENSOR_OFF))
_BREATH = Metric(Sign.RR, PER_MINUTE, int(Flag.LEAD_OFF))
_SPOT = {
    sign: Metric(sign, PRESSURE, interval_s=BY_ROUNDS)
    for sign in (Sign.SBP, Sign.DBP, Sign.MAP)
}
_ARTERIAL = {sign: Metric(sign, PRESSURE) for sign in (Sign.SBP, Sign.DBP, Sign.MAP)}
_TEMPERATURE = Metric(Sign.TEMP, TEMPERATURE)

MDC = {
    "147842": _HEART, "MDC_ECG_HEART_RATE": _HEART,
    "149530": _PULSE, "MDC_PULS_OXIM_PULS_RATE": _PULSE,
    "150456": _SPO2, "MDC_PULS_OXIM_SAT_O2": _SPO2,
    "150488": Metric(Sign.PI, PERCENT, int(Flag.SENSOR_OFF)),
    "151562": _BREATH, "MDC_RESP_RATE": _BREATH,
    "151578": _BREATH, "MDC_TTHOR_RESP_RATE": _BREATH,
    "150021": _SPOT[Sign.SBP], "150022": _SPOT[Sign.DBP], "150023": _SPOT[Sign.MAP],
    "150301": _SPOT[Sign.SBP], "150302": _SPOT[Sign.DBP], "150303": _SPOT[Sign.MAP],
    "150033": _ARTERIAL[Sign.SBP], "150034": _ARTERIAL[Sign.DBP], "150035": _ARTERIAL[Sign.MAP],
    "150344": _TEMPERATURE, "MDC_TEMP": _TEMPERATURE, "188496": _TEMPERATURE,
}  # fmt: skip
"""ISO/IEEE 11073-10101. The generic 150017–19 are not here: they do not say which pressure."""

OXYGEN_FLOW, OXYGEN_SHARE, RESPONSIVENESS, PRESSURE_PANEL = (
    "3151-8",
    "3150-0",
    "67775-7",
    "85354-9",
)
LOINC = {
    "8867-4": _HEART, "8889-8": _PULSE, "2708-6": _SPO2, "59408-5": _SPO2, "9279-1": _BREATH,
    "8480-6": _SPOT[Sign.SBP], "8462-4": _SPOT[Sign.DBP], "8478-0": _SPOT[Sign.MAP],
    "8310-5": Metric(Sign.TEMP, TEMPERATURE, interval_s=BY_ROUNDS),
    OXYGEN_FLOW: Metric(Sign.OXYGEN, FLOW, interval_s=BY_ROUNDS),
    OXYGEN_SHARE: Metric(Sign.OXYGEN, PERCENT, interval_s=BY_ROUNDS),
}  # fmt: skip

AIR_PERCENT = 21.0
"""An inhaled share above it is oxygen given; a flow above 0 is, too."""

ACVPU = {
    "248234008": Acvpu.ALERT, "130987000": Acvpu.CONFUSION, "300202002": Acvpu.VOICE,
    "450847001": Acvpu.PAIN, "422768004": Acvpu.UNRESPONSIVE,
}  # fmt: skip
"""SNOMED CT."""
ACVPU_LETTERS = dict(zip("ACVPU", Acvpu, strict=True))

SENTINELS = frozenset((8_388_607.0, 8_388_608.0, -100.0, 32_767.0, -32_768.0))
"""What devices write for "not available": never a number here."""


def oxygen_given(code: str, value: float) -> float:
    """1 where what was measured says that oxygen is given, 0 where it says air."""
    return float(value > (AIR_PERCENT if code == OXYGEN_SHARE else 0.0))
