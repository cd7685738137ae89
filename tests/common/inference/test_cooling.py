"""Heat lowers the rate: never faster when hotter, slowly up again, never below the least."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.inference.cooling import Cooling, FrameRate

HOT = {"throttled": True, "throttle_reasons": ["gpu-throttle-alert"], "temperature_c": 90.0}
WELL = {"throttled": False, "throttle_reasons": [], "temperature_c": 50.0}
SILENT = {"throttled": None, "temperature_c": None}
SETTINGS = Cooling(steps=3, slower_s=10.0, faster_s=60.0, least_fps=5.0)


def rate_after(host, seconds, rate=None, settings=SETTINGS, start=0.0):
    """Looked at each half second; the rate and the time after it."""
    rate = rate or FrameRate(settings)
    now = start
    while now <= start + seconds:
        rate.look(now, host)
        now += 0.5
    return rate


def test_a_cool_device_and_one_that_tells_nothing_look_at_everything():
    for host in (WELL, SILENT, {}):
        rate = rate_after(host, 600)
        assert (rate.level, rate.fps(15.0), rate.slowdown(15.0)) == (0, 15.0, 1.0)
        assert rate.reason == ""


def test_heat_costs_a_step_at_once_and_then_one_by_one_down_to_the_least():
    rate = FrameRate(SETTINGS)
    rate.look(0.0, HOT)
    assert rate.level == 1
    assert 10 < rate.fps(15.0) < 15
    assert rate.reason == "gpu-throttle-alert: pictures reduced, step 1 of 3"
    assert rate_after(HOT, 10.5, rate, start=0.5).level == 2
    assert rate_after(HOT, 300, rate, start=11.0).fps(15.0) == pytest.approx(5.0)
    assert rate.slowdown(15.0) == pytest.approx(3.0)


def test_a_camera_that_is_slower_than_the_least_stays_as_it_is():
    rate = rate_after(HOT, 300)
    assert rate.fps(4.0) == 4.0


def test_it_recovers_step_by_step_and_wholly():
    rate = rate_after(HOT, 300)
    levels = []
    for n in range(1, 400):
        rate.look(300.5 + n / 2, WELL)
        levels.append(rate.level)
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == 3, "not at the first cool breath"
    assert levels[-1] == 0
    assert rate.fps(15.0) == 15.0


def test_at_the_limit_the_rate_does_not_follow_each_switch():
    rate = rate_after(HOT, 20.0)
    changes, last, now = 0, rate.level, 20.5
    for n in range(1200):
        rate.look(now, HOT if n % 7 == 0 else WELL)
        changes += rate.level != last
        last, now = rate.level, now + 0.5
    assert changes <= 4


def test_a_temperature_is_hot_above_the_limit_and_cool_below_the_band():
    settings = Cooling(hot_c=80.0, band_c=5.0)
    rate = FrameRate(settings)
    rate.look(0.0, {"temperature_c": 80.0})
    assert rate.level == 1
    assert rate.reason.startswith("80 °C")
    assert rate_after({"temperature_c": 76.0}, 3600, rate, start=1.0).level == 1
    assert rate_after({"temperature_c": 75.0}, 120, rate, start=4000.0).level == 0


def test_a_pause_of_the_station_is_no_long_heat():
    rate = FrameRate(SETTINGS)
    rate.look(0.0, HOT)
    rate.look(3600.0, HOT)
    assert rate.level == 1


def test_the_snapshot_says_how_far_it_is():
    rate = FrameRate(SETTINGS)
    rate.look(0.0, HOT)
    assert rate.document(15.0) == {
        "level": 1, "steps": 3, "fps": 10.4, "full_fps": 15.0, "reason": rate.reason,
    }  # fmt: skip


def test_settings_that_would_swing_are_refused():
    with pytest.raises(ValueError, match="faster_s below slower_s"):
        Cooling(slower_s=60.0, faster_s=10.0)


DEGREES = st.floats(20.0, 110.0)
HISTORY = st.lists(st.tuples(st.floats(0.05, 20.0), DEGREES, st.floats(0.0, 40.0)), max_size=80)


@given(HISTORY)
def test_never_faster_when_hotter(history):
    """Two devices looked at at the same times, one always at least as hot as the other."""
    settings = Cooling(hot_c=80.0, band_c=5.0, slower_s=5.0, faster_s=20.0)
    cooler, hotter, now = FrameRate(settings), FrameRate(settings), 0.0
    for passed, degrees, more in history:
        now += passed
        cooler.look(now, {"temperature_c": degrees})
        hotter.look(now, {"temperature_c": degrees + more})
        assert hotter.fps(15.0) <= cooler.fps(15.0)
        assert 5.0 - 1e-9 <= hotter.fps(15.0) <= 15.0


@given(HISTORY)
def test_after_any_history_it_recovers(history):
    settings = Cooling(hot_c=80.0, band_c=5.0, slower_s=5.0, faster_s=20.0)
    rate, now = FrameRate(settings), 0.0
    for passed, degrees, _ in history:
        now += passed
        rate.look(now, {"temperature_c": degrees})
    assert rate_after({"temperature_c": 30.0}, 61.0, rate, start=now + 0.5).level == 0
