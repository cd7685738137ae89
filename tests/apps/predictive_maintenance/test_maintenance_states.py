"""Stopped, ramping, or steady in a bin of speed and load."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.predictive_maintenance.config import StateRules
from apps.predictive_maintenance.domain import Motion, Window
from apps.predictive_maintenance.states import denied, state_key, state_of

RULES = StateRules()
NOISE = np.random.default_rng(1).standard_normal((1, 500)).astype(np.float32)
WINDOW = Window("m", NOISE, 25_600.0, 100.0, 0.0, 1480.0, load=0.8)


def motion(before=None, rules=RULES, **changes):
    return state_of(replace(WINDOW, **changes), before, rules).motion


def test_a_standing_machine_is_stopped():
    assert motion(rpm=0.0) is Motion.STOPPED
    assert motion(rpm=-3.0) is Motion.STOPPED
    quiet = StateRules(stopped_rms_m_s2=2.0)
    assert motion(rules=quiet, rpm=None) is Motion.STOPPED
    assert motion(rpm=None) is Motion.STEADY


def test_ramping_within_the_window_and_since_the_last_one():
    assert motion(rpm_change=10.0) is Motion.STEADY
    assert motion(rpm_change=-60.0) is Motion.RAMPING
    earlier = replace(WINDOW, at_s=99.0, rpm=1400.0)
    assert motion(before=earlier) is Motion.RAMPING
    assert motion(before=replace(earlier, at_s=0.0)) is Motion.STEADY, "long ago"
    assert motion(before=replace(earlier, rpm=None)) is Motion.STEADY


def test_the_bin_says_what_it_is():
    assert state_of(WINDOW, None, RULES).key == "1467 r/min, load 88%"
    assert state_key(None, 0.1, RULES) == "load 12%"
    assert state_key(None, None, RULES) == "any"


def test_a_machine_that_shakes_as_when_it_runs_does_not_stand():
    still = replace(WINDOW, rpm=0.0)
    assert "its vibration that it runs" in denied(still, 0.9)
    assert denied(still, 1.2) == ""
    assert denied(replace(still, rpm=None), 0.9) == "", "its speed says nothing"


@settings(deadline=None)
@given(rpm=st.floats(30, 30_000), load=st.floats(0, 1))
def test_a_bin_s_centre_is_near_whatever_the_direction(rpm, load):
    centre = float(state_key(rpm, None, RULES).split()[0])
    assert centre == pytest.approx(rpm, rel=RULES.speed_bin)
    assert state_key(-rpm, load, RULES) == state_key(rpm, load, RULES)
