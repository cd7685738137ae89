"""Fault frequencies of the book's bearings, and lines where a simulated one is damaged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.predictive_maintenance.bearings import (
    Suspect,
    fault_lines,
    fault_orders,
    over_background,
)
from apps.predictive_maintenance.config import Bearing
from apps.predictive_maintenance.rotor import BEARINGS, Running, draw_rotor, waveform
from common.inference.waveforms import WaveformPlan

INCH = 25.4
B6205 = Bearing(9, 0.3126 * INCH, 1.537 * INCH)
B6203 = Bearing(8, 0.2656 * INCH, 1.122 * INCH)
ZA2115 = Bearing(16, 0.331 * INCH, 2.815 * INCH, 15.17)
FS, SAMPLES = 25_600.0, 25_600


@pytest.mark.parametrize(
    ("bearing", "orders"),
    [
        (B6205, {"FTF": 0.3983, "BPFO": 3.5848, "BPFI": 5.4152, "BSF": 2.3567}),
        (B6203, {"FTF": 0.3816, "BPFO": 3.0531, "BPFI": 4.9469, "BSF": 1.9938}),
    ],
)
def test_multiples_of_the_shaft_are_those_of_the_book(bearing, orders):
    assert fault_orders(bearing) == pytest.approx(orders, abs=5e-4)


@pytest.mark.parametrize(
    ("bearing", "rpm", "hz"),
    [
        (B6205, 1797, {"FTF": 11.93, "BPFO": 107.36, "BPFI": 162.19, "BSF": 70.58}),
        (ZA2115, 2000, {"FTF": 14.78, "BPFO": 236.40, "BPFI": 296.93, "BSF": 139.92}),
    ],
)
def test_frequencies_are_those_of_the_book(bearing, rpm, hz):
    found = {name: order * rpm / 60 for name, order in fault_orders(bearing).items()}
    assert found == pytest.approx(hz, abs=0.02)


@settings(deadline=None)
@given(
    elements=st.integers(3, 40),
    ratio=st.floats(0.05, 0.5),
    contact=st.floats(0, 45),
)
def test_the_identities_hold_for_any_bearing(elements, ratio, contact):
    orders = fault_orders(Bearing(elements, 100 * ratio, 100.0, contact))
    assert orders["BPFO"] + orders["BPFI"] == pytest.approx(elements)
    assert orders["BPFO"] == pytest.approx(elements * orders["FTF"])


def lines_of(damage, severity, seed=3):
    rng = np.random.default_rng(seed)
    rotor = draw_rotor(rng)
    running = Running(rotor.nominal_rpm, 0.7, (0.0, 0.0), damage, severity)
    records = waveform(rotor, running, FS, (2, SAMPLES), rng)
    levels = WaveformPlan(SAMPLES, FS).measure(records, power=True, envelope=True)
    spectrum = over_background(levels.envelope, FS / SAMPLES).mean(axis=0)
    return fault_lines(
        spectrum[None], FS / SAMPLES, [Suspect(rotor.bearing, running.rpm / 60)]
    )[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("damage", "fault"), [("outer_race", "BPFO"), ("inner_race", "BPFI"), ("ball", "BSF")]
)
def test_the_damaged_part_has_the_strongest_line(damage, fault, seed):
    lines = lines_of(damage, 0.15, seed)
    assert lines[0].fault == fault
    assert lines[0].db > 8


@pytest.mark.parametrize("seed", range(10))
def test_a_healthy_bearing_has_no_line(seed):
    assert max(line.db for line in lines_of("", 0.0, seed)) < 5


def test_noise_alone_lies_at_nought_decibel():
    rng = np.random.default_rng(1)
    spectra = over_background(rng.exponential(size=(400, 1001)).astype(np.float32), 1.0)
    suspects = [Suspect(B6205, 25.0)] * len(spectra)
    found = [line.db for lines in fault_lines(spectra, 1.0, suspects) for line in lines]
    assert np.mean(found) == pytest.approx(0.0, abs=0.5)
    assert np.quantile(found, 0.999) < 6


def test_what_cannot_be_resolved_or_reached_is_left_out():
    spectra = np.ones((1, 1001), np.float32)
    slow = fault_lines(spectra, 1.0, [Suspect(B6205, 2.0)])[0]
    assert {line.fault for line in slow} == {"BPFO", "BPFI", "BSF"}, "FTF lies below five bins"
    fast = fault_lines(spectra, 1.0, [Suspect(B6205, 200.0)])[0]
    assert {line.fault for line in fast} == {"FTF", "BPFO", "BSF"}, "BPFI lies beyond 1 kHz"


def test_the_background_follows_a_slope():
    hill = np.linspace(100, 1, 1001, dtype=np.float32)[None] ** 2
    flat = over_background(hill, 1.0)
    assert flat[0, 30:900] == pytest.approx(np.ones(870), rel=0.1)


def test_the_shipped_geometries_are_bearings():
    assert len({bearing.name for bearing in BEARINGS}) == len(BEARINGS)
    for bearing in BEARINGS:
        assert fault_orders(bearing)["BPFI"] > fault_orders(bearing)["BPFO"] > 1
