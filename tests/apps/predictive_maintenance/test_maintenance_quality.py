"""A broken sensor is said to be broken; a loud or quiet machine is not."""

from dataclasses import replace

import numpy as np
import pytest

from apps.predictive_maintenance.config import APP, Machine, QualityRules
from apps.predictive_maintenance.domain import Window
from apps.predictive_maintenance.signal_quality import record_faults, window_fault
from common.screen import language

RULES = QualityRules()
NOISE = np.random.default_rng(1).standard_normal(4096).astype(np.float32)


def fault(row, full_scale=0.0):
    rows = np.stack([NOISE, np.asarray(row, np.float32)])
    good, found = record_faults(rows, np.array([0.0, full_scale]), RULES)
    assert good == "", "its neighbour is fine"
    return found


@pytest.mark.parametrize("gain", [1e-3, 1.0, 400.0])
@pytest.mark.parametrize("steps", [0, 50])
def test_loud_quiet_and_coarse_records_are_fine(gain, steps):
    row = np.round(NOISE * steps) / steps if steps else NOISE
    assert fault(row * gain) == ""


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_one_sample_that_is_no_number(wrong):
    row = NOISE.copy()
    row[1234] = wrong
    assert "NaN or infinity" in fault(row)


def test_clipping_is_seen_with_and_without_the_sensor_s_range():
    assert "clipped" in fault(NOISE.clip(-1.5, 1.5))
    assert "clipped" in fault(NOISE.clip(-2, 2), full_scale=2.0)
    assert fault(NOISE.clip(-1.5, 1.5), full_scale=100.0) != "", "its own rail tells"
    assert fault(NOISE, full_scale=10.0) == ""


def test_flat_held_biased_and_drifting_records():
    assert "flat line" in fault(np.full(4096, 3.0))
    held = NOISE.copy()
    held[100:180] = held[100]
    assert "held 80 times" in fault(held)
    zeros = NOISE.copy()
    zeros[-64:] = 0.0
    assert "held 64 times" in fault(zeros)
    assert "bias of 50" in fault(NOISE + 50)
    assert fault(NOISE + 9.81) == "", "a sensor that sees gravity"
    assert "bias drifts" in fault(NOISE + np.linspace(-8, 8, 4096))


GOOD = Window("m", NOISE[None], 25_600.0, 0.0, 0.0, 1480.0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"acceleration": NOISE}, "shape [4096]"),
        ({"acceleration": np.zeros((4, 500), np.float32)}, "shape [4, 500]"),
        ({"acceleration": np.zeros((1, 0), np.float32)}, "0 samples"),
        ({"acceleration": NOISE[None, :255]}, "255 samples"),
        ({"acceleration": NOISE[None].astype(np.complex64)}, "complex64"),
        ({"acceleration": np.array([["a"] * 300])}, "expected numbers"),
        ({"acceleration": NOISE[None].astype(np.float64)}, ""),
        ({"acceleration": (NOISE[None] * 1000).astype(np.int16)}, ""),
        ({"fs_hz": 12_800.0}, "configured are 25600 Hz"),
        ({"fs_hz": 25_650.0}, ""),
        ({"fs_hz": float("nan")}, "sampling rate"),
        ({"fs_hz": -1.0}, "sampling rate"),
        ({"fs_hz": 25.6}, "sampling rate of 25.6 Hz; at least 500"),
        ({"rpm": float("inf")}, "rpm is not a finite number"),
        ({"load": float("nan")}, "load is not a finite number"),
    ],
)
def test_the_form_of_a_window(changes, why):
    found = window_fault(replace(GOOD, **changes), Machine(fs_hz=25_600.0), RULES)
    assert (why in found) if why else found == ""


def test_a_rate_in_khz_is_refused_where_none_is_configured():
    assert "at least 500" in window_fault(replace(GOOD, fs_hz=25.6), Machine(), RULES)
    assert window_fault(GOOD, Machine(), RULES) == ""


def test_the_number_of_axes_is_as_configured():
    assert "configured are 3" in window_fault(GOOD, Machine(axes=3), RULES)


@pytest.mark.parametrize(
    ("said", "german"),
    [
        (fault(np.full(4096, 3.0)), "gerade Linie bei 3 m/s²"),
        (f"axis 2: {fault(NOISE + 50)}", "Achse 2: Nullpunkt um 50 m/s² verschoben"),
        (fault(NOISE.clip(-1.5, 1.5)), "abgeschnitten: "),
        (fault(NOISE * np.nan), "enthält NaN"),
        (window_fault(replace(GOOD, fs_hz=25.6), Machine(), RULES), "Abtastrate 25,6 Hz; "),
        (window_fault(GOOD, Machine(axes=3), RULES), "1 Achsen; eingetragen sind 3"),
        (window_fault(replace(GOOD, rpm=np.nan), Machine(), RULES), "rpm ist keine "),
    ],
)
def test_what_is_wrong_is_said_in_german_too(said, german):
    language.add_words(APP / "words")
    language.use("de")
    try:
        assert language.heard(said).startswith(german)
    finally:
        language.use("en")
