"""NEWS2: the chart's vectors, every band's edges, a second implementation on a million rows."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.patient_monitoring import news2
from apps.patient_monitoring.domain import NONE, Acvpu, Parameter, Patient, Risk

A, C, V, P, U = Acvpu
AIR, O2 = 0, 1
S1, S2 = False, True


def score_rows(rows, scale2):
    """`rows` in the order of the chart's vectors: rr, spo2, o2, sbp, pulse, acvpu, temp."""
    rows = np.array(rows, float)
    return news2.score(
        rows, np.broadcast_to(scale2, len(rows)).astype(bool), np.zeros(len(rows), bool)
    )


VECTORS = [
    ((16, 98, AIR, 120, 72, A, 36.8), S1, 0, [0, 0, 0, 0, 0, 0, 0], False),
    ((22, 93, AIR, 105, 112, A, 38.4), S1, 8, [2, 2, 0, 1, 2, 0, 1], False),
    ((25, 91, O2, 90, 131, V, 39.1), S1, 19, [3, 3, 2, 3, 3, 3, 2], True),
    ((18, 90, AIR, 130, 80, A, 37.0), S2, 0, [0, 0, 0, 0, 0, 0, 0], False),
    ((18, 97, O2, 130, 80, A, 37.0), S2, 5, [0, 3, 2, 0, 0, 0, 0], True),
    ((18, 97, AIR, 130, 80, A, 37.0), S2, 0, [0, 0, 0, 0, 0, 0, 0], False),
    ((18, 90, AIR, 130, 80, A, 37.0), S1, 3, [0, 3, 0, 0, 0, 0, 0], True),
    ((8, 83, O2, 220, 40, U, 35.0), S2, 20, [3, 3, 2, 3, 3, 3, 3], True),
    ((20, 96, AIR, 111, 90, A, 38.0), S1, 0, [0, 0, 0, 0, 0, 0, 0], False),
    ((21, 95, AIR, 110, 91, A, 38.1), S1, 6, [2, 1, 0, 1, 1, 0, 1], False),
    ((12, 94, O2, 219, 51, A, 36.1), S2, 3, [0, 1, 2, 0, 0, 0, 0], False),
    ((14, 99, AIR, 125, 70, C, 36.5), S1, 3, [0, 0, 0, 0, 0, 3, 0], True),
]


@pytest.mark.parametrize(("row", "scale2", "total", "parts", "red"), VECTORS)
def test_the_charts_vectors(row, scale2, total, parts, red):
    made = score_rows([row], scale2)
    assert made.at_least[0] == total
    assert made.parts[0].tolist() == parts
    assert bool(made.red[0]) is red
    assert made.complete[0]


# ------------------------------------------------------------------ every edge of every band

NORMAL = (16, 98, AIR, 120, 72, A, 36.8)
CHART = {
    (Parameter.RESPIRATION, S1, AIR): [
        (2, 8, 3), (9, 11, 1), (12, 20, 0), (21, 24, 2), (25, 80, 3)],
    (Parameter.SPO2, S1, AIR): [(40, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)],
    (Parameter.SPO2, S1, O2): [(40, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)],
    (Parameter.SPO2, S2, AIR): [
        (40, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0), (93, 100, 0)],
    (Parameter.SPO2, S2, O2): [
        (40, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0), (93, 94, 1), (95, 96, 2),
        (97, 100, 3)],
    (Parameter.SYSTOLIC, S1, AIR): [
        (30, 90, 3), (91, 100, 2), (101, 110, 1), (111, 219, 0), (220, 300, 3)],
    (Parameter.PULSE, S1, AIR): [
        (20, 40, 3), (41, 50, 1), (51, 90, 0), (91, 110, 1), (111, 130, 2), (131, 300, 3)],
    (Parameter.TEMPERATURE, S1, AIR): [
        (250, 350, 3), (351, 360, 1), (361, 380, 0), (381, 390, 1), (391, 450, 2)],
}  # fmt: skip
HALF = Decimal("0.5")


def band_values(parameter, low, high):
    """Every value of a band on the chart's own steps, and what just rounds into it."""
    step = Decimal("0.1") if parameter is Parameter.TEMPERATURE else Decimal(1)
    whole = [Decimal(n) * step for n in range(low, high + 1)]
    edges = [whole[0] - HALF * step, whole[-1] + HALF * step - Decimal("0.000001")]
    return [float(value) for value in (*whole, *edges)]


def everywhere(chart):
    """The bands of every parameter on both scales, on air and on oxygen."""
    for (parameter, scale2, oxygen), bands in chart.items():
        if parameter is Parameter.SPO2:
            yield parameter, scale2, oxygen, bands
        else:
            yield from ((parameter, s, o, bands) for s in (S1, S2) for o in (AIR, O2))


@pytest.mark.parametrize(
    ("parameter", "scale2", "oxygen", "bands"), list(everywhere(CHART)), ids=str
)
def test_every_value_of_every_band(parameter, scale2, oxygen, bands):
    for low, high, points in bands:
        for value in band_values(parameter, low, high):
            row = list(NORMAL)
            row[Parameter.OXYGEN], row[parameter] = oxygen, value
            made = score_rows([row], scale2)
            assert made.parts[0, parameter] == points, (value, low, high)
            assert not made.missing[0, parameter], value
            assert made.complete[0]


@pytest.mark.parametrize("scale2", [S1, S2])
@pytest.mark.parametrize(
    ("parameter", "value", "points"),
    [(Parameter.OXYGEN, AIR, 0), (Parameter.OXYGEN, O2, 2), (Parameter.CONSCIOUSNESS, A, 0),
     *((Parameter.CONSCIOUSNESS, level, 3) for level in (C, V, P, U))],
)  # fmt: skip
def test_every_word_that_is_scored(parameter, value, points, scale2):
    row = list(NORMAL)
    row[parameter] = value
    made = score_rows([row], scale2)
    assert made.parts[0, parameter] == points
    assert made.complete[0]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [*((Parameter.OXYGEN, value) for value in (2, 0.5, -1)),
     *((Parameter.CONSCIOUSNESS, value) for value in (5, 1.5, -1))],
)  # fmt: skip
def test_what_is_no_word_of_the_chart_is_missing(parameter, value):
    row = list(NORMAL)
    row[parameter] = value
    assert score_rows([row], S1).missing[0].tolist() == [p == parameter for p in Parameter]


@pytest.mark.parametrize("parameter", [p for p, _, _ in CHART])
def test_beyond_the_plausible_nothing_is_scored(parameter):
    bands = CHART[(parameter, S1, AIR)]
    scale = 0.1 if parameter is Parameter.TEMPERATURE else 1
    for value in ((bands[0][0] - 0.6) * scale, (bands[-1][1] + 0.6) * scale, np.inf, -np.inf):
        row = list(NORMAL)
        row[parameter] = value
        made = score_rows([row], S1)
        assert made.missing[0].tolist() == [p == parameter for p in Parameter]
        assert not made.complete[0]


def test_no_temperature_falls_between_bands():
    hundredths = np.arange(2500, 4501) / 100
    rows = np.tile(np.array(NORMAL, float), (len(hundredths), 1))
    rows[:, Parameter.TEMPERATURE] = hundredths
    made = score_rows(rows, S1)
    for value, points in zip(hundredths, made.parts[:, Parameter.TEMPERATURE], strict=True):
        tenth = Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
        band = next(p for low, high, p in CHART[(Parameter.TEMPERATURE, S1, AIR)]
                    if low <= tenth * 10 <= high)  # fmt: skip
        assert points == band, value


# ------------------------------------------------------------------ a second implementation


def steps(values, *changes):
    """Sum of what each threshold adds from its value on."""
    return sum(points * (values >= at) for at, points in changes)


def second(rows, scale2):
    """Written the other way: a floor of points and what is added at each half step."""
    rr, spo2, o2, sbp, pulse, acvpu, temp = rows.T
    scale1 = 3 - steps(spo2, (91.5, 1), (93.5, 1), (95.5, 1))
    common = 3 - steps(spo2, (83.5, 1), (85.5, 1), (87.5, 1))
    rich = steps(spo2, (92.5, 1), (94.5, 1), (96.5, 1)) * (o2 == 1)
    parts = np.stack([
        3 + steps(rr, (8.5, -2), (11.5, -1), (20.5, 2), (24.5, 1)),
        np.where(scale2, common + rich, scale1),
        np.where(o2 > 0, 2, 0),
        3 + steps(sbp, (90.5, -1), (100.5, -1), (110.5, -1), (219.5, 3)),
        3 + steps(pulse, (40.5, -2), (50.5, -1), (90.5, 1), (110.5, 1), (130.5, 1)),
        np.where(acvpu > 0, 3, 0),
        3 + steps(temp, (35.05, -2), (36.05, -1), (38.05, 1), (39.05, 1)),
    ], axis=1)  # fmt: skip
    lowest = np.array([1.5, 39.5, 0, 29.5, 19.5, 0, 24.95])
    above = np.array([80.5, 100.5, 1.5, 300.5, 300.5, 4.5, 45.05])
    known = (rows >= lowest) & (rows < above)  # NaN is neither
    return np.where(known, parts, 0), ~known


def test_a_second_implementation_agrees_on_a_million_rows():
    rng = np.random.default_rng(2017)
    count = 1_000_000
    low = np.array([0, 36, 0, 20, 10, 0, 24.0])
    high = np.array([90, 102, 2, 320, 320, 5, 46.0])
    rows = rng.uniform(low, high, (count, 7))
    decimals = rng.integers(0, 5, (count, 1))
    rows = np.rint(rows * 10.0**decimals) / 10.0**decimals
    whole = [Parameter.OXYGEN, Parameter.CONSCIOUSNESS]
    rows[:, whole] = np.minimum(np.floor(rows[:, whole]), [1, 4])
    rows[rng.random((count, 7)) < 0.03] = NONE
    scale2 = rng.random(count) < 0.5
    made = score_rows(rows, scale2)
    parts, missing = second(rows, scale2)
    assert np.array_equal(made.missing, missing)
    assert np.array_equal(made.parts, parts)
    assert 0.3 < made.complete.mean() < 0.9
    assert set(np.unique(made.at_least)) >= set(range(1, 20))


# ------------------------------------------------------------------ what is not known


@settings(deadline=None)
@given(
    st.tuples(
        st.integers(2, 80), st.integers(40, 100), st.integers(0, 1), st.integers(30, 300),
        st.integers(20, 300), st.sampled_from(Acvpu), st.floats(25, 45),
    ),
    st.booleans(),
    st.sets(st.sampled_from(Parameter), min_size=1),
)  # fmt: skip
def test_what_is_missing_makes_a_lower_bound_and_never_a_total(row, scale2, gone):
    whole = score_rows([row], scale2)
    holed = [NONE if p in gone else value for p, value in zip(Parameter, row, strict=True)]
    part = score_rows([holed], scale2)
    assert whole.complete[0]
    assert not part.complete[0]
    assert {p for p in Parameter if part.missing[0, p]} == gone
    assert part.at_least[0] <= whole.at_least[0]


@settings(deadline=None)
@given(st.integers(40, 100), st.sampled_from([NONE, 0, 1]))
def test_scale_2_is_never_chosen_from_the_values(spo2, oxygen):
    row = list(NORMAL)
    row[Parameter.SPO2], row[Parameter.OXYGEN] = spo2, oxygen
    one, two = score_rows([row], S1), score_rows([row], S2)
    expected = CHART[(Parameter.SPO2, S1, AIR)]
    points = next(p for low, high, p in expected if low <= spo2 <= high)
    assert one.parts[0, Parameter.SPO2] == points
    if oxygen != 1 and spo2 >= 88:
        assert two.parts[0, Parameter.SPO2] == 0


@pytest.mark.parametrize(
    ("patient", "word"),
    [(Patient("p", "1", age=15.9), "16"), (Patient("p", "1", age=30, pregnant=True), "preg")],
)
def test_children_and_pregnancy_are_refused(patient, word):
    assert word in patient.refusal
    made = news2.score(np.array([NORMAL], float), np.array([False]), np.array([True]))
    assert not made.complete[0]
    assert made.missing.all()
    assert made.at_least[0] == 0
    assert made.refused[0]


@pytest.mark.parametrize("age", [16, 90, NONE])
def test_adults_and_an_unknown_age_are_scored(age):
    assert Patient("p", "1", age=age).refusal == ""


@pytest.mark.parametrize(
    ("total", "red", "risk"),
    [(0, False, Risk.ROUTINE), (1, False, Risk.LOW), (4, False, Risk.LOW),
     (3, True, Risk.LOW_MEDIUM), (4, True, Risk.LOW_MEDIUM), (5, False, Risk.MEDIUM),
     (6, True, Risk.MEDIUM), (7, False, Risk.HIGH), (20, True, Risk.HIGH)],
)  # fmt: skip
def test_the_charts_thresholds(total, red, risk):
    assert news2.risk(np.array([total]), np.array([red]))[0] == risk
