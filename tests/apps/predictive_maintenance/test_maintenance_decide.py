"""The rules: more vibration never gets a better verdict, and nothing is said too soon."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.predictive_maintenance.config import DecideRules, Machine
from apps.predictive_maintenance.decide import (
    Memory,
    Rules,
    acknowledge,
)
from apps.predictive_maintenance.domain import (
    BearingLine,
    Health,
    Motion,
    OperatingState,
    Verdict,
)
from apps.predictive_maintenance.limits import readings, severity
from common.pipeline import Fault
from common.quality import Quality

RULES = DecideRules(persist_readings=3, clear_readings=4)
FAN = Machine(kind="fan", power_kw=90.0, group=2)
RIG = Machine(kind="rig")
PLANT = Rules({"fan": FAN, "rig": RIG}, RULES)
STEADY = OperatingState(Motion.STEADY, "1467 r/min")
GOOD = Health(
    "fan", 0.0, 0.0, Quality.GOOD, "", STEADY, judged=True, duration_s=1.0,
    fs_hz=12_800.0, rpm=1480.0, velocity_mm_s=1.0, acceleration_m_s2=2.0,
    velocity_baseline=1.0, acceleration_baseline=2.0, kurtosis=3.0, kurtosis_baseline=3.4,
    signature=0.5, sequence=0.5,
)  # fmt: skip


def line(db):
    return (BearingLine("BPFO", 88.0, db),)


def run(*windows, state=None, rules=PLANT):
    """The decisions on windows of one machine, one after the other, a minute apart."""
    state, decisions = state or {}, []
    for number, window in enumerate(windows):
        moved = replace(window, at_s=60.0 * number)
        state, (decision,) = rules(state, (moved,))
        decisions.append(decision)
    return state, decisions


def verdict(window, times=3, **options):
    return run(*[window] * times, **options)[1][-1].verdict


# ------------------------------------------------------------------------- each evidence


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({}, Verdict.RUN),
        ({"velocity_mm_s": 1.7}, Verdict.RUN),
        ({"velocity_mm_s": 1.71}, Verdict.PLAN),
        ({"velocity_mm_s": 4.5}, Verdict.PLAN),
        ({"velocity_mm_s": 4.51}, Verdict.STOP),
        ({"velocity_mm_s": math.nan}, Verdict.STOP),
        ({"velocity_baseline": None, "velocity_mm_s": 2.8}, Verdict.RUN),
        ({"velocity_baseline": None, "velocity_mm_s": 2.81}, Verdict.PLAN),
        ({"acceleration_m_s2": 5.1}, Verdict.PLAN),
        ({"acceleration_m_s2": 50.0}, Verdict.PLAN),
        ({"kurtosis": 5.1}, Verdict.WATCH),
        ({"kurtosis": 8.0, "kurtosis_baseline": 9.0}, Verdict.RUN),
        ({"signature": 1.1}, Verdict.WATCH),
        ({"signature": 100.0}, Verdict.WATCH),
        ({"sequence": 1.3}, Verdict.WATCH),
        ({"sequence": None, "signature": None}, Verdict.RUN),
        ({"lines": line(6.5)}, Verdict.WATCH),
        ({"lines": line(5.5)}, Verdict.RUN),
        ({"lines": line(6.5), "signature": 1.1}, Verdict.PLAN),
        ({"kurtosis": 6.0, "sequence": 1.3}, Verdict.PLAN),
        ({"kurtosis": 6.0, "lines": line(7.0)}, Verdict.WATCH),
    ],
)
def test_what_each_figure_asks_for(changes, asks):
    assert verdict(replace(GOOD, **changes)) is asks


def test_outside_the_standard_the_own_baseline_decides():
    rig = replace(GOOD, asset="rig", duration_s=0.1)
    assert verdict(replace(rig, velocity_mm_s=2.4)) is Verdict.RUN
    assert verdict(replace(rig, velocity_mm_s=2.6)) is Verdict.PLAN
    assert verdict(replace(rig, acceleration_m_s2=16.1)) is Verdict.STOP
    bare = replace(rig, velocity_baseline=None, acceleration_baseline=None)
    assert verdict(replace(bare, velocity_mm_s=99.0)) is Verdict.RUN, "no limit is known"


@pytest.mark.parametrize("part", [{"rpm": 500.0}, {"fs_hz": 512.0}])
@pytest.mark.parametrize(
    ("velocity", "baseline", "asks"),
    [
        (1.5, None, Verdict.RUN),
        (4.6, None, Verdict.STOP),
        (0.5, 0.1, Verdict.PLAN),
        (0.9, 0.1, Verdict.STOP),
        (4.6, 1.0, Verdict.STOP),
    ],
)
def test_a_part_of_the_band_has_no_zone_and_the_limits_of_both(part, velocity, baseline, asks):
    window = replace(GOOD, velocity_mm_s=velocity, velocity_baseline=baseline, **part)
    _, decisions = run(*[window] * 3)
    assert (decisions[-1].verdict, decisions[-1].zone) == (asks, "")


def test_a_temperature_has_its_machine_s_own_limit():
    hot = replace(GOOD, temperature_c=96.0)
    assert verdict(hot) is Verdict.RUN
    limited = Rules({"fan": replace(FAN, temperature_alarm_c=95.0)}, RULES)
    assert verdict(hot, rules=limited) is Verdict.PLAN
    assert verdict(replace(hot, temperature_c=95.0), rules=limited) is Verdict.RUN


def test_an_advisory_score_can_be_switched_off_or_weighed():
    odd = replace(GOOD, sequence=1.4)
    silent = Rules({"fan": FAN}, replace(RULES, sequence_weight=0.0))
    light = Rules({"fan": FAN}, replace(RULES, sequence_weight=0.5))
    assert verdict(odd) is Verdict.WATCH
    assert verdict(odd, rules=silent) is Verdict.RUN
    assert verdict(odd, rules=light) is Verdict.RUN


def test_the_evidence_is_named_worst_first_and_in_words():
    _, decisions = run(*[replace(GOOD, velocity_mm_s=5.0, lines=line(9.0))] * 3)
    decision = decisions[-1]
    assert decision.evidence[0].verdict is Verdict.STOP
    assert "velocity 5 mm/s, limit 4.5" in decision.evidence[0].sentence
    assert any("BPFO at 88.0 Hz" in e.sentence for e in decision.evidence)
    assert decision.zone == "D"
    assert run(GOOD)[1][0].evidence == ()


def test_zones_are_given_only_in_scope_and_say_why_not():
    _, (decision,) = run(GOOD)
    assert (decision.zone, decision.zone_reason) == ("A", "")
    _, (decision,) = run(replace(GOOD, duration_s=0.1))
    assert decision.zone == ""
    assert "0.1 s" in decision.zone_reason


# ----------------------------------------------------------------- persistence, hysteresis

HIGH = replace(GOOD, velocity_mm_s=2.0)
LOW = replace(GOOD, velocity_mm_s=1.0)
BETWEEN = replace(GOOD, velocity_mm_s=1.6)  # under the limit of 1.7, above 90 % of it


def ranks(*windows):
    return [decision.verdict.rank for decision in run(*windows)[1]]


def test_one_odd_reading_says_nothing():
    assert ranks(HIGH, HIGH, LOW, HIGH, HIGH, LOW) == [0] * 6
    assert ranks(HIGH, HIGH, HIGH) == [0, 0, 2]


def test_a_verdict_is_taken_back_only_after_many_readings_well_below():
    assert ranks(*[HIGH] * 3, *[BETWEEN] * 9)[-1] == 2
    assert ranks(*[HIGH] * 3, *[LOW] * 3) == [0, 0, 2, 2, 2, 2]
    assert ranks(*[HIGH] * 3, *[LOW] * 4)[-1] == 0
    assert ranks(*[HIGH] * 3, *[LOW] * 3, BETWEEN, *[LOW] * 3)[-1] == 2


def test_a_figure_that_is_missing_for_a_while_keeps_its_evidence():
    state, _ = run(*[replace(GOOD, lines=line(9.0))] * 3)
    _, decisions = run(*[GOOD] * 8, state=state)
    assert decisions[-1].verdict is Verdict.WATCH
    assert "BPFO" in decisions[-1].evidence[0].sentence


def test_stop_stays_until_somebody_says_that_they_know():
    state, _ = run(*[replace(GOOD, velocity_mm_s=5.0)] * 3)
    state, decisions = run(*[LOW] * 10, state=state)
    assert decisions[-1].verdict is Verdict.STOP
    assert decisions[-1].latched
    _, decisions = run(LOW, state=acknowledge(state, "fan"))
    assert decisions[-1].verdict is Verdict.RUN
    assert acknowledge(state, "nobody") == state


def test_acknowledged_but_still_there_is_still_stop():
    bad = replace(GOOD, velocity_mm_s=5.0)
    state, _ = run(*[bad] * 3)
    state, decisions = run(bad, state=acknowledge(state, "fan"))
    assert decisions[-1].verdict is Verdict.STOP
    assert not decisions[-1].latched
    state, decisions = run(*[LOW] * 10, state=state)
    assert decisions[-1].verdict is Verdict.RUN
    assert run(*[bad] * 3, state=state)[1][-1].latched


def test_another_reason_to_stop_is_not_acknowledged_with_the_first():
    shaken = replace(GOOD, asset="rig", velocity_mm_s=50.0)
    state, decisions = run(*[shaken] * 3)
    assert decisions[-1].latched
    worse = replace(shaken, acceleration_m_s2=100.0)
    _, decisions = run(*[worse] * 3, state=acknowledge(state, "rig"))
    assert [d.latched for d in decisions] == [False, False, True]


# ------------------------------------------------------------------------ what is not judged


@pytest.mark.parametrize(
    "window",
    [
        replace(GOOD, judged=False, quality=Quality.BAD, reason="flat line"),
        replace(GOOD, judged=False, state=OperatingState(Motion.RAMPING, "ramping")),
    ],
)
def test_a_window_that_is_not_judged_changes_nothing_and_says_so(window):
    _, (decision,) = run(window)
    assert decision.verdict is Verdict.UNKNOWN
    assert not decision.judged
    assert decision.reason in ("flat line", "ramping")
    before, _ = run(*[HIGH] * 3)
    after, (decision,) = run(window, state=before)
    assert after == before
    assert decision.verdict is Verdict.PLAN


def test_an_unknown_asset_and_a_fault_are_said_for_what_they_are():
    _, (decision,) = run(replace(GOOD, asset="ghost"))
    assert (decision.verdict, decision.reason) == (Verdict.UNKNOWN, "asset is not known")
    state, _ = run(*[HIGH] * 3)
    after, (decision,) = PLANT(state, Fault("perceive", "model", "inference failed"))
    assert after == state
    assert (decision.asset, decision.verdict) == ("fan", Verdict.PLAN)
    assert decision.reason == "perceive: inference failed"


def test_machines_of_a_batch_do_not_touch_each_other():
    state = {}
    for _ in range(3):
        state, decisions = PLANT(state, (HIGH, replace(GOOD, asset="rig")))
    assert [d.verdict for d in decisions] == [Verdict.PLAN, Verdict.RUN]
    assert state["rig"] != Memory()


# --------------------------------------------------------------------------------- the law

FIGURES = {
    "velocity_mm_s": st.floats(0, 8),
    "acceleration_m_s2": st.floats(0, 30),
    "kurtosis": st.floats(1, 20),
    "signature": st.floats(0, 3),
    "sequence": st.floats(0, 3),
    "db": st.floats(-5, 20),
}
WINDOW = st.fixed_dictionaries(FIGURES)
MORE = st.fixed_dictionaries({name: st.floats(0, 6) for name in FIGURES})


def window(figures, asset):
    values = dict(figures)
    return replace(GOOD, asset=asset, lines=line(values.pop("db")), **values)


@settings(deadline=None)
@given(
    pairs=st.lists(st.tuples(WINDOW, MORE), min_size=1, max_size=25),
    asset=st.sampled_from(["fan", "rig"]),
    known=st.booleans(),
)
def test_more_vibration_never_gets_a_better_verdict(pairs, asset, known):
    less = [window(figures, asset) for figures, _ in pairs]
    more = [
        window({name: value + extra[name] for name, value in figures.items()}, asset)
        for figures, extra in pairs
    ]
    if not known:
        less, more = ([replace(w, velocity_baseline=None) for w in ws] for ws in (less, more))
    for calm, loud in zip(run(*less)[1], run(*more)[1], strict=True):
        assert loud.verdict.rank >= calm.verdict.rank
        assert loud.severity >= calm.severity


@settings(deadline=None)
@given(figures=WINDOW)
def test_severity_is_above_one_exactly_when_some_limit_is_passed(figures):
    found = readings(window(figures, "fan"), FAN, RULES)
    over = any(r.value > limit for r in found for limit in r.limits.values())
    assert (severity(found) > 1) == over
