"""NEWS2 as the Royal College of Physicians published it in 2017, for a ward at once.

The bands are printed below as they stand on the chart. A missing input is never scored as
normal: the total is then a lower bound, and `Score.complete` is false. SpO2 scale 2 is used
where a clinician has ordered it and nowhere else.

A value is read to the millionth and then rounded, half away from zero: respiration, SpO2,
pressure and pulse to whole numbers, temperature to a tenth. So no value falls between bands.
"""

import numpy as np

from apps.patient_monitoring.domain import Acvpu, Array, Parameter, Risk, Score

MILLION = 1_000_000
Bands = tuple[tuple[float, int], ...]
"""(upper edge, included; points), from low to high; beyond the last edge nobody lives."""

RESPIRATION: Bands = ((8, 3), (11, 1), (20, 0), (24, 2), (80, 3))
SPO2_SCALE_1: Bands = ((91, 3), (93, 2), (95, 1), (100, 0))
SPO2_SCALE_2_AIR: Bands = ((83, 3), (85, 2), (87, 1), (100, 0))
SPO2_SCALE_2_OXYGEN: Bands = ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (100, 3))
SYSTOLIC: Bands = ((90, 3), (100, 2), (110, 1), (219, 0), (300, 3))
PULSE: Bands = ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (300, 3))
TEMPERATURE: Bands = ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (45.0, 2))
OXYGEN_POINTS = 2
ACVPU_POINTS = {
    Acvpu.ALERT: 0,
    Acvpu.CONFUSION: 3,
    Acvpu.VOICE: 3,
    Acvpu.PAIN: 3,
    Acvpu.UNRESPONSIVE: 3,
}
LOWEST = {
    Parameter.RESPIRATION: 2.0,
    Parameter.SPO2: 40.0,
    Parameter.OXYGEN: 0.0,
    Parameter.SYSTOLIC: 30.0,
    Parameter.PULSE: 20.0,
    Parameter.CONSCIOUSNESS: 0.0,
    Parameter.TEMPERATURE: 25.0,
}
"""Below: no living adult, so no score. The upper end is each band's last edge."""


def score(inputs: Array, scale2: Array, refused: Array) -> Score:
    """NEWS2 of every row.

    `inputs` is float [beds, 7] in the order of `Parameter`, NaN for what is missing;
    `scale2` and `refused` are bool [beds]. What is not plausible counts as missing.
    """
    value = np.asarray(inputs, np.float64)
    parts = np.zeros(value.shape, np.int8)
    known = np.zeros(value.shape, bool)
    for parameter, bands, step in _CHART:
        points, parts_known = _points(value[:, parameter], LOWEST[parameter], bands, step)
        parts[:, parameter], known[:, parameter] = points, parts_known
    _oxygen(value[:, Parameter.OXYGEN], parts, known)
    _consciousness(value[:, Parameter.CONSCIOUSNESS], parts, known)
    _scale2(value, scale2, parts)
    known &= ~refused[:, None]
    return Score(np.where(known, parts, np.int8(0)), ~known, np.asarray(refused, bool))


def risk(total: Array, red: Array) -> Array:
    """Int [beds] of `Risk`: what the chart says of a total and a red parameter."""
    return np.select(
        [total >= 7, total >= 5, red, total >= 1],
        [Risk.HIGH, Risk.MEDIUM, Risk.LOW_MEDIUM, Risk.LOW],
        Risk.ROUTINE,
    )


def points(parameter: Parameter, values: Array) -> Array:
    """Int8 [n]: points of one of the plain parameters by itself; 0 for what is missing."""
    bands, step = next((b, s) for p, b, s in _CHART if p is parameter)
    found, known = _points(values, LOWEST[parameter], bands, step)
    return np.where(known, found, np.int8(0))


_CHART: tuple[tuple[Parameter, Bands, float], ...] = (
    (Parameter.RESPIRATION, RESPIRATION, 1),
    (Parameter.SPO2, SPO2_SCALE_1, 1),
    (Parameter.SYSTOLIC, SYSTOLIC, 1),
    (Parameter.PULSE, PULSE, 1),
    (Parameter.TEMPERATURE, TEMPERATURE, 0.1),
)


def _points(values: Array, lowest: float, bands: Bands, step: float) -> tuple[Array, Array]:
    """Points of each value, and whether it is one that can be scored."""
    steps, finite = _rounded(values, step)
    edges = [round(edge / step) for edge, _ in bands]
    known = finite & (steps >= round(lowest / step)) & (steps <= edges[-1])
    band = np.searchsorted(edges, np.where(known, steps, 0))
    return np.array([points for _, points in bands], np.int8)[band], known


def _rounded(values: Array, step: float) -> tuple[Array, Array]:
    """Whole steps, half away from zero, in integers: binary fractions decide nothing."""
    finite = np.isfinite(values) & (np.abs(values) < 1e6)
    millionths = np.rint(np.where(finite, values, 0) * MILLION).astype(np.int64)
    unit = round(step * MILLION)
    return (millionths + unit // 2) // unit, finite


def _oxygen(values: Array, parts: Array, known: Array) -> None:
    known[:, Parameter.OXYGEN] = (values == 0) | (values == 1)
    parts[:, Parameter.OXYGEN] = np.where(values == 1, OXYGEN_POINTS, 0)


def _consciousness(values: Array, parts: Array, known: Array) -> None:
    for level, points in ACVPU_POINTS.items():
        here = values == level
        known[here, Parameter.CONSCIOUSNESS] = True
        parts[here, Parameter.CONSCIOUSNESS] = points


def _scale2(value: Array, scale2: Array, parts: Array) -> None:
    """Scores SpO2 anew where scale 2 is ordered.

    Not knowing whether oxygen is given, the smaller score stands: a lower bound, as the
    missing oxygen makes the whole score one.
    """
    rows = np.flatnonzero(scale2)
    if not len(rows):
        return
    spo2, lowest = value[rows, Parameter.SPO2], LOWEST[Parameter.SPO2]
    on_air, _ = _points(spo2, lowest, SPO2_SCALE_2_AIR, 1)
    on_oxygen, _ = _points(spo2, lowest, SPO2_SCALE_2_OXYGEN, 1)
    parts[rows, Parameter.SPO2] = np.where(
        value[rows, Parameter.OXYGEN] == 1, on_oxygen, on_air
    )
