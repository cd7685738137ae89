"""The simulated plant as a source, the spectra of its windows, and what opens the app."""

import numpy as np
import pytest

from apps import open_maintenance
from apps.predictive_maintenance.bearings import fault_orders
from apps.predictive_maintenance.config import (
    APP,
    Bearing,
    Machine,
    PlantFault,
    Simulation,
    StateRules,
)
from apps.predictive_maintenance.domain import Window
from apps.predictive_maintenance.plant import PlantSource, damages, settings_of
from apps.predictive_maintenance.spectra import POINTS, cursors, spectra
from apps.predictive_maintenance.vibration import Measurer
from common.errors import ConfigError

SMALL = Simulation(
    machines=3, history=2, fs_hz=12_800.0, window_s=0.1, axes=1,
    faults=(PlantFault(2, "unbalance", 1.0, 2.0),),
)  # fmt: skip
PLAN = APP / "app.toml"


def test_history_comes_as_fast_as_it_is_asked_for(clock):
    source = PlantSource(SMALL, clock)
    first, second = source.poll(0.1), source.poll(0.1)
    assert [one.asset for one in first] == ["machine-01", "machine-02", "machine-03"]
    assert [one.elapsed_s for one in second] == pytest.approx([600.0, 800.0, 1000.0])
    assert clock.monotonic() == 0.0
    assert not source.has_history


def test_then_a_step_takes_a_second_of_ours(clock):
    source = PlantSource(SMALL, clock, history=False)
    found = []
    while clock.monotonic() < 1.99:
        found += source.poll(0.05)
    times = [one.elapsed_s for one in found[:6]]
    assert times == pytest.approx([1200.0 + 200 * n for n in range(6)])
    assert clock.monotonic() == pytest.approx(2.0)
    assert [one.asset for one in found[:3]] == ["machine-01", "machine-02", "machine-03"]


def test_its_wall_time_runs_with_its_own(clock):
    source = PlantSource(SMALL, clock)
    (first, *_), (again, *_) = source.poll(0.1), source.poll(0.1)
    assert again.wall_time - first.wall_time == 600.0
    assert first.wall_time == clock.wall() - 2 * 600.0


def test_damage_and_machines_are_as_the_settings_say():
    (damage,) = damages(SMALL).values()
    assert (damage.kind, damage.onset_s, damage.life_s) == ("unbalance", 3600.0, 7200.0)
    assert set(settings_of(SMALL)) == {"machine-01", "machine-02", "machine-03"}
    assert all(machine.bearings for machine in settings_of(SMALL).values())


def test_a_spectrum_has_few_points_and_loses_no_line():
    time = np.arange(25_600) / 25_600.0
    tone = 3.0 * np.sqrt(2) * np.sin(2 * np.pi * 1234.0 * time)
    noise = 0.01 * np.random.default_rng(0).standard_normal((2, 25_600))
    records = (noise + np.stack([0.1 * tone, tone])).astype(np.float32)
    window = Window("m", records, 25_600.0, 0.0, 0.0, rpm=1500.0)
    drawn = spectra(Measurer(), window, Machine())
    assert drawn["axis"] == 2
    spectrum = drawn["spectrum"]
    assert len(spectrum["hz"]) <= POINTS
    highest = int(np.argmax(spectrum["value"]))
    assert spectrum["hz"][highest] == pytest.approx(1234.0, abs=1.0)
    assert spectrum["value"][highest] == pytest.approx(3.0 * np.sqrt(2 / 3), rel=0.02)
    assert spectrum["hz"] == sorted(spectrum["hz"])
    assert max(drawn["envelope"]["hz"]) <= 1000.0


@pytest.mark.parametrize("fs_hz", [1e-6, 1.0, 10.0, 25.6])
def test_a_spectrum_that_ends_below_what_is_drawn_is_drawn_to_its_end(fs_hz):
    records = np.random.default_rng(0).standard_normal((2, 4096)).astype(np.float32)
    drawn = spectra(Measurer(), Window("m", records, fs_hz, 0.0, 0.0), Machine())
    for name in ("spectrum", "envelope"):
        assert len(drawn[name]["hz"]) == len(drawn[name]["value"]) <= POINTS


def test_cursors_stand_at_the_bearings_frequencies():
    bearing = Bearing(9, 7.94, 39.04, 0.0, "6205")
    found = {c["name"]: c["hz"] for c in cursors(Machine(bearings=(bearing,)), 1797.0)}
    shaft = 1797.0 / 60
    assert found["1×"] == pytest.approx(shaft, abs=0.01)
    assert found["BPFO"] == pytest.approx(fault_orders(bearing)["BPFO"] * shaft, abs=0.01)
    assert found["2×BSF"] == pytest.approx(2 * fault_orders(bearing)["BSF"] * shaft, abs=0.01)
    assert cursors(Machine(bearings=(bearing,)), None) == []
    assert {c["name"]: c["hz"] for c in cursors(Machine(bearings=(bearing,)), -1797.0)} == found


def test_the_shipped_file_opens_a_plant_of_twelve_machines():
    settings = open_maintenance.load(PLAN, [])
    assert len(settings.machines) == 12
    assert len(open_maintenance.definitions(settings)) > 12 * 4
    assert StateRules() == settings.states


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (["simulation.enabled=false"], "at least one .machines.ASSET. is needed"),
        (["simulation.enabled=false", "machines.m.group=2"], "at least one .sources.NAME."),
    ],
)
def test_a_real_plant_needs_machines_and_sources(changes, why):
    with pytest.raises(ConfigError, match=why):
        open_maintenance.load(PLAN, changes)
