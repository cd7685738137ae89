"""Who is called: one alarm per bed and kind, told once, told anew when it is worse."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.patient_monitoring import bed_alarms
from apps.patient_monitoring.act import Act, codes
from apps.patient_monitoring.domain import (
    Extreme,
    Flag,
    Parameter,
    Patient,
    Priority,
    Risk,
    Score,
)
from apps.patient_monitoring.protocol import CHART
from apps.patient_monitoring.ward import Change, Decision, Kind
from common.alarms import orders
from common.alarms.engine import ABNORMAL
from common.alarms.shelving import Shelving
from common.pipeline import Fault
from common.users import User
from tests.common.alarms.rig import Rig

BEDS = ("1", "2", "3")
NURSE = User("mia", "operator")
FAULT = Fault("perceive", "model", "inference failed", "1/5")


def patients():
    return [Patient("p-one", "1"), Patient("p-two", "2"), None]


@pytest.fixture
def rig():
    return Rig(*bed_alarms.definitions(BEDS).values())


@pytest.fixture
def act(rig):
    return Act(rig.board, BEDS, patients(), rig.clock.wall, settle_s=300.0)


def decision(*, at=0.0, risk=(), parts=(), extreme=(), technical=(), missing=(), model=(),
             alarms=False, changes=(), fault=""):  # fmt: skip
    """Three beds; each fact as {row: value}."""
    table = np.zeros((3, len(Parameter)), np.int8)
    for row, points in dict(parts).items():
        for parameter, value in points.items():
            table[row, parameter] = value
    gone = np.zeros((3, len(Parameter)), bool)
    for row, parameter in dict(missing).items():
        gone[row, parameter] = True
    score = Score(table, gone, np.zeros(3, bool))

    def column(values, dtype=np.int64):
        found = np.zeros(3, dtype)
        for row, value in dict(values).items():
            found[row] = value
        return found

    risks, extremes = column(risk), column(extreme)
    advised = column(model, bool)
    priority = np.where(extremes != 0, Priority.HIGH, [CHART[Risk(r)].priority for r in risks])
    if alarms:
        priority = np.maximum(priority, np.where(advised, Priority.LOW, Priority.NONE))
    invalid = np.where(score.complete, np.nan, at)
    return Decision(
        at, score, risks, extremes, priority, column(technical), invalid, advised,
        np.zeros(3, bool), np.full((3, 2), np.nan), tuple(changes), fault,
    )  # fmt: skip


EMERGENCY = {Parameter.RESPIRATION: 3, Parameter.SPO2: 2, Parameter.PULSE: 2}


def high(row=0, **more):
    return decision(risk={row: Risk.HIGH}, parts={row: EMERGENCY}, **more)


# ------------------------------------------------------------------ what is called, and how


@pytest.mark.parametrize(
    ("risk", "priority"), [(Risk.LOW_MEDIUM, 3), (Risk.MEDIUM, 2), (Risk.HIGH, 1)]
)
def test_a_risk_of_the_chart_calls_with_its_priority(act, rig, risk, priority):
    act(decision(risk={1: risk}, parts={1: EMERGENCY}))
    alarm = rig.alarm("bed_risk/2")
    assert (alarm.state.name, alarm.priority) == ("UNACK", priority)
    assert CHART[risk].text in alarm.detail
    assert "Now 7 (respiration 3, SpO2 2, pulse 2)" in alarm.detail
    assert CHART[risk].response in alarm.detail
    assert rig.states() == {"bed_risk/2": "UNACK"}


@pytest.mark.parametrize("risk", [Risk.ROUTINE, Risk.LOW])
def test_low_risks_call_nobody(act, rig, risk):
    act(decision(risk={0: risk}, parts={0: {Parameter.PULSE: 1}}))
    assert rig.states() == {}


def test_an_incomplete_score_is_said_to_be_a_lower_bound(act, rig):
    act(high(missing={0: Parameter.TEMPERATURE}))
    assert "Now at least 7" in rig.alarm("bed_risk/1").detail
    assert rig.alarm("bed_risk/1").about["complete"] is False


def test_an_alarm_says_whom_it_is_about(act, rig):
    act(high())
    assert rig.alarm("bed_risk/1").about == {
        "bed": "1", "patient": "p-one", "kind": "risk", "what": ["RESPIRATION"],
        "news2": 7, "complete": True, "risk": "HIGH", "raised_at": rig.clock.wall(),
        "within_s": 60, "parts": {"RESPIRATION": 3, "SPO2": 2, "PULSE": 2},
    }  # fmt: skip


def test_extremes_are_of_high_priority_and_named(act, rig):
    act(decision(extreme={0: int(Extreme.APNOEA | Extreme.DESATURATION)}))
    alarm = rig.alarm("bed_extreme/1")
    assert alarm.priority == bed_alarms.BOARD_PRIORITY[Priority.HIGH]
    assert alarm.detail == "SpO2 extremely low, no breath"
    assert alarm.about["what"] == ["DESATURATION", "APNOEA"]


def test_technical_faults_stand_apart_from_the_patient(act, rig):
    act(decision(technical={1: int(Flag.SENSOR_OFF | Flag.OFFLINE)}))
    assert rig.states() == {"bed_technical/2": "UNACK"}
    assert rig.alarm("bed_technical/2").detail == "probe off, device silent"
    assert rig.alarm("bed_technical/2").priority == 4


def test_advice_calls_only_where_the_protocol_made_it_an_alarm(act, rig):
    act(decision(model={0: True}))
    assert rig.states() == {}
    act(decision(model={0: True}, alarms=True))
    assert rig.states() == {"bed_advice/1": "UNACK"}
    act(high(model={0: True}, alarms=True))
    assert rig.states() == {"bed_advice/1": "RTNUN", "bed_risk/1": "UNACK"}, "the score decides"


def test_an_empty_bed_never_calls(act, rig):
    act(decision(risk={2: Risk.HIGH}, extreme={2: 1}, technical={2: int(Flag.OFFLINE)}))
    assert rig.states() == {}


# ------------------------------------------------------------------ told once, told anew


def test_what_does_not_change_is_told_once(act, rig):
    for at in range(20):
        act(high(at=float(at)))
    assert [told[0] for told in rig.keeper.told] == ["bed_risk/1"]


def test_a_higher_risk_sounds_again_and_a_lower_one_does_not(act, rig):
    act(decision(risk={0: Risk.MEDIUM}, parts={0: EMERGENCY}))
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    act(high(at=1.0))
    assert rig.states() == {"bed_risk/1": "UNACK"}
    assert rig.alarm("bed_risk/1").priority == 1
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    act(
        decision(
            at=2.0, risk={0: Risk.MEDIUM}, parts={0: {Parameter.PULSE: 3, Parameter.SPO2: 2}}
        )
    )
    assert rig.states() == {"bed_risk/1": "ACKED"}
    assert "Now 5" in rig.alarm("bed_risk/1").detail


def test_a_risk_says_within_what_time_somebody_is_at_the_bed(act, rig):
    def within_s():
        return rig.alarm("bed_risk/1").about["within_s"]

    act(decision(risk={0: Risk.MEDIUM}, parts={0: EMERGENCY}))
    assert within_s() == 180
    act(high(at=1.0))
    assert within_s() == 60
    act(decision(at=2.0, risk={0: Risk.LOW_MEDIUM}, parts={0: {Parameter.PULSE: 3}}))
    assert within_s() == 60, "an occurrence keeps its highest priority"
    act(decision(extreme={0: int(Extreme.APNOEA)}))
    assert "within_s" not in rig.alarm("bed_extreme/1").about


def test_an_alarm_says_since_when_it_has_had_its_priority(act, rig):
    def raised_at():
        return rig.alarm("bed_risk/1").about["raised_at"]

    began = rig.clock.wall()
    act(decision(risk={0: Risk.MEDIUM}, parts={0: EMERGENCY}))
    rig.clock.sleep(100.0)
    act(decision(at=100.0, risk={0: Risk.LOW_MEDIUM}, parts={0: EMERGENCY}))
    assert raised_at() == began
    act(high(at=101.0))
    assert raised_at() == began + 100
    rig.clock.sleep(100.0)
    act = restarted(rig)
    act(high(at=201.0))
    assert raised_at() == began + 100
    act(decision(at=202.0))
    act(decision(at=203.0, risk={0: Risk.MEDIUM}, parts={0: EMERGENCY}))
    assert raised_at() == rig.clock.wall(), "another occurrence"


def test_a_score_that_became_worse_sounds_again_at_the_same_priority(act, rig):
    act(high())
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    worse = {**EMERGENCY, Parameter.SYSTOLIC: 2}
    act(decision(at=1.0, risk={0: Risk.HIGH}, parts={0: worse}))
    assert rig.states() == {"bed_risk/1": "ACKED"}, "the protocol has not said so yet"
    told = Change(0, Kind.WORSE, 7, 9)
    act(decision(at=2.0, risk={0: Risk.HIGH}, parts={0: worse}, changes=[told]))
    assert rig.states() == {"bed_risk/1": "UNACK"}
    act(decision(at=3.0, risk={0: Risk.HIGH}, parts={0: worse}))
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    act(decision(at=4.0, risk={0: Risk.HIGH}, parts={0: worse}))
    assert rig.states() == {"bed_risk/1": "ACKED"}


def test_a_further_extreme_sounds_again(act, rig):
    act(decision(extreme={0: int(Extreme.DESATURATION)}))
    rig.board.command("bed_extreme/1", orders.acknowledge(NURSE))
    act(decision(extreme={0: int(Extreme.DESATURATION | Extreme.BRADYCARDIA)}))
    assert rig.states() == {"bed_extreme/1": "UNACK"}
    rig.board.command("bed_extreme/1", orders.acknowledge(NURSE))
    act(decision(extreme={0: int(Extreme.BRADYCARDIA)}))
    assert rig.states() == {"bed_extreme/1": "ACKED"}


def test_what_is_over_returns_to_normal(act, rig):
    act(high(technical={1: int(Flag.LEAD_OFF)}))
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    act(decision(at=1.0))
    assert rig.states() == {"bed_technical/2": "RTNUN"}


def test_a_pause_never_hides_what_is_of_high_priority(act, rig):
    pausable = {**rig.definitions}
    for name in ("bed_risk/1", "bed_risk/2"):
        pausable[name] = replace_limit(pausable[name])
    rig = Rig(*pausable.values())
    act = Act(rig.board, BEDS, patients(), rig.clock.wall)
    act(decision(risk={0: Risk.MEDIUM, 1: Risk.LOW_MEDIUM}, parts={0: EMERGENCY, 1: EMERGENCY}))
    for name in ("bed_risk/1", "bed_risk/2"):
        pause = orders.shelve(NURSE, Shelving(120.0, "washing"))
        assert rig.board.command(name, pause).changed
    act(
        decision(
            at=1.0, risk={0: Risk.HIGH, 1: Risk.MEDIUM}, parts={0: EMERGENCY, 1: EMERGENCY}
        )
    )
    assert rig.states() == {"bed_risk/1": "UNACK", "bed_risk/2": "SHELVED"}
    assert ("bed_risk/1", "SHELVED", "UNACK", "logic") in rig.keeper.told


def test_what_was_taken_out_of_service_is_shown_once_it_is_of_high_priority(act, rig):
    rig.board.command("bed_risk/1", orders.remove_from_service(NURSE, "noise", "P1"))
    act(decision(risk={0: Risk.MEDIUM}, parts={0: EMERGENCY}))
    assert rig.states() == {"bed_risk/1": "OUT_OF_SERVICE"}
    act(high(at=1.0))
    assert rig.states() == {"bed_risk/1": "UNACK"}


def test_the_next_patient_inherits_no_pause(act, rig):
    pause = orders.shelve(NURSE, Shelving(120.0, "washing"))
    for name in ("bed_risk/1", "bed_technical/1"):
        assert rig.board.command(name, pause).changed
    act.admit(0, Patient("p-new", "1"))
    assert rig.states() == {}


def replace_limit(definition):

    return replace(definition, shelve_max_s=900.0)


# ------------------------------------------------------------------ nobody else's alarm


def test_the_next_patient_does_not_inherit_an_alarm(act, rig):
    act(high())
    occurrence = rig.alarm("bed_risk/1").occurrence
    act.admit(0, Patient("p-new", "1"))
    assert rig.states() == {"bed_risk/1": "RTNUN"}
    assert rig.alarm("bed_risk/1").about["patient"] == "p-one", "it was theirs"
    act(high(at=1.0))
    alarm = rig.alarm("bed_risk/1")
    assert (alarm.about["patient"], alarm.occurrence) == ("p-new", occurrence + 1)


def test_the_same_patient_known_better_keeps_the_alarm(act, rig):
    act(high())
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    act.admit(0, Patient("p-one", "1", age=80))
    act(high(at=1.0))
    assert rig.states() == {"bed_risk/1": "ACKED"}


def test_a_patient_who_left_has_no_alarm(act, rig):
    act(high(technical={0: int(Flag.OFFLINE)}))
    act.admit(0, None)
    act(high(at=1.0, technical={0: int(Flag.OFFLINE)}))
    assert set(rig.states().values()) == {"RTNUN"}


# ------------------------------------------------------------------ faults and restarts


def test_the_safe_state_says_that_the_ward_is_not_monitored(act, rig):
    act(high())
    act.safe_state(FAULT)
    alarm = rig.alarm("ward_unmonitored")
    assert (alarm.state.name, alarm.priority) == ("UNACK", 1)
    assert alarm.detail == "model: inference failed"
    assert rig.alarm("bed_risk/1").state.name == "UNACK", "what is in force stays"


def test_a_blind_decision_clears_nothing_and_the_next_good_one_ends_it(act, rig):
    act(high())
    act(decision(at=1.0, fault="model: inference failed"))
    assert rig.states() == {"bed_risk/1": "UNACK", "ward_unmonitored": "UNACK"}
    act(high(at=2.0))
    assert rig.states() == {"bed_risk/1": "UNACK", "ward_unmonitored": "LATCHED_UNACK"}


def restarted(rig, **down):
    rig.restart(**down)
    return Act(rig.board, BEDS, patients(), rig.clock.wall, settle_s=300.0)


def test_after_a_restart_an_alarm_stays_until_the_patient_is_known_again(act, rig):
    act(high())
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    act = restarted(rig, down_s=20.0)
    unknown = {0: Parameter.TEMPERATURE}
    for at in (0.0, 100.0, 400.0):  # incomplete: it says nothing about the patient
        act(decision(at=at, missing=unknown))
        assert rig.states() == {"bed_risk/1": "ACKED"}
    for at in (410.0, 500.0, 700.0):
        act(decision(at=at))
        assert rig.states() == {"bed_risk/1": "ACKED"}
    act(decision(at=710.0))
    assert rig.states() == {}


def test_after_a_restart_an_extreme_waits_for_its_own_signs_and_for_no_whole_score(act, rig):
    act(decision(extreme={0: Extreme.DESATURATION}))
    act = restarted(rig, down_s=20.0)
    act(decision(missing={0: Parameter.SPO2}))
    act(decision(at=400.0, missing={0: Parameter.SPO2}))
    assert rig.states() == {"bed_extreme/1": "UNACK"}
    act(decision(at=401.0, missing={0: Parameter.CONSCIOUSNESS}))
    act(decision(at=700.0, missing={0: Parameter.CONSCIOUSNESS}))
    assert rig.states() == {"bed_extreme/1": "UNACK"}
    act(decision(at=702.0, missing={0: Parameter.CONSCIOUSNESS}))
    assert rig.states() == {"bed_extreme/1": "RTNUN"}


def test_after_a_restart_the_protocol_takes_over_what_it_finds_again(act, rig):
    act(high())
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    act = restarted(rig)
    act(high(at=60.0))
    assert rig.states() == {"bed_risk/1": "ACKED"}, "nobody is called twice for one thing"
    act(decision(at=61.0))
    assert rig.states() == {}


def test_a_technical_alarm_of_before_ends_once_it_would_have_been_told(act, rig):
    act(decision(technical={1: int(Flag.LEAD_OFF)}))
    rig.board.command("bed_technical/2", orders.acknowledge(NURSE))
    act = restarted(rig)
    act(decision(at=0.0))
    act(decision(at=299.0))
    assert rig.states() == {"bed_technical/2": "ACKED"}
    act(decision(at=300.0))
    assert rig.states() == {}


def test_a_held_alarm_does_not_survive_its_patient(act, rig):
    act(high())
    act = restarted(rig)
    act.admit(0, Patient("p-new", "1"))
    assert rig.states() == {"bed_risk/1": "RTNUN"}


@pytest.mark.parametrize(("who", "state"), [("p-one", "ACKED"), ("p-new", None)])
def test_after_a_restart_an_alarm_is_only_its_own_patient_s(act, rig, who, state):
    """The station learns who lies here only after it has begun."""
    act(high())
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    rig.restart()
    act = Act(rig.board, BEDS, [None] * 3, rig.clock.wall, settle_s=300.0)
    act(decision(at=0.0))
    act.admit(0, Patient(who, "1"))
    act(decision(at=1.0))
    assert rig.states().get("bed_risk/1") == state


def test_an_alarm_of_before_ends_where_nobody_lies_any_more(act, rig):
    act(high())
    rig.board.command("bed_risk/1", orders.acknowledge(NURSE))
    rig.restart()
    act = Act(rig.board, BEDS, [None] * 3, rig.clock.wall, settle_s=300.0)
    missing = {0: Parameter.PULSE}
    act(decision(at=0.0, missing=missing))
    assert rig.states() == {"bed_risk/1": "ACKED"}
    act(decision(at=300.0, missing=missing))
    assert rig.states() == {}


def test_codes_tell_every_difference_that_a_detail_tells():
    same, other = codes(high()), codes(high(missing={0: Parameter.TEMPERATURE}))
    assert same["bed_risk"][0] != other["bed_risk"][0]
    assert codes(decision())["bed_risk"].tolist() == [0, 0, 0]


# ------------------------------------------------------------------ whatever happens

ROWS = st.integers(0, 2)
DECIDED = st.fixed_dictionaries(
    {
        "risk": st.dictionaries(ROWS, st.sampled_from(Risk)),
        "extreme": st.dictionaries(ROWS, st.integers(0, 15)),
        "technical": st.dictionaries(ROWS, st.sampled_from([0, 1, 2, 3, 256])),
        "worse": st.sets(ROWS),
    }
)
MOVES = st.tuples(ROWS, st.sampled_from(["p-one", "p-two", "p-three", None]))
ORDERS = st.sampled_from(["bed_risk", "bed_extreme", "bed_technical"]).flatmap(
    lambda kind: st.sampled_from([f"{kind}/{bed}" for bed in BEDS])
)


@given(st.lists(st.one_of(DECIDED, MOVES, ORDERS), max_size=25))
def test_an_alarm_stands_exactly_where_the_protocol_says_so_and_is_its_patient_s(steps):
    rig = Rig(*bed_alarms.definitions(BEDS).values())
    lies = ["p-one", "p-two", None]
    act = Act(rig.board, BEDS, patients(), rig.clock.wall)
    for at, step in enumerate(steps):
        if isinstance(step, str):
            rig.board.command(step, orders.acknowledge(NURSE))
            continue
        if isinstance(step, tuple):
            row, who = step
            lies[row] = who
            act.admit(row, Patient(who, BEDS[row]) if who else None)
            continue
        facts = {name: step[name] for name in ("risk", "extreme", "technical")}
        worse = [Change(row, Kind.WORSE, 5, 7) for row in step["worse"]]
        act(decision(at=float(at), changes=worse, **facts))
        for row, bed in enumerate(BEDS):
            expected = {
                "bed_risk": CHART[Risk(facts["risk"].get(row, 0))].priority != Priority.NONE,
                "bed_extreme": facts["extreme"].get(row, 0) != 0,
                "bed_technical": facts["technical"].get(row, 0) != 0,
            }
            for kind, there in expected.items():
                alarm = rig.alarm(f"{kind}/{bed}")
                stands = alarm.state.life in ABNORMAL
                assert stands is bool(there and lies[row])
                assert not stands or alarm.about["patient"] == lies[row]
