"""The rules: a worse input never gets a better verdict, and only one thing is a PASS."""

from dataclasses import FrozenInstanceError, replace
from math import inf, isnan, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.defect_inspection.config import KindRule, LineRules, Recipe, Zone
from apps.defect_inspection.decide import (
    LineState,
    Rules,
    confirm,
    end_challenge,
    grade,
    judge_defects,
    reset_line,
    start_challenge,
)
from apps.defect_inspection.domain import Defect, Inspection, Verdict
from common.pipeline import Fault
from common.quality import Quality

LINE = LineRules(
    deadline_ms=300.0, consecutive_rejects=3, window_parts=10, window_rejects=5,
    challenge_pieces=2,
)  # fmt: skip
BOARD = Recipe("board", default=KindRule(0.25, 0.4))
BADNESS = {Verdict.PASS: 0, Verdict.HOLD: 1, Verdict.REJECT: 2}
"""From best to worst; what has no judgement of the part (3) is worse than any."""

SCORES = st.floats(0, 1) | st.just(nan)
SIZES = st.floats(0, 10) | st.sampled_from([inf, nan])
PLACES = st.tuples(st.floats(0, 10), st.floats(0, 10))
DEFECTS = st.builds(
    Defect,
    kind=st.sampled_from(["open", "short"]),
    score=SCORES,
    box_px=st.just((0.0, 0.0, 1.0, 1.0)),
    size_mm=SIZES,
    centre_mm=PLACES,
)
KIND_RULES = st.builds(
    lambda scores, size, count: KindRule(min(scores), max(scores), size, count),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.sampled_from([0.0, 0.5, 5.0]),
    st.integers(0, 3),
)
ZONES = st.builds(
    lambda corner, rule: Zone("zone", *corner, 3.0, 3.0, rule),
    PLACES,
    st.sampled_from(["critical", "ignore"]),
)
RECIPES = st.builds(
    lambda default, short, zones: Recipe(
        "board", default=default, kinds={"short": short}, zones=tuple(zones)
    ),
    KIND_RULES,
    KIND_RULES,
    st.lists(ZONES, max_size=3),
)
PARTS = st.builds(
    Inspection,
    part_id=st.integers(1, 65_535),
    recipe_id=st.integers(1, 2),
    quality=st.sampled_from(Quality),
    reason=st.just("as the guard says"),
    defects=st.lists(DEFECTS, max_size=4).map(tuple),
    age_ms=st.floats(0, 600) | st.sampled_from([inf, nan]),
)


def part(part_id=1, defects=(), **changes):
    made = Inspection(part_id, 1, Quality.GOOD, "", tuple(defects), 20.0)
    return replace(made, **changes)


def hole(score=0.9, size=1.0, kind="open", at=(5.0, 5.0)):
    return Defect(kind, score, (0.0, 0.0, 1.0, 1.0), size, at)


def rules(recipe=None, **line):
    return Rules(replace(LINE, **line), {1: recipe or BOARD})


def decide(inspection, recipe=None):
    return rules(recipe)(LineState(), inspection)[1]


def badness(verdict):
    return BADNESS.get(verdict, 3)


def after(percepts, state=None, **line):
    """The state after these percepts, one by one."""
    state = state or LineState()
    for percept in percepts:
        state, _ = rules(**line)(state, percept)
    return state


# --- worse is never better ------------------------------------------------------------


def worsened(draw, one):
    """The part with one thing about it worse than before."""
    what = draw(st.sampled_from(["age", "quality", "another", "score", "size"]))
    if what == "age":
        return replace(one, age_ms=one.age_ms + draw(st.floats(0, 600)))
    if what == "quality":
        order = list(Quality)
        later = order[order.index(one.quality) :]
        return replace(one, quality=draw(st.sampled_from(later)))
    if what == "another":
        return replace(one, defects=(*one.defects, draw(DEFECTS)))
    assume(one.defects)
    first, *rest = one.defects
    if what == "score":
        score = st.just(nan) if isnan(first.score) else st.floats(first.score, 1)
        first = replace(first, score=draw(score))
    else:
        size = st.just(nan) if isnan(first.size_mm) else st.floats(first.size_mm, inf)
        first = replace(first, size_mm=draw(size))
    return replace(one, defects=(first, *rest))


@given(st.data(), PARTS, RECIPES)
def test_a_worse_part_never_gets_a_better_verdict(data, one, recipe):
    worse = worsened(data.draw, one)
    assert badness(decide(worse, recipe).verdict) >= badness(decide(one, recipe).verdict)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_a_line_of_worse_parts_never_stops_later(pairs):
    better = [part(n, [hole()] * bad) for n, (bad, _) in enumerate(pairs, 1)]
    worse = [part(n, [hole()] * (bad or more)) for n, (bad, more) in enumerate(pairs, 1)]
    if after(better).line_stop:
        assert after(worse).line_stop


@given(PARTS, RECIPES)
def test_only_a_good_picture_in_time_of_a_known_recipe_without_counted_defects_passes(
    one, recipe
):
    if decide(one, recipe).verdict is not Verdict.PASS:
        return
    assert one.quality is Quality.GOOD
    assert one.age_ms <= LINE.deadline_ms
    assert one.recipe_id == 1
    small = []
    for defect in one.defects:
        rule = recipe.rule(defect.kind)
        zones = {zone.rule for zone in recipe.zones if zone.holds(defect.centre_mm)}
        if defect.score < rule.hold_score or (zones == {"ignore"} and not isnan(defect.score)):
            continue
        assert "critical" not in zones
        assert defect.size_mm <= rule.tolerated_size_mm
        small.append(defect.kind)
    for kind in set(small):
        rule = recipe.rule(kind)
        assert rule.tolerated_size_mm == 0 or small.count(kind) <= rule.tolerated_count


@given(st.sampled_from(["sense", "perceive", "act"]), st.integers(0, 65_535))
def test_a_fault_never_passes(stage, part_id):
    decision = rules()(LineState(), Fault(stage, "camera", "no picture", f"7/{part_id}"))[1]
    assert decision.verdict is Verdict.NO_RESULT
    assert decision.part_id == part_id
    assert decision.reasons == (f"{stage}: no picture",)


@given(st.lists(PARTS, max_size=5), RECIPES)
def test_it_is_pure(parts, recipe):
    judge, state = rules(recipe), LineState()
    for one in parts:
        first, again = judge(state, one), judge(state, one)
        assert repr(first) == repr(again)  # NaN is not equal to itself, its text is
        state = first[0]


def test_the_state_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        LineState().line_stop = "now"


# --- one part -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "verdict", "reasons"),
    [
        ({}, Verdict.PASS, ()),
        ({"age_ms": 300.0}, Verdict.PASS, ()),
        ({"age_ms": 301.0}, Verdict.LATE, ("took 301 ms, allowed 300 ms",)),
        ({"age_ms": nan}, Verdict.LATE, ("took nan ms, allowed 300 ms",)),
        ({"quality": Quality.BAD, "reason": "black"}, Verdict.BAD_IMAGE, ("black",)),
        ({"quality": Quality.UNCERTAIN, "reason": "dim"}, Verdict.BAD_IMAGE, ("dim",)),
        ({"recipe_id": 9}, Verdict.NO_RESULT, ("recipe 9 is not known",)),
    ],
)
def test_the_verdict_on_a_part_without_defects(change, verdict, reasons):
    decision = decide(part(**change))
    assert (decision.verdict, decision.reasons) == (verdict, reasons)


def test_a_late_reject_says_both():
    decision = decide(part(defects=[hole()], age_ms=400.0))
    assert decision.verdict is Verdict.LATE
    assert decision.reasons[0].startswith("took 400 ms")
    assert decision.reasons[1].startswith("open 1.00 mm")


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.24, Verdict.PASS),
        (0.25, Verdict.HOLD),
        (0.39, Verdict.HOLD),
        (0.40, Verdict.REJECT),
        (nan, Verdict.REJECT),
    ],
)
def test_scores_from_nothing_to_reject(score, verdict):
    assert decide(part(defects=[hole(score)])).verdict is verdict


def test_the_worst_defect_decides_and_is_named_first():
    decision = decide(part(defects=[hole(0.3), hole(0.95, kind="short"), hole(0.5)]))
    assert decision.worst.kind == "short"
    assert [text.split()[0] for text in decision.reasons] == ["short", "open", "open"]


SMALL_ALLOWED = Recipe("board", default=KindRule(0.25, 0.4, 0.5, 2))


@pytest.mark.parametrize(
    ("sizes", "verdict"),
    [
        ([0.5], Verdict.PASS),
        ([0.5, 0.4], Verdict.PASS),
        ([0.5, 0.4, 0.1], Verdict.REJECT),
        ([0.51], Verdict.REJECT),
        ([nan], Verdict.REJECT),
        ([0.0], Verdict.REJECT),
        ([-0.1], Verdict.REJECT),
    ],
)
def test_small_defects_are_tolerated_up_to_a_number(sizes, verdict):
    found = [hole(size=size) for size in sizes]
    assert decide(part(defects=found), SMALL_ALLOWED).verdict is verdict


def test_too_many_of_one_kind_is_said_first():
    _, reasons, _ = judge_defects((hole(size=0.1),) * 3, SMALL_ALLOWED)
    assert reasons[0] == "3 × open, tolerated 2"


def test_kinds_are_counted_apart():
    found = [hole(size=0.1), hole(size=0.1), hole(size=0.1, kind="short")]
    assert decide(part(defects=found), SMALL_ALLOWED).verdict is Verdict.PASS


def zoned(*names):
    zones = {
        "critical": Zone("pads", 4.0, 4.0, 2.0, 2.0, "critical"),
        "ignore": Zone("edge", 4.0, 4.0, 4.0, 4.0, "ignore"),
    }
    return replace(SMALL_ALLOWED, zones=tuple(zones[name] for name in names))


@pytest.mark.parametrize(
    ("zones", "defect", "verdict"),
    [
        (["ignore"], hole(0.99, 9.0), Verdict.PASS),
        (["ignore"], hole(nan, 9.0), Verdict.REJECT),
        (["ignore"], hole(0.99, 9.0, at=(3.9, 5.0)), Verdict.REJECT),
        (["critical"], hole(0.26, 0.1), Verdict.REJECT),
        (["critical"], hole(0.24, 9.0), Verdict.PASS),
        (["critical", "ignore"], hole(0.26, 0.1), Verdict.REJECT),
        (["critical", "ignore"], hole(0.99, 9.0, at=(7.0, 7.0)), Verdict.PASS),
    ],
)
def test_zones(zones, defect, verdict):
    assert decide(part(defects=[defect]), zoned(*zones)).verdict is verdict


@given(DEFECTS, RECIPES)
def test_a_zone_holds_its_edges(defect, recipe):
    zone = Zone("pads", *defect.centre_mm, 0.0, 0.0, "critical")
    counted = grade(replace(defect, score=1.0), replace(recipe, zones=(zone,)))
    assert counted.name == "REJECT"


# --- the line -------------------------------------------------------------------------


def bad(part_id):
    return part(part_id, [hole()])


def test_rejects_in_a_row_stop_the_line():
    assert not after([bad(1), bad(2), part(3), bad(4), bad(5)]).line_stop
    state = after([bad(1), bad(2), bad(3)])
    assert state.line_stop == "3 parts rejected in a row"


def test_x_of_the_last_y_stops_the_line():
    mixed = [bad(n) if n % 2 else part(n) for n in range(1, 10)]
    assert not after(mixed[:8]).line_stop
    assert after(mixed).line_stop == "5 of the last 9 parts rejected"


def test_what_left_the_window_no_longer_counts():
    parts = [bad(1), bad(2), *map(part, range(3, 12)), bad(12), bad(13), part(14), bad(15)]
    assert not after(parts).line_stop


def test_whatever_is_no_pass_counts_as_rejected():
    fault = Fault("perceive", "model", "failed", "3/3")
    blind = part(1, quality=Quality.BAD, reason="black")
    assert after([blind, part(2, age_ms=999.0), fault]).line_stop


@given(st.lists(PARTS, max_size=10))
def test_a_stop_stays_until_it_is_reset(parts):
    stopped = LineState(line_stop="3 parts rejected in a row")
    assert after(parts, stopped).line_stop == stopped.line_stop
    _, decision = rules()(stopped, part(1))
    assert (decision.verdict, decision.line_stop) == (Verdict.PASS, stopped.line_stop)
    assert reset_line(stopped) == LineState()


def test_a_fault_that_cost_no_part_does_not_count():
    nothing = Fault("sense", "PLC", "no answer")
    assert after([nothing] * 20) == LineState()
    state = after([bad(1), bad(2)])
    assert after([nothing], state) == state


def test_a_running_challenge_survives_a_line_reset():
    state = start_challenge(after([bad(1), bad(2), bad(3)]), 2)
    assert reset_line(state).challenge == state.challenge


# --- challenge tests ------------------------------------------------------------------


HOLE = hole()


def piece(part_id, defects=(HOLE,), **changes):
    return part(part_id, defects, challenge=True, **changes)


def test_seeded_pieces_say_nothing_of_the_process():
    state = after([piece(n) for n in range(1, 20)], start_challenge(LineState(), 3))
    assert (state.consecutive_rejects, state.window, state.line_stop) == (0, (), "")


def test_a_challenge_passes_when_all_pieces_are_rejected_and_confirmed():
    state = after([piece(7)], start_challenge(LineState(), 2))
    assert state.challenge.outcome == "running"
    state = confirm(after([part(8), piece(9)], state), 7)
    assert state.challenge.outcome == "running"
    assert confirm(state, 8).challenge.outcome == "running"
    assert confirm(state, 9).challenge.outcome == "passed"


@pytest.mark.parametrize(
    "missed",
    [
        piece(9, ()),
        piece(9, age_ms=999.0),
        piece(9, quality=Quality.BAD, reason="black"),
        Fault("perceive", "model", "failed", "4/9/test"),
    ],
    ids=["passed", "late", "bad picture", "fault"],
)
def test_a_piece_that_was_not_recognised_fails_the_challenge_for_good(missed):
    state = after([missed], start_challenge(LineState(), 2))
    assert state.challenge.outcome == "failed"
    state = after([piece(10), piece(11)], state)
    assert confirm(confirm(state, 10), 11).challenge.outcome == "failed"
    assert start_challenge(state, 2).challenge.outcome == "running"


def test_a_challenge_that_was_ended_passes_no_more():
    state = end_challenge(after([piece(7)], start_challenge(LineState(), 2)))
    assert state.challenge.outcome == "incomplete"
    state = confirm(confirm(after([piece(9)], state), 7), 9)
    assert state.challenge.outcome == "incomplete"
    assert after([piece(10, ())], state).challenge.outcome == "failed"


def test_ending_changes_no_challenge_that_is_over():
    state = confirm(after([piece(7)], start_challenge(LineState(), 1)), 7)
    assert end_challenge(state) == state
    assert end_challenge(LineState()) == LineState()


def test_a_hold_is_a_caught_piece():
    state = after([piece(9, [hole(0.3)])], start_challenge(LineState(), 1))
    assert confirm(state, 9).challenge.outcome == "passed"


def test_a_fault_on_a_piece_moves_no_counter():
    fault = Fault("sense", "camera", "no picture", "4/9/test")
    state, decision = rules()(LineState(), fault)
    assert decision.challenge
    assert state == LineState()


def test_confirming_without_a_challenge_changes_nothing():
    assert confirm(LineState(), 5) == LineState()
