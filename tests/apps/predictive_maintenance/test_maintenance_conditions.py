"""What light, alarms and page say of machines that nobody hears, or compares with anything."""

import numpy as np
import pytest

from apps.predictive_maintenance import screen_detail
from apps.predictive_maintenance.config import Machine
from apps.predictive_maintenance.screen_table import table
from apps.predictive_maintenance.watch import UNJUDGED_S
from common.ports import LightState, VibrationReading
from common.screen.document import Document
from common.screen.freshness import Freshness
from tests.apps.predictive_maintenance.maintenance_rig import of_window
from tests.apps.predictive_maintenance.station_rig import ANNA, HEALTHY

FS, SAMPLES = 12_800.0, 4096
HZ = 25.0
FLAT = np.ones((2, SAMPLES), np.float32)


@pytest.fixture
def no_zone(rig):
    """m0 is no machine of the standard, and has learned its own normal."""
    rig.rotors.machines["m0"] = Machine(name="Fan 0")
    rig.restart()
    for number in range(HEALTHY):
        measure(rig, number)
    rig.learn()
    return rig


def measure(rig, number, velocity=1.0, noise=0.5, **changes):
    """A record of m0: so much velocity RMS (mm/s) at one frequency, in noise (m/s²)."""
    rng, t = np.random.default_rng(number), np.arange(SAMPLES) / FS
    peak = velocity / 1000 * np.sqrt(2) * 2 * np.pi * HZ
    samples = peak * np.sin(2 * np.pi * HZ * t) + rng.normal(0, noise, (2, SAMPLES))
    made = {"rpm": 1480.0, "rpm_change": 0.0, **changes}
    rig.source.put(VibrationReading("m0", samples.astype(np.float32), FS, "s", **made))
    rig.turn()


def alarms(rig):
    rig.machine()
    return {alarm["id"]: alarm for alarm in rig.station.snapshot()["alarms"]}


# --------------------------------------------------------------------------- the light


def test_a_stop_shows_on_the_light_over_a_restart_though_its_machine_is_silent(rig):
    rig.feed(HEALTHY)
    rig.learn()
    rig.feed(30, damage="unbalance", severity=1.2)
    rig.restart()
    rig.feed(3, assets=("m1",))
    assert rig.light.shown[-1] is LightState.STOP


def test_the_light_says_that_nothing_is_known_when_no_machine_is_heard(rig):
    rig.feed(3)
    assert rig.light.shown[-1] is LightState.RUN
    rig.clock.sleep(rig.station.settings.sense.silent_s)
    rig.turn()
    assert rig.light.shown[-1] is LightState.FAULT


def test_the_light_says_that_nothing_is_known_when_every_sensor_is_broken(rig):
    rig.feed(3)
    for asset in ("m0", "m1"):
        window = rig.rotors.window(asset, rig.number)
        rig.source.put(of_window(window, acceleration=FLAT))
    rig.turn()
    assert rig.light.shown[-1] is LightState.FAULT


# ------------------------------------------------------------- compared with nothing


@pytest.mark.parametrize(("rpm", "why"), [(1480.0, ""), (1700.0, "state was never learned")])
def test_a_machine_that_is_compared_with_nothing_says_so(no_zone, rpm, why):
    hours = int(UNJUDGED_S / 3600) + 2
    for number in range(hours):
        no_zone.clock.sleep(3600.0)
        measure(no_zone, number, rpm=rpm)
    machine = no_zone.machine()
    assert machine["not_compared"] == why
    assert ("machine_unjudged.m0" in alarms(no_zone)) is bool(why)
    page, row = screen_detail.evidence(Document(machine)), row_of(machine)
    assert (f"Not compared: {why}." in str(page)) is bool(why)
    assert ("Nothing speaks against running." in str(page)) is not bool(why)
    assert ("not compared" in str(row)) is bool(why)


@pytest.mark.parametrize("between", [{"noise": 0.0, "velocity": 0.0}, {"rpm": 0.0}])
def test_neither_a_bad_record_nor_a_stop_begins_the_day_anew(no_zone, between):
    no_zone.rotors.machines["m0"] = Machine(name="Fan 0")
    hours = 0
    while "machine_unjudged.m0" not in alarms(no_zone):
        for changes in (*[{"rpm": 1700.0}] * 4, between):
            no_zone.clock.sleep(3600.0)
            measure(no_zone, hours, **changes)
            hours += 1
        assert hours < 60
    assert hours > 24


def row_of(machine):
    return table([Document(machine)], Freshness(0.0), "")


# ------------------------------------------------------------------- another cause


def test_another_cause_of_a_stop_sounds_again_and_is_named(no_zone):
    for number in range(5):
        measure(no_zone, number, velocity=9.0)
    no_zone.command("acknowledge_stop", ANNA, asset="m0")
    no_zone.command("acknowledge", ANNA, alarm_id="machine_stop.m0")
    measure(no_zone, 6, velocity=9.0)
    assert alarms(no_zone)["machine_stop.m0"]["state"] == "ACKED"
    for number in range(6):
        measure(no_zone, number, velocity=9.0, noise=30.0)
    alarm = alarms(no_zone)["machine_stop.m0"]
    assert alarm["state"] == "UNACK"
    velocity, acceleration = alarm["detail"].split("; ")
    assert velocity.startswith("velocity ")
    assert acceleration.startswith("acceleration ")


def test_the_alarm_of_a_stop_whose_cause_is_gone_says_so(no_zone):
    for velocity, records in ((9.0, 5), (1.0, 20)):
        for number in range(records):
            measure(no_zone, number, velocity)
    said = "its cause is gone; nobody has acknowledged it"
    assert alarms(no_zone)["machine_stop.m0"]["detail"] == said
