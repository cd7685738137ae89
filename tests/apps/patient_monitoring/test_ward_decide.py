"""The protocol: a worse sign never lowers it, and what is missing never reads as normal."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.patient_monitoring import news2
from apps.patient_monitoring.baseline import Usual
from apps.patient_monitoring.config import AdvisoryRules, EscalationRules
from apps.patient_monitoring.decide import Protocol, admit, start
from apps.patient_monitoring.domain import (
    NONE,
    SIGNS,
    Acvpu,
    Extreme,
    Flag,
    Parameter,
    Priority,
    Risk,
    Sign,
)
from apps.patient_monitoring.protocol import CHART
from apps.patient_monitoring.readings import Reading
from apps.patient_monitoring.trends import FEATURES
from apps.patient_monitoring.ward import Change, Kind, Percept
from common.pipeline import Fault

PROTOCOL = Protocol(
    EscalationRules(persist_s=60, release_s=300, extreme_release_s=30, technical_s=60),
    AdvisoryRules(risk_above=0.1, risk_persist_s=600, anomaly_above=4.0, anomaly_persist_s=60),
)
NORMAL = (16, 98, 0, 120, 72, Acvpu.ALERT, 36.8)
AT_LEAST_5 = (22, 95, 0, 110, 95, Acvpu.ALERT, 36.8)
AT_LEAST_7 = (26, 91, 0, 105, 95, Acvpu.ALERT, 36.8)
RED = (16, 91, 0, 120, 72, Acvpu.ALERT, 36.8)


def percept(at, rows, *, confirmed=False, refused=False, risk=NONE, anomaly=NONE,
            extreme=0, flags=None):  # fmt: skip
    """A ward of as many beds as `rows` of NEWS2 inputs."""
    rows = np.array([rows] if np.ndim(rows) == 1 else rows, float)
    beds = len(rows)
    reading = Reading(
        np.full((beds, SIGNS), NONE),
        np.full((beds, SIGNS), np.inf),
        np.zeros((beds, SIGNS), np.int32),
        np.full(beds, extreme, np.int32),
    )
    for sign, flag in (flags or {}).items():
        reading.flags[:, sign] = int(flag)
    score = news2.score(rows, np.zeros(beds, bool), np.full(beds, refused))
    unknown = np.full((beds, len(FEATURES)), NONE, np.float32)
    return Percept(
        at=at, reading=reading, score=score, due_s=np.full(beds, 3600.0),
        confirmed=np.full(beds, confirmed), features=unknown, risk=np.full(beds, risk),
        contributions=unknown, anomaly=np.full(beds, anomaly),
        anomaly_shares=np.full((beds, 4), NONE),
        usual=Usual(
            np.full((beds, 4), NONE), np.full((beds, 4), NONE), np.full((beds, 4, 4), NONE)
        ),
    )  # fmt: skip


def hold(row, seconds, state=None, begin=0.0, step=10.0, **more):
    """The same inputs for a while; the last state and every decision."""
    state = start(1, begin) if state is None else state
    decisions = []
    for k in range(int(seconds // step) + 1):
        state, decision = PROTOCOL(state, percept(begin + k * step, row, **more))
        decisions.append(decision)
    return state, decisions


def of_kind(decisions, kind):
    return [c for d in decisions for c in d.changes if c.kind is kind]


# ------------------------------------------------------------------ escalation by the chart


@pytest.mark.parametrize(
    ("row", "risk"),
    [(NORMAL, Risk.ROUTINE), ((21, 98, 0, 120, 72, 0, 36.8), Risk.LOW), (RED, Risk.LOW_MEDIUM),
     (AT_LEAST_5, Risk.MEDIUM), (AT_LEAST_7, Risk.HIGH)],
)  # fmt: skip
def test_a_risk_is_in_force_once_it_has_held(row, risk):
    _, decisions = hold(row, 60)
    assert all(d.risk[0] == Risk.ROUTINE for d in decisions[:-1])
    assert decisions[-1].risk[0] == risk
    assert decisions[-1].priority[0] == CHART[risk].priority
    expected = [Change(0, Kind.RISK, Risk.ROUTINE, risk)] if risk else []
    assert of_kind(decisions, Kind.RISK) == expected


def test_a_score_that_does_not_hold_calls_nobody():
    state = start(1, 0)
    for k in range(100):
        row = AT_LEAST_7 if k % 5 else NORMAL  # never for a whole minute
        state, decision = PROTOCOL(state, percept(k * 10.0, row))
        assert decision.priority[0] == Priority.NONE


def test_a_person_who_has_just_looked_is_believed_at_once():
    _, decision = PROTOCOL(start(1, 0), percept(5.0, AT_LEAST_7, confirmed=True))
    assert decision.risk[0] == Risk.HIGH


def test_it_ends_only_after_complete_scores_have_said_so_for_long_enough():
    state, _ = hold(AT_LEAST_7, 60)
    state, decisions = hold(NORMAL, 290, state, begin=70)
    assert all(d.risk[0] == Risk.HIGH for d in decisions)
    state, decisions = hold(NORMAL, 10, state, begin=370)
    assert decisions[-1].risk[0] == Risk.ROUTINE
    assert of_kind(decisions, Kind.RISK) == [Change(0, Kind.RISK, Risk.HIGH, Risk.ROUTINE)]


def test_it_goes_down_step_by_step_as_the_score_does():
    state, _ = hold(AT_LEAST_7, 60)
    state, decisions = hold(AT_LEAST_5, 300, state, begin=70)
    assert decisions[-1].risk[0] == Risk.MEDIUM
    _, decisions = hold(NORMAL, 300, state, begin=380)
    assert decisions[-1].risk[0] == Risk.ROUTINE


@pytest.mark.parametrize("gone", Parameter)
def test_a_sign_that_is_lost_ends_no_alarm(gone):
    state, _ = hold(AT_LEAST_7, 60)
    holed = [NONE if p == gone else v for p, v in zip(Parameter, NORMAL, strict=True)]
    _, decisions = hold(holed, 3600, state, begin=70)
    assert all(d.risk[0] == Risk.HIGH for d in decisions)
    assert decisions[-1].invalid_since[0] == 70


def test_a_lower_bound_is_enough_to_alarm():
    holed = [NONE if p == Parameter.TEMPERATURE else v
             for p, v in zip(Parameter, AT_LEAST_5, strict=True)]  # fmt: skip
    _, decisions = hold(holed, 60)
    assert decisions[-1].risk[0] == Risk.MEDIUM
    assert not decisions[-1].score.complete[0]


def test_a_child_is_not_scored_but_an_extreme_still_alarms():
    _, decisions = hold(AT_LEAST_7, 120, refused=True, extreme=int(Extreme.APNOEA))
    assert decisions[-1].risk[0] == Risk.ROUTINE
    assert not decisions[-1].score.complete[0]
    assert decisions[-1].priority[0] == Priority.HIGH


def test_worse_is_told_again_and_each_red_sign_once():
    state, _ = hold(AT_LEAST_7, 60)
    worse = (26, 91, 1, 105, 112, Acvpu.ALERT, 36.8)  # +2 for oxygen, +1 pulse
    state, decisions = hold(worse, 60, state, begin=70)
    assert [c.now for c in of_kind(decisions, Kind.WORSE)] == [11]
    redder = (26, 91, 1, 90, 112, Acvpu.ALERT, 36.8)
    state, decisions = hold(redder, 60, state, begin=140)
    assert len(of_kind(decisions, Kind.WORSE)) == 1
    state, decisions = hold(worse, 60, state, begin=210)
    state, decisions = hold(redder, 600, state, begin=280)
    assert of_kind(decisions, Kind.WORSE) == []


# ------------------------------------------------------------------ extremes


@pytest.mark.parametrize("extreme", Extreme)
def test_an_extreme_waits_for_nothing_and_ends_after_its_release(extreme):
    state, decision = PROTOCOL(start(1, 0), percept(5.0, NORMAL, extreme=int(extreme)))
    assert decision.priority[0] == Priority.HIGH
    assert decision.changes == (Change(0, Kind.EXTREME, 0, extreme),)
    state, decision = PROTOCOL(state, percept(34.0, NORMAL))
    assert decision.priority[0] == Priority.HIGH
    _, decision = PROTOCOL(state, percept(35.0, NORMAL))
    assert decision.priority[0] == Priority.NONE


# ------------------------------------------------------------------ technical and advice


def test_technical_faults_stand_apart_and_only_once_they_last():
    _, decisions = hold(NORMAL, 60, flags={Sign.SPO2: Flag.SENSOR_OFF | Flag.MOTION})
    assert all(d.technical[0] == 0 for d in decisions[:-1])
    assert decisions[-1].technical[0] == Flag.SENSOR_OFF
    assert decisions[-1].priority[0] == Priority.NONE
    assert of_kind(decisions, Kind.TECHNICAL) == [Change(0, Kind.TECHNICAL, 0, Flag.SENSOR_OFF)]


def test_motion_is_no_fault_of_the_monitoring():
    _, decisions = hold(NORMAL, 600, flags={Sign.SPO2: Flag.MOTION, Sign.RR: Flag.STALE})
    assert decisions[-1].technical[0] == 0


def test_the_models_line_is_advice_and_calls_nobody():
    _, decisions = hold(NORMAL, 600, risk=0.9, anomaly=9.0)
    assert decisions[-1].advised_model[0]
    assert decisions[-1].advised_anomaly[0]
    assert all(d.priority[0] == Priority.NONE for d in decisions)


def test_a_ward_may_let_the_advice_call_at_low_priority():
    loud = Protocol(PROTOCOL.escalation, replace(PROTOCOL.advisory, alarms=True))
    state = start(1, 0)
    for k in range(61):
        state, decision = loud(state, percept(k * 10.0, NORMAL, risk=0.9))
    assert decision.priority[0] == Priority.LOW


def test_an_unknown_risk_advises_nothing_and_clears_nothing_else():
    _, decisions = hold(AT_LEAST_7, 700)
    assert not decisions[-1].advised_model[0]
    assert decisions[-1].risk[0] == Risk.HIGH


# ------------------------------------------------------------------ faults, beds, start


def test_a_fault_keeps_what_is_in_force_and_makes_every_score_invalid():
    state, _ = hold(AT_LEAST_7, 60)
    fault = Fault("perceive", "onnxruntime", "inference failed")
    state, decision = PROTOCOL(state, fault)
    assert decision.risk[0] == Risk.HIGH
    assert decision.invalid_since[0] == 60
    assert decision.fault == "onnxruntime: inference failed"
    _, decision = PROTOCOL(state, percept(80.0, NORMAL))
    assert np.isnan(decision.invalid_since[0])
    assert decision.fault == ""


def test_at_start_nothing_is_valid_and_nothing_is_called_normal():
    state = start(3, 100.0)
    _, decision = PROTOCOL(state, percept(101.0, [[NONE] * 7] * 3))
    assert not decision.score.complete.any()
    assert decision.invalid_since.tolist() == [100.0] * 3
    assert decision.changes == ()


def test_another_patient_inherits_no_alarm():
    both = [AT_LEAST_7, AT_LEAST_7]
    state = start(2, 0)
    for k in range(7):
        state, _ = PROTOCOL(state, percept(k * 10.0, both, extreme=int(Extreme.APNOEA)))
    state = admit(state, 1, 65.0)
    _, decision = PROTOCOL(state, percept(70.0, [AT_LEAST_7, NORMAL]))
    assert decision.risk.tolist() == [Risk.HIGH, Risk.ROUTINE]
    assert decision.extreme.tolist() == [Extreme.APNOEA, 0]


# ------------------------------------------------------------------ the two laws

ROWS = st.tuples(
    st.integers(2, 80), st.integers(40, 100), st.integers(0, 1), st.integers(30, 300),
    st.integers(20, 300), st.sampled_from(Acvpu), st.floats(25, 45),
)  # fmt: skip
COURSES = st.lists(st.tuples(ROWS, st.floats(1, 400)), min_size=1, max_size=12)


def worse(row, parameter):
    """The row with one sign where its parameter scores as badly as it can."""
    worst = {
        Parameter.RESPIRATION: 40, Parameter.SPO2: 70, Parameter.OXYGEN: 1,
        Parameter.SYSTOLIC: 70, Parameter.PULSE: 150, Parameter.CONSCIOUSNESS: Acvpu.PAIN,
        Parameter.TEMPERATURE: 34.0,
    }  # fmt: skip
    return tuple(worst[p] if p == parameter else v for p, v in zip(Parameter, row, strict=True))


@settings(deadline=None, max_examples=200)
@given(ROWS, st.sampled_from(Parameter))
def test_a_worse_sign_never_lowers_the_score(row, parameter):
    rows = np.array([row, worse(row, parameter)], float)
    score = news2.score(rows, np.zeros(2, bool), np.zeros(2, bool))
    assert score.at_least[1] >= score.at_least[0]
    assert news2.risk(score.at_least, score.red)[1] >= news2.risk(score.at_least, score.red)[0]


@settings(deadline=None, max_examples=150)
@given(COURSES, st.data())
def test_a_worse_course_is_never_escalated_less(course, data):
    """Two beds side by side: the second is at each moment as the first, or worse."""
    state, now = start(2, 0.0), 0.0
    for row, passed in course:
        now += passed
        changed = data.draw(st.sets(st.sampled_from(Parameter)))
        bad = row
        for parameter in changed:
            bad = worse(bad, parameter)
        state, decision = PROTOCOL(state, percept(now, [row, bad]))
        assert decision.risk[1] >= decision.risk[0]
        assert decision.priority[1] >= decision.priority[0]


@settings(deadline=None, max_examples=150)
@given(COURSES, st.data())
def test_what_is_missing_never_reads_as_normal(course, data):
    """The second bed loses signs: its score is not complete, and no alarm ends by it."""
    state, now, was = start(2, 0.0), 0.0, 0
    for row, passed in course:
        now += passed
        gone = data.draw(st.sets(st.sampled_from(Parameter), min_size=1))
        holed = [NONE if p in gone else v for p, v in zip(Parameter, row, strict=True)]
        state, decision = PROTOCOL(state, percept(now, [row, holed]))
        assert not decision.score.complete[1]
        assert np.isfinite(decision.invalid_since[1])
        assert decision.risk[1] >= was
        was = decision.risk[1]
