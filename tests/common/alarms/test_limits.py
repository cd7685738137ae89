"""Limits with deadbands."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.alarms.limits import Limit, passed

VALUES = st.floats(-1e6, 1e6)
HOT = Limit(90.0, deadband=2.0)
COLD = Limit(5.0, "low", deadband=1.0)


@pytest.mark.parametrize(
    ("limit", "value", "was", "now"),
    [
        (HOT, 90.0, False, False),
        (HOT, 90.1, False, True),
        (HOT, 89.0, True, True),
        (HOT, 88.1, True, True),
        (HOT, 88.0, True, False),
        (HOT, 89.0, False, False),
        (COLD, 5.0, False, False),
        (COLD, 4.9, False, True),
        (COLD, 5.9, True, True),
        (COLD, 6.0, True, False),
        (COLD, 5.5, False, False),
    ],
)
def test_a_limit_and_its_deadband(limit, value, was, now):
    assert passed(limit, value, was) is now


@pytest.mark.parametrize("value", [None, math.nan])
@pytest.mark.parametrize("was", [True, False])
def test_no_value_changes_nothing(value, was):
    assert passed(HOT, value, was) is was
    assert passed(COLD, value, was) is was


@settings(deadline=None)
@given(st.builds(Limit, VALUES, st.sampled_from(["high", "low"]), st.floats(0, 1e3)), VALUES)
def test_without_having_been_abnormal_the_deadband_says_nothing(limit, value):
    assert passed(limit, value, False) == passed(Limit(limit.value, limit.side), value, False)


@settings(deadline=None)
@given(VALUES, st.floats(0, 1e3), VALUES, st.booleans())
def test_high_and_low_mirror_each_other(value, deadband, seen, was):
    high, low = Limit(value, "high", deadband), Limit(-value, "low", deadband)
    assert passed(high, seen, was) == passed(low, -seen, was)


@settings(deadline=None)
@given(VALUES, st.floats(0, 1e3), VALUES, st.floats(0, 1e3), st.booleans())
def test_a_worse_value_is_never_less_abnormal(value, deadband, seen, worse, was):
    limit = Limit(value, "high", deadband)
    assert passed(limit, seen + worse, was) >= passed(limit, seen, was)


@settings(deadline=None)
@given(VALUES, st.floats(1.0, 1e3), st.lists(st.floats(-0.49, 0.49), min_size=2))
def test_noise_smaller_than_the_deadband_never_chatters(value, deadband, noise):
    assume(abs(value) < 1e5)
    limit, active, changes = Limit(value, "high", deadband), False, 0
    for part in noise:
        now = passed(limit, value + part * deadband, active)
        changes, active = changes + (now != active), now
    assert changes <= 1


@pytest.mark.parametrize(
    ("value", "side", "deadband"),
    [(math.nan, "high", 0.0), (1.0, "above", 0.0), (1.0, "high", -1.0), (1.0, "low", math.inf)],
)
def test_a_limit_that_makes_no_sense_is_refused(value, side, deadband):
    with pytest.raises(ValueError, match=r"side|finite"):
        Limit(value, side, deadband)
