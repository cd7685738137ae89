"""A bearing's fault frequencies, and whether the envelope spectrum has lines there."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.config import Bearing
from apps.predictive_maintenance.domain import BearingLine

SLIP = 0.02
"""A real bearing turns up to this share off its kinematics."""
HARMONICS = 3
BACKGROUND_HZ = 40.0
"""Stretches of the spectrum whose median is its background."""
MIN_BINS = 5
"""Below so many bins a frequency cannot be told from the mean."""
FAULTS = ("FTF", "BPFO", "BPFI", "BSF")
Spectrum = NDArray[np.float32]


def fault_orders(bearing: Bearing) -> dict[str, float]:
    """FTF, BPFO, BPFI and BSF as multiples of the shaft's speed; outer race fixed."""
    ratio = bearing.element_mm / bearing.pitch_mm
    cosine = ratio * math.cos(math.radians(bearing.contact_deg))
    return {
        "FTF": (1 - cosine) / 2,
        "BPFO": bearing.elements * (1 - cosine) / 2,
        "BPFI": bearing.elements * (1 + cosine) / 2,
        "BSF": (1 - cosine**2) / (2 * ratio),
    }


@dataclass(frozen=True, slots=True)
class Suspect:
    """A bearing that turns at a known speed."""

    bearing: Bearing
    shaft_hz: float

    def frequencies(self) -> NDArray[np.float64]:
        """[faults] in Hz. An element strikes both races in one turn: BSF counts twice."""
        orders = fault_orders(self.bearing)
        twice = {"BSF": 2.0}
        return np.array([orders[f] * twice.get(f, 1.0) for f in FAULTS]) * self.shaft_hz


def over_background(envelopes: Spectrum, bin_hz: float) -> Spectrum:
    """Envelope spectra [rows, lines] over their own slowly changing background."""
    lines = envelopes.shape[1]
    width = min(max(round(BACKGROUND_HZ / bin_hz), 4 * MIN_BINS), lines)
    count = lines // width
    blocks = envelopes[:, : count * width].reshape(len(envelopes), count, width)
    middle = np.partition(blocks, width // 2, axis=2)[:, :, width // 2]
    levels = np.maximum(middle, np.finfo(np.float32).tiny)
    at = np.clip((np.arange(lines) + 0.5) / width - 0.5, 0, count - 1)
    low = np.minimum(at.astype(int), max(count - 2, 0))
    part = np.float32(at - low)
    upper = levels[:, np.minimum(low + 1, count - 1)]
    return np.asarray(envelopes / (levels[:, low] * (1 - part) + upper * part), np.float32)


def fault_lines(
    spectra: Spectrum, bin_hz: float, suspects: list[Suspect]
) -> list[tuple[BearingLine, ...]]:
    """The lines of each spectrum over its background [n, lines], strongest first.

    A line's strength is the mean over its first harmonics of the highest bin within the
    slip, above what noise alone shows in as many bins: 0 dB is no line. Frequencies that
    the spectrum does not resolve or reach are left out: that is not "none found".
    """
    hz = np.stack([suspect.frequencies() for suspect in suspects])
    at = hz[:, :, None] * np.arange(1, HARMONICS + 1)
    reach = np.maximum(SLIP * at, bin_hz)
    low, high = np.floor((at - reach) / bin_hz), np.ceil((at + reach) / bin_hz)
    seen = (hz[:, :, None] >= MIN_BINS * bin_hz) & (high < spectra.shape[1])
    peaks = _peaks(spectra, np.where(seen, low, 0), np.where(seen, high, 0))
    noise = (np.log(high - low + 1) + np.euler_gamma) / math.log(2)
    with np.errstate(divide="ignore"):
        db = 10 * np.log10(np.maximum(peaks, 1e-6) / noise)
    counts = seen.sum(axis=2)
    mean = np.where(seen, db, 0.0).sum(axis=2) / np.maximum(counts, 1)
    return [_strongest(hz[row], mean[row], counts[row]) for row in range(len(suspects))]


def _peaks(spectra: Spectrum, low: NDArray[np.float64], high: NDArray[np.float64]) -> Spectrum:
    """The highest bin from `low` to `high` [n, faults, harmonics] of each spectrum."""
    width = int((high - low).max()) + 1
    bins = low[..., None].astype(int) + np.arange(width)
    rows = np.arange(len(spectra))[:, None, None, None]
    values = spectra[rows, np.minimum(bins, spectra.shape[1] - 1)]
    return np.asarray(np.where(bins <= high[..., None], values, 0.0).max(axis=3), np.float32)


def _strongest(
    hz: NDArray[np.float64], db: NDArray[np.float64], counts: NDArray[np.int_]
) -> tuple[BearingLine, ...]:
    lines = [
        BearingLine(fault, float(hz[at]), float(db[at]))
        for at, fault in enumerate(FAULTS)
        if counts[at]
    ]
    return tuple(sorted(lines, key=lambda line: -line.db))
