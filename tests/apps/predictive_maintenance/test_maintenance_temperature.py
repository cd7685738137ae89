"""A bearing's temperature is judged beside the vibration, and its sensor may break alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from apps.predictive_maintenance.config import Machine
from apps.predictive_maintenance.domain import Verdict, Window
from apps.predictive_maintenance.signal_quality import temperature_fault
from common.quality import Quality
from tests.apps.predictive_maintenance.maintenance_rig import of_window

LIMIT_C = 95.0
LIMITED = Machine(temperature_alarm_c=LIMIT_C)
FLAT = np.ones((2, 4096), np.float32)
WINDOW = Window("m0", FLAT, 25_600.0, 0.0, 0.0)


@pytest.fixture
def rig(rig):
    """m0's bearing has a limit."""
    machine = rig.rotors.machines["m0"]
    rig.rotors.machines["m0"] = replace(machine, temperature_alarm_c=LIMIT_C)
    rig.restart()
    return rig


def feed(rig, count, **changes):
    """So many records of m0 with these changes."""
    for _ in range(count):
        rig.source.put(of_window(rig.rotors.window("m0", rig.number), **changes))
        rig.number += 1
        rig.turn()


def alarms(rig):
    rig.machine()
    return {alarm["id"]: alarm["state"] for alarm in rig.station.snapshot()["alarms"]}


@pytest.mark.parametrize(
    ("celsius", "machine", "why"),
    [
        (61.0, LIMITED, ""),
        (160.0, LIMITED, ""),
        (None, Machine(), ""),
        (None, LIMITED, "no temperature comes"),
        (6553.5, Machine(), "temperature of 6553.5 °C"),
        (-242.0, LIMITED, "temperature of -242 °C"),
        (math.nan, Machine(), "temperature of nan °C"),
    ],
)
def test_what_is_wrong_with_a_temperature(celsius, machine, why):
    fault = temperature_fault(replace(WINDOW, temperature_c=celsius), machine)
    assert (why in fault) if why else fault == ""


def test_a_record_that_is_not_believed_is_not_missed_for_its_temperature():
    assert temperature_fault(replace(WINDOW, quality=Quality.BAD), LIMITED) == ""


@pytest.mark.parametrize("celsius", [6553.5, -242.0, math.nan, None])
def test_a_wrong_temperature_is_an_alarm_of_its_own_and_no_order(rig, celsius):
    feed(rig, 5, temperature_c=61.0)
    feed(rig, 5, temperature_c=celsius)
    rig.clock.sleep(120.0)
    feed(rig, 1, temperature_c=celsius)
    assert "machine_temperature.m0" in alarms(rig)
    found = rig.machine()
    assert (found["verdict"], found["orders"], found["temperature_c"]) == ("run", [], None)
    assert found["judged"], "its vibration is"
    feed(rig, 1, temperature_c=61.0)
    rig.clock.sleep(10.0)
    assert alarms(rig)["machine_temperature.m0"] == "RTNUN"


def test_values_that_are_late_now_and_then_are_no_alarm(rig):
    for _ in range(20):
        feed(rig, 1, temperature_c=61.0)
        feed(rig, 3, temperature_c=None)
        rig.clock.sleep(30.0)
    assert "machine_temperature.m0" not in alarms(rig)


def test_a_hot_bearing_is_seen_though_its_vibration_s_sensor_is_broken(rig):
    feed(rig, 5, temperature_c=61.0)
    before = rig.machine()["severity"]
    feed(rig, 5, temperature_c=160.0, acceleration=FLAT)
    found = rig.machine()
    assert (found["verdict"], found["orders"]) == ("plan", ["m0/OHE/1"])
    assert (found["judged"], found["quality"], found["severity"]) == (False, "bad", before)
    assert {"machine_sensor.m0", "machine_plan.m0"} <= set(alarms(rig))
    told = [row.body for row in rig.read("verdict")][-1]
    assert (told["verdict"], told["temperature_c"]) == ("plan", 160.0)
    assert told["velocity_mm_s"] is None, "it was not measured"
    feed(rig, 10, temperature_c=61.0, acceleration=FLAT)
    assert rig.machine()["verdict"] == "run"


def test_a_cool_bearing_says_nothing_of_vibration_that_was_never_judged(rig):
    feed(rig, 5, temperature_c=61.0, acceleration=FLAT)
    assert rig.machine()["verdict"] == "unknown"
    feed(rig, 5, temperature_c=160.0, acceleration=FLAT)
    assert rig.machine()["verdict"] == "plan"
    feed(rig, 10, temperature_c=61.0, acceleration=FLAT)
    assert rig.station.pipeline.state["m0"].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("changes", [{"rpm": 0.0}, {"rpm_change": 500.0}])
def test_nothing_is_judged_while_the_machine_stands_or_ramps(rig, changes):
    feed(rig, 5, temperature_c=160.0, **changes)
    assert rig.machine()["verdict"] == "unknown"


def test_a_temperature_of_one_of_two_sensors_counts_as_little_as_its_vibration(rig):
    for _ in range(5):
        feed(rig, 1, temperature_c=160.0, sensor="a")
        feed(rig, 1, temperature_c=160.0, sensor="b")
    found = rig.machine()
    assert (found["verdict"], found["orders"]) == ("run", [])
