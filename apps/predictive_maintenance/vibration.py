"""From windows to the figures that baselines and rules compare: levels and features.

Features are logarithms, so that a doubling is the same step at every level: the mean square
of each half-octave band, and three measures of how impulsive the record is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.bearings import over_background
from apps.predictive_maintenance.domain import Window
from common.inference.waveforms import BANDS, Levels, WaveformPlan, band_edges

SHAPES = ("kurtosis", "crest factor", "envelope kurtosis")
FEATURES = BANDS + len(SHAPES)
QUIET = 1e-12
"""(m/s²)²: keeps the logarithm of an empty band finite."""
Features = NDArray[np.float32]
"""[axes, FEATURES], natural logarithms; NaN in bands above the sampling rate."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured in one window, per axis."""

    features: Features
    velocity_mm_s: NDArray[np.float32]
    """[axes] RMS."""
    acceleration_m_s2: NDArray[np.float32]
    """[axes] RMS."""
    crest: NDArray[np.float32]
    kurtosis: NDArray[np.float32]
    """[axes], raw."""
    bin_hz: float
    power: NDArray[np.float32] | None = None
    """[axes, bins] mean square per bin; where spectra were asked for."""
    envelope: NDArray[np.float32] | None = None
    """[lines] of the squared envelope over its background, mean of the axes; as power."""


class Measurer:
    """Measures windows together; what depends on rate and length alone is kept."""

    def __init__(self) -> None:
        self._plans: dict[tuple[int, float, float], WaveformPlan] = {}

    def __call__(
        self, windows: Sequence[Window], low_hz: Sequence[float], *, spectra: bool = False
    ) -> list[Measured]:
        """One Measured per window; `low_hz` is where each one's velocity begins."""
        groups: dict[tuple[int, float, float], list[int]] = {}
        for at, (window, low) in enumerate(zip(windows, low_hz, strict=True)):
            key = (window.acceleration.shape[1], window.fs_hz, low)
            groups.setdefault(key, []).append(at)
        found: dict[int, Measured] = {}
        for key, members in groups.items():
            rows = np.concatenate([windows[at].acceleration for at in members])
            levels = self._plan(key).measure(rows, spectra=spectra)
            counts = [len(windows[at].acceleration) for at in members]
            parts = _split(levels, counts, self._plan(key).bin_hz)
            found |= dict(zip(members, parts, strict=True))
        return [found[at] for at in range(len(windows))]

    def _plan(self, key: tuple[int, float, float]) -> WaveformPlan:
        if key not in self._plans:
            self._plans[key] = WaveformPlan(key[0], key[1], velocity_low_hz=key[2])
        return self._plans[key]


def features_of(levels: Levels) -> NDArray[np.float32]:
    """[rows, FEATURES] of measured rows."""
    shapes = np.stack([levels.kurtosis, levels.crest, levels.envelope_kurtosis], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = [np.log(levels.bands + QUIET), np.log(shapes)]
    return np.hstack(logs).astype(np.float32)


def band_name(index: int) -> tuple[float, float]:
    """The edges in Hz of a band feature."""
    edges = band_edges()
    return float(edges[index]), float(edges[index + 1])


def _split(levels: Levels, counts: list[int], bin_hz: float) -> list[Measured]:
    features, crest = features_of(levels), levels.crest
    lines = None if levels.envelope is None else over_background(levels.envelope, bin_hz)
    parts, start = [], 0
    for count in counts:
        rows = slice(start, start + count)
        start += count
        parts.append(
            Measured(
                features[rows],
                levels.velocity_rms[rows],
                levels.rms[rows],
                crest[rows],
                levels.kurtosis[rows],
                bin_hz,
                None if levels.power is None else levels.power[rows],
                None if lines is None else lines[rows].mean(axis=0),
            )
        )
    return parts
