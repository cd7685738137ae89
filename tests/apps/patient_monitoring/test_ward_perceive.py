"""From sensors to a percept: what is scored, how long it counts, and who it belongs to."""

from itertools import pairwise

import numpy as np
import pytest

from apps.patient_monitoring import news2
from apps.patient_monitoring.config import EscalationRules, Settings
from apps.patient_monitoring.domain import (
    NONE,
    SIGNS,
    Acvpu,
    Flag,
    Parameter,
    Patient,
    Risk,
    Sign,
)
from apps.patient_monitoring.perceive import Perceive, inputs, intervals, observed_every
from apps.patient_monitoring.readings import BY_ROUNDS, Reading, readings
from common.ports import Sample

ADULT = Patient("p-1", "1", age=61)
STREAM = {Sign.HR: 84, Sign.PULSE: 84, Sign.SPO2: 97, Sign.RR: 14, Sign.TEMP: 36.9}
ENTERED = {Sign.OXYGEN: 0, Sign.ACVPU: Acvpu.ALERT, Sign.SBP: 122, Sign.DBP: 70}


class Ward:
    """One gateway, told second by second."""

    def __init__(self, *patients, settings=None):
        self.perceive = Perceive(patients or [ADULT], settings or Settings(), None)
        self.now = 5000.0
        self.sequence = 0

    def tell(self, new):
        self.sequence += 1
        return self.perceive(Sample("t", new, self.sequence, 0.0, self.now))

    def observe(self, bed=0, **changed):
        entered = {s: changed.get(s.name, v) for s, v in ENTERED.items()}
        rows = [(bed, s, v, self.now) for s, v in entered.items()]
        return self.tell(readings(rows, BY_ROUNDS))

    def run(self, seconds, bed=0, **changed):
        for _ in range(seconds):
            self.now += 1
            said = {s: changed.get(s.name, v) for s, v in STREAM.items()}
            found = self.tell(readings([(bed, s, v, self.now) for s, v in said.items()]))
        return found


def test_seven_fresh_inputs_make_a_score():
    ward = Ward()
    assert ward.observe().confirmed[0]
    found = ward.run(60)
    assert found.score.complete[0]
    assert found.score.at_least[0] == 0
    assert not found.confirmed[0]


def test_before_anybody_has_looked_at_consciousness_there_is_no_total():
    found = Ward().run(60)
    missing = {p for p in Parameter if found.score.missing[0, p]}
    assert missing == {Parameter.OXYGEN, Parameter.SYSTOLIC, Parameter.CONSCIOUSNESS}


def test_a_rising_score_asks_for_a_fresh_pressure_and_does_not_flap():
    ward = Ward()
    ward.observe(SBP=100)  # two points
    ward.run(60)
    ward.now += 2 * 3600
    states = []
    for _ in range(180):
        found = ward.run(1, RR=23, HR=95, PULSE=95)  # two and one: five with the pressure
        states.append((bool(found.score.complete[0]), found.due_s[0]))
    assert found.due_s[0] == EscalationRules().medium_s
    assert found.score.missing[0, Parameter.SYSTOLIC]
    assert sum(a != b for a, b in pairwise(states)) <= 3
    assert ward.observe(SBP=100).score.at_least[0] == 5


def test_only_a_complete_score_is_observed_less_often():
    every = intervals(EscalationRules())
    rows = np.array([[16, 98, 0, 120, 72, 0, 36.8], [16, 98, 0, NONE, 72, 0, 36.8]])
    score = news2.score(rows, np.zeros(2, bool), np.zeros(2, bool))
    due = observed_every(score, np.full(2, every[Risk.HIGH]), every)
    assert due.tolist() == [every[Risk.ROUTINE], every[Risk.HIGH]]


@pytest.mark.parametrize(
    ("level", "age_s", "looked"),
    [
        (Acvpu.ALERT, 0, True),
        (Acvpu.ALERT, 60, True),
        (Acvpu.ALERT, 61, False),
        (NONE, 0, False),
    ],
)
def test_only_who_has_just_looked_confirms_a_score(level, age_s, looked):
    ward = Ward()
    ward.run(60)
    found = ward.tell(readings([(0, Sign.ACVPU, level, ward.now - age_s)], BY_ROUNDS))
    assert found.confirmed[0] == looked


def test_a_score_that_rose_since_somebody_looked_is_observed_within_the_hour():
    ward, worse = Ward(), {"HR": 95, "PULSE": 95, "SPO2": 95}
    ward.observe()
    assert ward.run(70).due_s[0] == EscalationRules().routine_s
    found = ward.run(90, **worse)
    assert found.score.at_least[0] == 2
    assert found.due_s[0] == EscalationRules().medium_s
    ward.observe()  # somebody looked: by the chart again
    assert ward.run(5, **worse).due_s[0] == EscalationRules().low_s


@pytest.mark.parametrize(
    ("heart", "pulse", "differ", "expected"),
    [(80, 82, False, 80), (NONE, 82, False, 82), (80, NONE, False, 80), (80, 140, True, 140),
     (140, 80, True, 140), (80, 140, False, 80), (45, 80, True, 45)],
)  # fmt: skip
def test_where_heart_rate_and_pulse_disagree_the_worse_one_counts(
    heart, pulse, differ, expected
):
    value = np.full((1, SIGNS), NONE)
    value[0, Sign.HR], value[0, Sign.PULSE] = heart, pulse
    flags = np.full((1, SIGNS), int(Flag.DISAGREE) if differ else 0, np.int32)
    found = inputs(Reading(value, np.zeros((1, SIGNS)), flags, np.zeros(1, np.int32)))
    assert found[0, Parameter.PULSE] == expected


def test_scale_2_is_the_patients_order_and_nothing_else():
    ward = Ward(ADULT, Patient("p-2", "2", age=70, scale2=True))
    for bed in (0, 1):
        ward.observe(bed)
        found = ward.run(60, bed, SPO2=89)
    assert found.score.parts[1, Parameter.SPO2] == 0
    ward.run(30, 0, SPO2=89)
    found = ward.run(30, 0, SPO2=89)
    assert found.score.parts[0, Parameter.SPO2] == 3


def test_an_order_keeps_the_signs_and_another_patient_does_not():
    ward = Ward()
    ward.observe()
    ward.run(60, SPO2=89)
    ward.perceive.admit(0, Patient("p-1", "1", age=61, scale2=True))
    found = ward.run(1, SPO2=89)
    assert found.score.complete[0]
    assert found.score.parts[0, Parameter.SPO2] == 0
    ward.perceive.admit(0, Patient("p-9", "1", age=50))
    ward.now += 1
    found = ward.tell(readings([]))
    assert found.score.missing[0].all()
    assert np.isnan(found.reading.value[0]).all()


def test_a_child_has_no_score():
    ward = Ward(Patient("p-3", "3", age=12))
    ward.observe()
    found = ward.run(60)
    assert found.score.refused[0]
    assert found.score.missing[0].all()
    assert found.reading.value[0, Sign.SPO2] == 97


def test_without_a_model_there_is_no_risk_and_no_guess():
    ward = Ward()
    ward.observe()
    found = ward.run(120)
    assert np.isnan(found.risk).all()
    assert found.features[0, 0] == 84
