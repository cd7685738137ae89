"""Levels of known signals: sines by hand, noise by its statistics, impacts by their rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.inference.waveforms import (
    BANDS,
    CACHED_SAMPLES,
    WaveformPlan,
    band_edges,
)

G = 9.80665
FS = 25_600.0


def sine(hz, rms=1.0, seconds=1.0, fs=FS, phase=0.3):
    time = np.arange(round(seconds * fs)) / fs
    return (rms * np.sqrt(2) * np.sin(2 * np.pi * hz * time + phase)).astype(np.float32)


def levels(*rows, fs=FS, **options):
    records = np.stack(rows)
    return WaveformPlan(records.shape[1], fs).measure(records, **options)


@pytest.mark.parametrize(
    ("hz", "mm_s"), [(10, 156.08), (50, 31.22), (100, 15.61), (159.155, 9.807), (1000, 1.561)]
)
def test_one_g_rms_integrates_to_the_velocity_of_the_book(hz, mm_s):
    assert levels(sine(hz, G)).velocity_rms[0] == pytest.approx(mm_s, rel=0.006)


def test_ten_mm_s_peak_is_seven_rms():
    acceleration = 0.010 / np.sqrt(2) * 2 * np.pi * 80  # m/s² RMS of 10 mm/s peak at 80 Hz
    assert levels(sine(80, acceleration)).velocity_rms[0] == pytest.approx(7.071, rel=1e-3)


@settings(deadline=None)
@given(hz=st.floats(12, 980), rms=st.floats(0.01, 100), phase=st.floats(0, 6.28))
def test_any_sine_integrates_to_a_over_omega(hz, rms, phase):
    found = levels(sine(hz, rms, phase=phase)).velocity_rms[0]
    assert found == pytest.approx(1000 * rms / (2 * np.pi * hz), rel=0.015)


def test_velocity_adds_up_over_lines_and_ignores_what_lies_outside_its_band():
    inside = sine(50, 2.0) + sine(400, 30.0)
    outside = sine(4, 0.5) + sine(3000, 100.0) + np.float32(7.0)
    parts = [1000 * 2.0 / (2 * np.pi * 50), 1000 * 30.0 / (2 * np.pi * 400)]
    found = levels(inside, inside + outside).velocity_rms
    assert found == pytest.approx([np.hypot(*parts)] * 2, rel=2e-3)


def test_a_bias_and_a_drift_do_not_become_velocity():
    drift = np.linspace(-2, 2, 25_600, dtype=np.float32)
    still = levels(sine(50), sine(50) + np.float32(9.81), sine(50) + drift).velocity_rms
    assert still[1] == pytest.approx(still[0], rel=1e-3)
    assert still[2] == pytest.approx(still[0], rel=0.05)


def test_a_slow_machine_has_a_lower_edge_of_its_own():
    row = sine(5, seconds=4.0)[None]  # a slow machine wants a longer record
    assert WaveformPlan(row.size, FS).measure(row).velocity_rms[0] < 0.5
    low = WaveformPlan(row.size, FS, velocity_low_hz=2.0).measure(row).velocity_rms[0]
    assert low == pytest.approx(1000 / (2 * np.pi * 5), rel=0.01)


def test_sine_and_noise_have_the_shapes_of_the_book():
    noise = np.random.default_rng(1).standard_normal(25_600).astype(np.float32)
    found = levels(sine(100), noise + np.float32(3.0))
    assert found.rms == pytest.approx([1.0, 1.0], abs=0.02)
    assert found.mean == pytest.approx([0.0, 3.0], abs=0.02)
    assert found.peak[0] == pytest.approx(np.sqrt(2), rel=1e-3)
    assert found.crest[0] == pytest.approx(np.sqrt(2), rel=1e-3)
    assert found.kurtosis == pytest.approx([1.5, 3.0], abs=0.1)
    assert found.envelope_kurtosis[1] == pytest.approx(2.0, abs=0.15)


def test_bands_are_half_octaves_that_hold_the_mean_square():
    edges = band_edges()
    assert edges[0] == 10
    assert edges[1:] / edges[:-1] == pytest.approx([np.sqrt(2)] * BANDS)
    bands = levels(sine(50, 3.0)).bands[0]
    at = int(np.searchsorted(edges, 50)) - 1
    assert bands[at] == pytest.approx(9.0, rel=1e-3)
    assert np.nansum(bands) == pytest.approx(9.0, rel=2e-3)


def test_bands_above_the_sampling_rate_are_missing_not_empty():
    plan = WaveformPlan(5000, 10_000.0)
    bands = plan.measure(sine(100, seconds=0.5, fs=10_000.0)[None]).bands[0]
    assert np.isfinite(bands[: plan.band_count]).all()
    assert np.isnan(bands[plan.band_count :]).all()
    assert band_edges()[plan.band_count] >= 4900


def test_the_power_spectrum_sums_to_the_mean_square():
    noise = np.random.default_rng(2).standard_normal((3, 4096)).astype(np.float32)
    found = WaveformPlan(4096, FS).measure(noise, power=True, envelope=True)
    assert found.power.sum(axis=1) == pytest.approx(found.rms**2, rel=0.1)
    line = levels(sine(500, 2.0), power=True, envelope=True).power[0]
    assert line[498:503].sum() == pytest.approx(4.0, rel=1e-3)


def test_the_envelope_shows_the_rate_of_impacts_that_the_spectrum_hides():
    rng = np.random.default_rng(3)
    time = np.arange(25_600) / FS
    ring = np.exp(-time[:200] * 900) * np.sin(2 * np.pi * 4000 * time[:200])
    train = np.zeros(25_600)
    train[(np.arange(107) / 107.36 * FS).astype(int)] = 1.0
    signal = np.convolve(train, ring)[:25_600] * 8 + 0.3 * rng.standard_normal(25_600)
    found = levels(signal.astype(np.float32), power=True, envelope=True)
    lines = found.envelope[0]
    assert abs(int(lines[20:].argmax()) + 20 - 107) <= 1
    assert lines[107] > 30 * np.median(lines)
    assert found.envelope_kurtosis[0] > 4


def test_records_are_measured_alike_alone_and_in_a_crowd():
    rows = CACHED_SAMPLES // 2048 * 2 + 3
    crowd = np.random.default_rng(4).standard_normal((rows, 2048)).astype(np.float32)
    plan = WaveformPlan(2048, FS)
    together, alone = (
        plan.measure(crowd, power=True, envelope=True),
        plan.measure(crowd[-1:], power=True, envelope=True),
    )
    for name in ("rms", "peak", "kurtosis", "velocity_rms", "bands", "power", "envelope"):
        last = getattr(together, name)[-1:]
        np.testing.assert_allclose(last, getattr(alone, name), rtol=1e-4)


@pytest.mark.parametrize("samples", [64, 255, 1001, 2560, 4099])
def test_any_length_is_measured(samples):
    noise = np.random.default_rng(5).standard_normal((2, samples)).astype(np.float32)
    found = WaveformPlan(samples, FS).measure(noise, power=True, envelope=True)
    assert np.isfinite(found.velocity_rms).all()
    assert found.kurtosis == pytest.approx([3.0, 3.0], abs=1.5)


def test_a_flat_record_has_no_shape():
    found = levels(np.full(1000, 2.0, np.float32), power=True, envelope=True)
    assert found.rms[0] == 0
    assert np.isnan(found.kurtosis[0])
    assert np.isnan(found.crest[0])
