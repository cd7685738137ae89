"""ISO 20816-3: the book's boundaries, alarms set from a baseline, what is out of scope."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.predictive_maintenance.config import Machine
from apps.predictive_maintenance.limits import zone_reason
from apps.predictive_maintenance.snapshot import velocity
from apps.predictive_maintenance.zones import LIMITS_MM_S, limits, not_measured, out_of_scope
from tests.apps.predictive_maintenance.maintenance_rig import MACHINES, health


@pytest.mark.parametrize(
    ("group", "support", "velocity", "zone"),
    [
        (2, "rigid", 1.4, "A"), (2, "rigid", 1.41, "B"), (2, "rigid", 2.8, "B"),
        (2, "rigid", 2.81, "C"), (2, "rigid", 4.5, "C"), (2, "rigid", 4.51, "D"),
        (1, "flexible", 7.1, "B"), (1, "flexible", 11.01, "D"), (1, "rigid", 7.071, "C"),
        (2, "rigid", float("nan"), "D"),
    ],
)  # fmt: skip
def test_a_boundary_belongs_to_the_better_zone(group, support, velocity, zone):
    assert limits(group, support).zone(velocity) == zone


def test_alarm_is_a_quarter_of_bc_above_the_baseline():
    rigid = limits(2, "rigid")
    assert rigid.alarm(1.2) == pytest.approx(1.9)
    assert rigid.alarm(4.0) == pytest.approx(3.5), "at most 1.25 B/C"
    assert rigid.alarm(None) == 2.8, "without a baseline B/C"
    assert rigid.trip == 4.5


@settings(deadline=None)
@given(key=st.sampled_from(sorted(LIMITS_MM_S)), baseline=st.none() | st.floats(0, 50))
def test_alarm_never_lies_above_trip(key, baseline):
    assert limits(*key).alarm(baseline) <= limits(*key).trip


@pytest.mark.parametrize(
    ("kind", "power", "rpm", "record", "why"),
    [
        ("motor", 90, 1480, 1.0, ""),
        ("motor", 90, -1480, 1.0, ""),
        ("motor", 15, 1480, 1.0, "15 kW"),
        ("motor", float("nan"), 1480, 1.0, "kW"),
        ("pump", 90, 1480, 1.0, "10816-7"),
        ("reciprocating", 90, 1480, 1.0, "10816-6"),
        ("motor", 90, None, 1.0, "speed not known"),
        ("motor", 90, 119, 1.0, "119 r/min"),
        ("motor", 90, 30_001, 1.0, "r/min"),
        ("motor", 90, 1480, 0.1, "record of 0.1 s"),
    ],
)
def test_out_of_scope_says_why(kind, power, rpm, record, why):
    reason = out_of_scope(kind, power, rpm, record)
    assert (why in reason) if why else reason == ""


@pytest.mark.parametrize(
    ("rpm", "low", "fs", "why"),
    [
        (1480, 10.0, 25_600.0, ""),
        (600, 2.0, 2106.0, ""),
        (-600, 10.0, 25_600.0, "velocity from 10 Hz; zones at 600 r/min need 2 Hz"),
        (601, 10.0, 25_600.0, ""),
        (1480, 50.0, 25_600.0, "velocity from 50 Hz"),
        (1480, 10.0, 512.0, "sampled at 512 Hz; zones need at least 2106 Hz"),
    ],
)
def test_what_zones_are_of_must_be_measured(rpm, low, fs, why):
    reason = not_measured(rpm, low, fs)
    assert (why in reason) if why else reason == ""


@pytest.mark.parametrize(
    ("machine", "window", "zones"),
    [
        (MACHINES["m0"], health(), [1.4, 2.8, 4.5]),
        (MACHINES["m0"], health(duration_s=0.5), None),
        (MACHINES["m0"], health(rpm=None), None),
        (MACHINES["m0"], health(rpm=300.0), None),
        (MACHINES["m0"], health(rpm=-1480.0), [1.4, 2.8, 4.5]),
        (Machine(), health(), None),
    ],
)
def test_the_snapshot_has_zones_where_a_verdict_has_one(machine, window, zones):
    assert velocity(window, machine)["zones"] == zones
    assert bool(zone_reason(window, machine)) == (zones is None)
