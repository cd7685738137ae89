"""Windows in, health out: what may not be judged says so, the other machines go on."""

from dataclasses import replace

import numpy as np
import pytest

from apps.predictive_maintenance.domain import Motion
from common.ports import Sample
from common.quality import Quality


def judge(perceive, rotors, numbers, asset="m0", **options):
    found = []
    for number in numbers:
        (health,), _ = perceive.look((rotors.window(asset, number, **options),))
        found.append(health)
    return found


def test_a_healthy_machine_is_like_itself(rotors, baseline):
    perceive = rotors.perceive()
    perceive.use(baseline)
    found = judge(perceive, rotors, range(100, 130))
    assert all(health.judged and health.quality is Quality.GOOD for health in found)
    assert found[3].signature is None
    assert "4 of 5 windows" in found[3].reason
    assert all(health.signature < 1 and health.reconstruction < 1 for health in found[4:])
    last = found[-1]
    assert last.velocity_mm_s == pytest.approx(last.velocity_baseline, rel=0.3)
    assert last.acceleration_m_s2 < last.acceleration_usual
    assert last.lines[0].db < 6


@pytest.mark.parametrize("damage", ["outer_race", "inner_race", "unbalance", "lubrication"])
def test_a_damaged_machine_is_not(rotors, baseline, damage):
    perceive = rotors.perceive()
    perceive.use(baseline)
    last = judge(perceive, rotors, range(200, 206), damage=damage, severity=0.3)[-1]
    assert last.signature > 1.5
    change = last.changes[0]
    assert change.db > 3
    assert change.low_hz < change.high_hz


def test_an_outer_race_is_named(rotors, baseline):
    perceive = rotors.perceive()
    last = judge(perceive, rotors, [300], damage="outer_race", severity=0.2)[-1]
    assert last.lines[0].fault == "BPFO"
    assert last.lines[0].db > 8


def test_a_machine_that_turns_the_other_way_has_the_same_lines(rotors):
    hurt = {"damage": "outer_race", "severity": 0.2}
    rpm = rotors.window("m0", 300).rpm
    (there,) = judge(rotors.perceive(), rotors, [300], **hurt)
    (back,) = judge(rotors.perceive(), rotors, [300], rpm=-rpm, **hurt)
    assert back.lines == there.lines


def test_without_a_baseline_levels_are_still_measured(rotors):
    (health,) = judge(rotors.perceive(), rotors, [1])
    assert health.judged
    assert health.reason == "no baseline"
    assert health.velocity_mm_s > 0.1
    assert health.signature is None
    assert health.velocity_baseline is None


def test_a_state_that_was_never_learned_has_no_distance(rotors, baseline):
    perceive = rotors.perceive()
    perceive.use(baseline)
    (health,) = judge(perceive, rotors, [1], load=0.1)
    assert health.judged
    assert health.reason == "state was never learned"
    assert health.signature is None


def test_a_sensor_of_another_rate_does_not_fit_the_baseline(rotors, baseline):
    perceive = rotors.perceive()
    perceive.use(baseline)
    (health,) = judge(perceive, rotors, [1], fs_hz=5000.0)
    assert health.reason == "does not fit its baseline"
    (health,) = judge(
        perceive, rotors, [2], acceleration=rotors.window("m0", 2).acceleration[:1]
    )
    assert health.reason == "does not fit its baseline"


def test_bad_windows_are_marked_and_the_others_go_on(rotors):
    good, other = rotors.window("m0", 1), rotors.window("m1", 1)
    broken = other.acceleration.copy()
    broken[1, 7] = np.nan
    ghost = replace(other, asset="ghost")
    late = replace(rotors.window("m2", 1), quality=Quality.BAD, reason="half a payload")
    again = replace(good, at_s=good.at_s + 1)
    batch = (good, replace(other, acceleration=broken), ghost, late, again)
    found = rotors.perceive()(Sample("1", batch, 1, 0.0, 0.0))
    assert [health.quality for health in found] == [Quality.GOOD] + [Quality.BAD] * 4
    assert [health.judged for health in found] == [True] + [False] * 4
    assert found[1].reason == "axis 2: holds NaN or infinity"
    assert found[2].reason == "asset is not known"
    assert found[3].reason == "half a payload"
    assert found[4].reason == "a second window of this asset in one batch"


def test_numbers_beyond_single_precision_and_both_infinities_are_refused(rotors):
    for wrong in ([1e300], [np.inf, -np.inf]):
        samples = rotors.window("m0", 1).acceleration.astype(np.float64)
        samples[0, : len(wrong)] = wrong
        (health,) = judge(rotors.perceive(), rotors, [1], acceleration=samples)
        assert health.reason == "axis 1: holds NaN or infinity"


def test_time_does_not_go_backwards(rotors):
    perceive = rotors.perceive()
    judge(perceive, rotors, [5])
    (health,) = judge(perceive, rotors, [4])
    assert health.quality is Quality.BAD
    assert "600 s older" in health.reason


def test_stopped_and_ramping_machines_are_not_judged(rotors):
    perceive = rotors.perceive()
    ramping = judge(perceive, rotors, range(10), rpm_change=200.0)
    assert {health.state.motion for health in ramping} == {Motion.RAMPING}
    stopped = judge(perceive, rotors, [11], rpm=0.0)
    assert not any(health.judged for health in (*ramping, *stopped))
    assert stopped[0].quality is Quality.GOOD


def test_a_speed_that_stands_denied_by_vibration_is_a_broken_sensor(rotors, baseline):
    perceive = rotors.perceive()
    (unlearned,) = judge(perceive, rotors, [1], rpm=0.0)
    assert unlearned.state.motion is Motion.STOPPED, "how it runs is not known yet"
    perceive.use(baseline)
    hurt = {"damage": "unbalance", "severity": 0.5}
    (loud,) = judge(perceive, rotors, [2], rpm=0.0, **hurt)
    assert (loud.quality, loud.judged) == (Quality.BAD, False)
    assert "its speed says that it stands" in loud.reason
    quiet = np.float32(0.3) * rotors.window("m0", 3).acceleration
    (still,) = judge(perceive, rotors, [3], rpm=0.0, acceleration=quiet)
    assert (still.quality, still.state.motion) == (Quality.GOOD, Motion.STOPPED)


def test_the_very_same_samples_again_are_a_stuck_sensor(rotors):
    perceive = rotors.perceive()
    stuck = rotors.window("m0", 1).acceleration
    found = judge(perceive, rotors, [1, 2, 3], acceleration=stuck)
    assert [health.judged for health in found] == [True, False, False]
    assert "the sensor is stuck" in found[1].reason
    (other,) = judge(perceive, rotors, [1], asset="m1", acceleration=stuck)
    assert other.judged, "what another machine sent"
    (again,) = judge(perceive, rotors, [4])
    assert again.judged


def test_lengths_rates_and_axes_may_be_mixed_in_a_batch(rotors):
    odd = rotors.window("m1", 1)
    short = replace(odd, acceleration=odd.acceleration[:1, :1001])
    whole, third = rotors.window("m0", 1), rotors.window("m2", 1)
    together, _ = rotors.perceive().look((whole, short, third))
    alone, _ = rotors.perceive().look((whole,))
    assert all(health.judged for health in together)
    assert together[0].velocity_mm_s == pytest.approx(alone[0].velocity_mm_s, rel=1e-5)
    assert together[1].duration_s == pytest.approx(1001 / 12_800)


def test_louder_than_normal_is_never_nearer_to_normal(rotors, baseline):
    ratios = []
    for gain in (1.0, 1.3, 1.6, 2.0, 4.0):
        perceive = rotors.perceive()
        perceive.use(baseline)
        for number in range(5):
            window = rotors.window("m0", number)
            window = replace(window, acceleration=np.float32(gain) * window.acceleration)
            (health,), _ = perceive.look((window,))
        ratios.append((health.signature, health.velocity_mm_s, health.acceleration_m_s2))
    assert ratios == sorted(ratios)
    assert ratios[-1][0] > 1


def test_one_inference_serves_all_machines(rotors, model, runtime):
    perceive = rotors.perceive(model)
    for asset in rotors.machines:
        perceive.use(rotors.baseline(asset, model=model))
    runtime.batches.clear()
    for number in range(100, 105):
        batch = tuple(rotors.window(asset, number) for asset in rotors.machines)
        found, _ = perceive.look(batch)
    assert runtime.batches == [3 * rotors.axes] * 2, "from the fourth window on"
    assert all(0 < health.sequence < 1 for health in found)


def test_a_limit_learned_with_another_network_is_not_used(rotors, model):
    perceive = rotors.perceive(model)
    perceive.use(replace(rotors.baseline(model=model), model="older 0.9"))
    last = judge(perceive, rotors, range(100, 110))[-1]
    assert last.signature is not None
    assert last.sequence is None
