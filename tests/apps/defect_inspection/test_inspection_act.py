"""What the PLC is told: only PASS opens the gate, and a beat means that work was done."""

import pytest

from apps.defect_inspection.act import WIRE, Act
from apps.defect_inspection.config import LineRules, Recipe
from apps.defect_inspection.decide import LineState, Rules
from apps.defect_inspection.domain import Decision, Defect, Verdict
from common.errors import PlcError
from common.pipeline import Fault, Pipeline
from common.ports import ResultCode

KINDS = ("open", "short")
FAULT = Fault("perceive", "model", "inference failed", "1/5")


@pytest.fixture
def act(gate):
    return Act(gate, KINDS)


def decision(verdict, part_id=5, **more):
    return Decision(part_id, verdict, ("because",), **more)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.PASS, ResultCode.PASS),
        (Verdict.HOLD, ResultCode.FAIL),
        (Verdict.REJECT, ResultCode.FAIL),
        (Verdict.LATE, ResultCode.LATE),
        (Verdict.BAD_IMAGE, ResultCode.BAD_IMAGE),
        (Verdict.NO_RESULT, ResultCode.NO_RESULT),
    ],
)
def test_each_verdict_has_its_code(act, gate, verdict, code):
    act(decision(verdict))
    assert [(a.part_id, a.code) for a in gate.answers] == [(5, code)]


def test_only_pass_is_pass():
    assert set(WIRE) == set(Verdict)
    assert [v for v, code in WIRE.items() if code is ResultCode.PASS] == [Verdict.PASS]


def test_the_worst_defect_goes_along(act, gate):
    worst = Defect("short", 0.73, (0.0, 0.0, 1.0, 1.0), 0.2, (1.0, 1.0))
    act(decision(Verdict.REJECT, worst=worst, latency_ms=12.6))
    told = gate.answers[0]
    assert (told.defect_class, told.score, told.latency_ms) == (2, 0.73, 13)


def test_without_a_defect_and_for_a_kind_it_does_not_know_the_class_is_none(act, gate):
    act(decision(Verdict.PASS))
    act(decision(Verdict.REJECT, worst=Defect("dent", 0.9, (0.0,) * 4, 0.2, (1.0, 1.0))))
    assert [told.defect_class for told in gate.answers] == [0, 0]


@pytest.mark.parametrize("verdict", Verdict)
def test_a_beat_says_completed_work_only(act, gate, verdict):
    act(decision(verdict))
    looked = verdict not in (Verdict.NO_RESULT, Verdict.BAD_IMAGE)
    assert gate.beats == looked


def test_nothing_follows_a_verdict_that_could_take_it_back(act, gate):
    act(decision(Verdict.PASS))
    assert gate.calls[-1] == "answer"


@pytest.mark.parametrize("step", ["beat", "request"])
def test_what_fails_before_the_verdict_leaves_the_part_without_one(act, gate, step):
    gate.broken = {step}
    with pytest.raises(PlcError):
        act(decision(Verdict.PASS))
    assert gate.answers == []


def test_a_fault_without_a_part_is_answered_by_nothing(act, gate):
    act(decision(Verdict.NO_RESULT, part_id=0, line_stop="too many"))
    assert gate.answers == []
    assert gate.beats == 0
    assert gate.requests == [(True, False)]


def test_line_stop_and_challenge_are_asked_for(act, gate):
    act(decision(Verdict.PASS))
    act.challenge_wanted = True
    act(decision(Verdict.REJECT, line_stop="3 parts rejected in a row"))
    assert gate.requests == [(False, False), (True, True)]


def test_the_safe_state_never_raises_and_says_why(act, gate):
    gate.broken = {"everything"}
    act.safe_state(FAULT)
    assert gate.reasons == ["model: inference failed"]


@pytest.mark.parametrize("stage", ["sense", "perceive"])
def test_a_part_whose_answer_fails_is_recorded_under_its_id(act, gate, clock, stage):
    """Camera and PLC fail together: the part still has its one record."""
    kept = []
    fault = Fault(stage, "fake camera", "no picture", "3/17")
    pipeline = Pipeline(
        sense=lambda _timeout: fault,
        perceive=None,
        decide=Rules(LineRules(), {1: Recipe("board")}),
        act=act,
        record=kept.append,
        state=LineState(),
        clock=clock,
    )
    gate.broken = {"answer"}
    pipeline.step(0.0)
    assert [(o.decision.part_id, o.percept.stage) for o in kept] == [(17, "act")]
    assert pipeline.state.consecutive_rejects == 1
    assert len(gate.reasons) == 2
