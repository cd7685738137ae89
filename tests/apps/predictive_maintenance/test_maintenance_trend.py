"""Remaining time: known slopes give known times, noise gives none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.predictive_maintenance.config import DecideRules, Machine
from apps.predictive_maintenance.decide import Rules
from apps.predictive_maintenance.domain import Health, Motion, OperatingState
from apps.predictive_maintenance.trend import Track, seconds_until, slope_of
from common.quality import Quality


def points(slope, count=20, noise=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return tuple(
        (10.0 * at, slope * 10.0 * at + noise * rng.standard_normal()) for at in range(count)
    )


def test_a_line_has_its_slope_and_its_time():
    slope = slope_of(points(0.01))
    assert slope.middle == pytest.approx(0.01)
    assert slope.level == pytest.approx(1.9)
    assert seconds_until(slope, 2.9) == pytest.approx((100.0, 100.0, 100.0))
    assert seconds_until(slope, 1.0) == (0.0, 0.0, 0.0)


def test_the_interval_holds_the_truth_nine_times_in_ten_and_grows_with_noise():
    slopes = [slope_of(points(0.01, noise=0.1, seed=seed)) for seed in range(100)]
    assert 80 <= sum(slope.low <= 0.01 <= slope.high for slope in slopes) <= 98
    wild = slope_of(points(0.01, noise=0.3))
    assert wild.high - wild.low > slopes[1].high - slopes[1].low
    best, early, late = seconds_until(slopes[1], 3.0)
    assert early < best < late


def test_noise_a_fall_and_too_few_points_are_no_trend():
    flat = sum(slope_of(points(0.0, noise=1.0, seed=seed)) is not None for seed in range(200))
    assert flat <= 35, "about one in ten"
    assert seconds_until(slope_of(points(-0.01)), 5.0) is None
    assert slope_of(points(0.01, count=7)) is None
    assert slope_of(((0.0, 1.0),) * 9) is None, "all at one time"


def test_one_wild_point_makes_no_trend():
    still = [(10.0 * at, 0.01 * (at % 2)) for at in range(20)]
    still[-1] = (190.0, 100.0)
    assert slope_of(tuple(still)) is None


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=200))
def test_a_track_keeps_means_of_whole_blocks(values):
    track = Track()
    for at, value in enumerate(values):
        track = track.add(float(at), value, block_s=10.0, blocks=5)
    whole = len(values) // 10 if len(values) % 10 else len(values) // 10 - 1
    assert len(track.points) == min(5, whole)
    if track.points:
        last = whole * 10
        assert track.points[-1][1] == pytest.approx(np.mean(values[last - 10 : last]), abs=1e-9)


def outlook(levels, **changes):
    rules = Rules({"m": Machine()}, DecideRules(trend_block_s=3600.0))
    state = {}
    for at, level in enumerate(levels):
        health = Health(
            "m", 1800.0 * at, 0.0, Quality.GOOD, "", OperatingState(Motion.STEADY, "any"),
            judged=True, velocity_mm_s=1.0, velocity_baseline=1.0,
            acceleration_m_s2=level, acceleration_baseline=1.0, **changes,
        )  # fmt: skip
        state, (decision,) = rules(state, (health,))
    return decision.outlook


def test_the_next_limit_is_reached_when_growth_says_so():
    rate = np.log(2.5) / 100  # per hour: from the baseline to PLAN in a hundred hours
    found = outlook([np.exp(rate * at / 2) for at in range(80)])
    assert found.kind == "acceleration"
    assert found.limit == pytest.approx(2.5)
    assert found.hours == pytest.approx(61, abs=2)
    assert found.hours_low <= found.hours <= found.hours_high


def test_no_trend_is_said_as_none():
    rng = np.random.default_rng(2)
    assert outlook(1 + 0.05 * rng.standard_normal(80)) is None
    assert outlook(np.linspace(2, 1, 80)) is None
    assert outlook([1.0, 2.0]) is None
