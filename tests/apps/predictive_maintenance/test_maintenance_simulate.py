"""The plant in software: the same again from the same seed, and the truth as it says."""

import numpy as np
import pytest

from apps.predictive_maintenance.config import DAMAGE, Simulation
from apps.predictive_maintenance.rotor import Running, draw_rotor, waveform
from apps.predictive_maintenance.simulate import (
    STEP_S,
    WEEK_S,
    Damage,
    SimulatedMachine,
    SimulatedPlant,
)
from common.inference.waveforms import WaveformPlan

FS, SAMPLES = 25_600.0, 25_600


def test_any_window_can_be_made_again():
    one, other = (SimulatedMachine(7, 3) for _ in range(2))
    for at in (0.0, 12_345.6, 3 * WEEK_S):
        first, second = one.window(at, samples=1000), other.window(at, samples=1000)
        assert np.array_equal(first.acceleration, second.acceleration)
        assert (first.rpm, first.load) == (second.rpm, second.load)
    assert not np.array_equal(one.window(1.0).acceleration, one.window(2.0).acceleration)


def test_a_week_holds_changing_speed_and_load_ramps_and_rest():
    machines = [SimulatedMachine(7, number) for number in range(6)]
    found = [m.conditions(step * STEP_S) for m in machines for step in range(0, 1008, 3)]
    speeds = {round(c.rpm, -2) for c in found}
    assert 0 in speeds
    assert len(speeds) > 6
    assert any(c.rpm_change > 0.02 * c.rpm for c in found if c.rpm)
    assert 0.05 <= min(c.load for c in found) < 0.5
    assert 0.9 < max(c.load for c in found) <= 1.0


def test_healthy_machines_stand_in_zone_a_or_b():
    plan = WaveformPlan(SAMPLES, FS)
    for number in range(8):
        machine = SimulatedMachine(7, number)
        at = next(s * STEP_S for s in range(500) if machine.conditions(s * STEP_S).rpm > 0)
        velocity = plan.measure(machine.window(at).acceleration).velocity_rms.max()
        assert 0.05 < velocity < 2.8


def levels(damage, severity, seed=4):
    rng = np.random.default_rng(seed)
    rotor = draw_rotor(rng)
    running = Running(rotor.nominal_rpm, 0.8, (0.0, 0.0), damage, severity)
    return WaveformPlan(SAMPLES, FS).measure(waveform(rotor, running, FS, (2, SAMPLES), rng))


@pytest.mark.parametrize("damage", [d for d in DAMAGE if d != "gear"])
def test_damage_shows_where_it_should(damage):
    healthy, worn = levels("", 0.0), levels(damage, 0.5)
    if damage in ("unbalance", "misalignment"):
        assert worn.velocity_rms[0] > 2 * healthy.velocity_rms[0]
    elif damage == "lubrication":
        assert worn.rms[0] > 1.3 * healthy.rms[0]
        assert worn.kurtosis[0] < 3.5
    else:
        assert worn.kurtosis[0] > healthy.kurtosis[0] + 5


def test_a_worn_gear_has_louder_mesh_and_sidebands():
    rng = np.random.default_rng(1)
    rotor = next(r for r in iter(lambda: draw_rotor(rng), None) if r.teeth)
    plan = WaveformPlan(SAMPLES, FS)

    def around_mesh(severity):
        running = Running(rotor.nominal_rpm, 0.8, (0.0, 0.0), "gear", severity)
        record = waveform(rotor, running, FS, (1, SAMPLES), np.random.default_rng(2))
        mesh = round(rotor.teeth * rotor.nominal_rpm / 60)
        side = round(rotor.nominal_rpm / 60)
        power = plan.measure(record, power=True, envelope=True).power[0]
        return [power[at - 2 : at + 3].sum() for at in (mesh - side, mesh, mesh + side)]

    new, worn = around_mesh(0.0), around_mesh(1.0)
    assert all(late > 4 * early for early, late in zip(new, worn, strict=True))


def test_damage_begins_at_its_onset_and_grows_by_itself():
    damage = Damage("inner_race", 1000.0, 500.0)
    assert damage.severity(999.0) == damage.severity(1000.0) == 0.0
    assert damage.severity(1500.0) == pytest.approx(1.0)
    halves = [damage.severity(1000.0 + share * 500) for share in (0.25, 0.5, 0.75, 1.0)]
    assert np.all(np.diff(halves, n=2) > 0), "ever faster"


def test_the_plant_tells_the_truth():
    plant = SimulatedPlant(Simulation(machines=3), {1: Damage("ball", 0.0, 600.0)})
    batch = plant.batch(700.0, samples=500, axes=1)
    assert [window.asset for window in batch] == ["machine-01", "machine-02", "machine-03"]
    truth = plant.truth(700.0)
    assert [truth[w.asset].damage for w in batch] == ["", "ball", ""]
    assert truth["machine-02"].severity > 1
    assert all(window.acceleration.shape == (1, 500) for window in batch)


def test_a_standing_machine_is_quiet():
    rotor = draw_rotor(np.random.default_rng(1))
    still = waveform(rotor, Running(0.0, 0.0), FS, (2, 4096), np.random.default_rng(2))
    assert still.std() < 0.01
