"""The physics of one rotating machine in software: what an accelerometer on it would see.

Shaft harmonics, gear mesh with sidebands, coloured noise shaped by the structure, and a
damaged bearing's impacts: spaced by its geometry with slip, louder in the load zone, each
making the housing ring. All of it from seeded draws, so that the truth is known.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft

from apps.predictive_maintenance.bearings import fault_orders
from apps.predictive_maintenance.config import Bearing

BEARINGS = (
    Bearing(9, 7.94, 39.04, 0.0, "6205"),
    Bearing(8, 6.75, 28.5, 0.0, "6203"),
    Bearing(8, 15.08, 65.5, 0.0, "6308"),
    Bearing(16, 8.41, 71.5, 15.17, "ZA-2115"),
)
"""Geometries in mm; the names are the makers' series."""
SLIP = 0.01
HARMONICS = 6
FULL_DAMAGE_IMPACT = 60.0
"""m/s² of one impact when severity is 1, before the housing rings."""
Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Part = NDArray[np.float32]
"""[samples] of a record."""


@dataclass(frozen=True)
class Rotor:
    """One machine's fixed properties."""

    bearing: Bearing
    nominal_rpm: float
    teeth: int
    """Of the gear on the shaft; 0 is none."""
    harmonics_mm_s: tuple[float, ...]
    """RMS velocity of 1×, 2×, … at nominal speed."""
    mesh_m_s2: float
    noise_m_s2: float
    """RMS of the noise at nominal speed, 0–10 kHz."""
    structure_hz: float
    housing_hz: float
    damping: float
    axis_gains: tuple[float, ...]


@dataclass(frozen=True)
class Running:
    """How the machine runs while it is measured."""

    rpm: float
    load: float
    """Share of rated, 0–1."""
    drift: tuple[float, float] = (0.0, 0.0)
    """Slow healthy changes in neper: of the harmonics and of the noise."""
    damage: str = ""
    """One of config.DAMAGE; empty is healthy."""
    severity: float = 0.0
    """0 none, 1 at the end of life."""


def draw_rotor(rng: Generator) -> Rotor:
    """A machine as one might stand in a plant."""
    first = rng.uniform(0.3, 0.9)
    falling = first * rng.uniform(0.2, 0.5, HARMONICS) * 0.6 ** np.arange(HARMONICS)
    return Rotor(
        bearing=BEARINGS[int(rng.integers(len(BEARINGS)))],
        nominal_rpm=float(rng.choice([980.0, 1480.0, 2960.0])),
        teeth=int(rng.choice([0, 0, 23, 31, 41])),
        harmonics_mm_s=(first, *falling[1:].tolist()),
        mesh_m_s2=rng.uniform(0.3, 1.0),
        noise_m_s2=rng.uniform(0.5, 1.5),
        structure_hz=rng.uniform(150.0, 600.0),
        housing_hz=rng.uniform(2200.0, 4200.0),
        damping=rng.uniform(0.03, 0.08),
        axis_gains=(1.0, *rng.uniform(0.5, 1.0, 2).tolist()),
    )


def waveform(
    rotor: Rotor, running: Running, fs_hz: float, shape: tuple[int, int], rng: Generator
) -> NDArray[np.float32]:
    """Acceleration of `shape` [axes, samples] in m/s²; standing still, the sensor's noise."""
    axes, samples = shape
    if running.rpm <= 0:
        return (0.003 * rng.standard_normal(shape)).astype(np.float32)
    structure = _structure(rotor, fs_hz, samples)
    tones = _tones(rotor, running, fs_hz, samples, rng)
    spectra = _noise(rotor, running, structure, samples, rng, axes)
    impacts = _impacts(rotor, running, fs_hz, samples, rng)
    if impacts.any():
        spectra += fft.rfft(impacts) * structure.ringing
    records = fft.irfft(spectra, samples, axis=1, overwrite_x=True)
    records += tones
    records *= np.array(rotor.axis_gains[:axes], np.float32)[:, None]
    return np.asarray(records, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Structure:
    """How a rotor's housing answers at the frequencies of a record."""

    frequencies: Array
    flow: Array
    """Shape of the noise of a machine in order."""
    dry: Array
    """What lack of lubrication adds to it."""
    ringing: NDArray[np.complex64]


@lru_cache(maxsize=64)
def _structure(rotor: Rotor, fs_hz: float, samples: int) -> _Structure:
    frequencies = np.asarray(np.fft.rfftfreq(samples, 1 / fs_hz), np.float64)
    dry = np.abs(_ringing(frequencies, rotor.housing_hz, 0.1)) / 3
    flow = 1 / np.sqrt(1 + (frequencies / 3000) ** 2)
    flow += 0.5 * np.abs(_mode(frequencies, rotor.structure_hz, 0.15)) + 0.6 * dry
    flow[0] = dry[0] = 0.0
    ringing = _ringing(frequencies, rotor.housing_hz, rotor.damping)
    return _Structure(frequencies, flow, dry, ringing.astype(np.complex64))


def _tones(rotor: Rotor, running: Running, fs_hz: float, samples: int, rng: Generator) -> Part:
    """Shaft harmonics and gear mesh with its sidebands."""
    turns: Array = np.arange(samples, dtype=np.float64) * (running.rpm / 60 / fs_hz)
    ratio = running.rpm / rotor.nominal_rpm
    angle = _angle(turns)
    total = np.zeros(samples, np.float32)
    for order, velocity in enumerate(_harmonics(rotor, running), start=1):
        hz = order * running.rpm / 60
        gain = float(np.abs(_mode(np.asarray(hz), rotor.structure_hz, 0.15)))
        amplitude = velocity / 1000 * 2 * math.pi * hz * math.sqrt(2) * ratio * gain
        phase = rng.uniform(0, 2 * np.pi)
        total += np.float32(amplitude) * np.sin(np.float32(order) * angle + np.float32(phase))
    if rotor.teeth and rotor.teeth * running.rpm / 60 < fs_hz / 2:
        worn = 3 * running.severity if running.damage == "gear" else 0.0
        level = rotor.mesh_m_s2 * (0.4 + 0.6 * running.load) * ratio**1.5 * (1 + worn)
        sidebands = 1 + np.float32(0.2 + 0.25 * worn) * np.cos(angle)
        mesh = np.sin(_angle(rotor.teeth * turns) + np.float32(rng.uniform(0, 2 * np.pi)))
        total += np.float32(level) * sidebands * mesh
    return total


def _angle(turns: Array) -> Part:
    """Radians of the turn that is under way: small numbers keep their precision."""
    return np.asarray(2 * np.pi * (turns - np.floor(turns)), np.float32)


def _harmonics(rotor: Rotor, running: Running) -> list[float]:
    """RMS velocity in mm/s of each order, with load, slow changes and damage."""
    gain = math.exp(running.drift[0]) * (0.8 + 0.25 * running.load)
    levels = [gain * velocity for velocity in rotor.harmonics_mm_s]
    if running.damage == "unbalance":
        levels[0] += 8.0 * running.severity
    if running.damage == "misalignment":
        levels[1] += 6.0 * running.severity
        levels[2] += 2.0 * running.severity
    return levels


def _noise(
    rotor: Rotor,
    running: Running,
    structure: _Structure,
    samples: int,
    rng: Generator,
    axes: int,
) -> NDArray[np.complex64]:
    """Spectra of the coloured noise: flow, friction and rolling, shaped by the structure."""
    ratio = running.rpm / rotor.nominal_rpm
    level = rotor.noise_m_s2 * ratio**1.5 * (0.85 + 0.2 * running.load)
    level *= math.exp(running.drift[1])
    shape = structure.flow
    if running.damage == "lubrication":
        shape = shape + 3 * running.severity * structure.dry
    step_hz = float(structure.frequencies[1])
    density = 0.5 * level / math.sqrt(10_000) * math.sqrt(samples * samples * step_hz / 4)
    white = rng.standard_normal((axes, len(shape), 2), np.float32).view(np.complex64)[..., 0]
    return np.asarray(white * (density * shape).astype(np.float32), np.complex64)


def _impacts(
    rotor: Rotor, running: Running, fs_hz: float, samples: int, rng: Generator
) -> Part:
    """The impulses of a damaged bearing as a sparse signal in m/s²."""
    train = np.zeros(samples, np.float32)
    if running.damage not in ("outer_race", "inner_race", "ball") or running.severity <= 0:
        return train
    orders = fault_orders(rotor.bearing)
    name = {"outer_race": "BPFO", "inner_race": "BPFI", "ball": "BSF"}[running.damage]
    shaft_hz = running.rpm / 60
    hz = orders[name] * shaft_hz * (2 if name == "BSF" else 1)
    count = int(samples / fs_hz * hz) + 2
    times = (rng.uniform() + np.cumsum(1 + SLIP * rng.standard_normal(count))) / hz
    times = times[times * fs_hz < samples - 1]
    carrier = {"BPFO": 0.0, "BPFI": shaft_hz, "BSF": orders["FTF"] * shaft_hz}[name]
    zone = 1.0 if not carrier else 0.5 + 0.5 * np.cos(2 * np.pi * carrier * times)
    size = FULL_DAMAGE_IMPACT * running.severity * (0.5 + 0.5 * running.load)
    strength = size * zone * (1 + 0.2 * rng.standard_normal(len(times)))
    np.add.at(train, (times * fs_hz).astype(int), strength.astype(np.float32))
    return train


def _mode(frequencies: Array, at_hz: float, damping: float) -> Complex:
    """Response of one mode to a force: 1 far below its frequency, 1 / (2 damping) at it."""
    ratio = frequencies / at_hz
    return np.asarray(1 / (1 - ratio**2 + 2j * damping * ratio), np.complex128)


def _ringing(frequencies: Array, at_hz: float, damping: float) -> Complex:
    """The same as acceleration: nothing far below, 1 far above."""
    return np.asarray(-((frequencies / at_hz) ** 2) * _mode(frequencies, at_hz, damping))
