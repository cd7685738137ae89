"""What a vibration record says, for many records at once: levels, bands, envelope.

A record is one channel of acceleration in m/s². All records of one call have the same
length and rate and lie in the rows of one array; every figure is a row's own. The work is
one real FFT per record, and for the envelope a smaller pair. Rows are taken a few at a time
and memory is used again, so that they stay in the processor's cache.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[np.float32]

BAND_LOW_HZ = 10.0
BANDS = 24
"""Half-octave bands from 10 Hz up: the last one ends at 41 kHz."""
TOP_SHARE = 0.49
"""Of the sampling rate: what lies above folds back."""
ENVELOPE_LOW_HZ, ENVELOPE_HIGH_HZ = 500.0, 10_000.0
ENVELOPE_LINES_HZ = 1000.0
"""Envelope spectra are kept up to here."""
CACHED_SAMPLES = 1 << 18
LANES = 8
"""Rows that one FFT takes at a time where the processor can."""
QUIET = np.float32(1e-30)
"""Power of an envelope that is none: keeps a flat record's spectrum finite."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What `WaveformPlan.measure` found; rows as given."""

    mean: Array
    """m/s²: the sensor's bias."""
    rms: Array
    """m/s², of the record without its mean."""
    peak: Array
    """m/s², the farthest from the mean."""
    kurtosis: Array
    """Raw: 3 is Gaussian. NaN in a flat record."""
    velocity_rms: Array
    """mm/s in the velocity band, see WaveformPlan."""
    bands: Array
    """[rows, BANDS] mean square in (m/s²)² per half-octave; NaN where the rate ends."""
    envelope_kurtosis: Array
    """Mean square of the envelope's power over the square of its mean; 2 is Gaussian noise."""
    power: Array | None = None
    """[rows, bins] mean square per bin of `bin_hz`, when asked for."""
    envelope: Array | None = None
    """[rows, lines] power of the squared envelope per bin of `bin_hz`, when asked for."""

    @property
    def crest(self) -> Array:
        """Peak over RMS; NaN in a flat record."""
        return _ratio(self.peak, self.rms)


def band_edges(count: int = BANDS) -> NDArray[np.float64]:
    """The edges in Hz of the half-octave bands: count + 1 of them."""
    return np.asarray(BAND_LOW_HZ * 2.0 ** (np.arange(count + 1) / 2), np.float64)


class WaveformPlan:
    """Measures records of `samples` at `fs_hz`; everything that depends on both is ready.

    Velocity is A(f) / (2πf) between `velocity_low_hz` and `velocity_high_hz`, edges
    included: a Hann window spreads a line over its neighbours, so one more bin counts on
    each side. Below that nothing is integrated: drift would become velocity without end.
    A plan keeps its working memory, so it serves one thread.
    """

    def __init__(
        self,
        samples: int,
        fs_hz: float,
        velocity_low_hz: float = 10.0,
        velocity_high_hz: float = 1000.0,
    ) -> None:
        self.samples, self.fs_hz = samples, fs_hz
        self.bin_hz = fs_hz / samples
        self._window = np.asarray(
            0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples), np.float32
        )
        self._ones = np.ones(samples, np.float32)
        """A product with it is the sum, in a third of the time."""
        bins = samples // 2 + 1
        self.frequencies = np.arange(bins) * self.bin_hz
        scale = 2.0 / (samples * float(np.sum(self._window**2)))
        self._scale = np.full(bins, scale, np.float32)
        self._scale[0] /= 2
        if samples % 2 == 0:
            self._scale[-1] /= 2
        self.band_count = _bands_below(TOP_SHARE * fs_hz)
        self._prepare_bands()
        self._prepare_velocity(velocity_low_hz, velocity_high_hz)
        self._scratch = _Scratch()
        self._envelope = _EnvelopePlan(self.bin_hz, bins, self._scratch)

    def measure(self, records: Array, *, power: bool = False, envelope: bool = False) -> Levels:
        """Levels of `records` [rows, samples], and the spectra that are asked for."""
        step = LANES * max(1, CACHED_SAMPLES // (LANES * self.samples))
        parts = [
            self._measure(records[at : at + step], power, envelope)
            for at in range(0, len(records), step)
        ]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _measure(self, records: Array, keep_power: bool, keep_envelope: bool) -> Levels:
        count = len(records)
        mean = np.vecdot(records, self._ones) / self.samples
        x = np.subtract(records, mean[:, None], out=self._scratch("x", count, self.samples))
        squares = np.multiply(x, x, out=self._scratch("squares", count, self.samples))
        mean_square = np.vecdot(squares, self._ones) / self.samples
        peak = np.sqrt(squares.max(axis=1))
        fourth = np.vecdot(squares, squares) / self.samples
        x *= self._window
        spectrum = fft.rfft(x, axis=1, overwrite_x=True)
        _remove_mean(spectrum)
        parts = self._scratch.parts("power", spectrum)
        bands, velocity = self._bands(parts), parts[:, self._inside] @ self._velocity
        kept = (parts[:, 0::2] + parts[:, 1::2]) * self._scale if keep_power else None
        kurtosis, envelope = self._envelope(spectrum, keep_envelope)
        return Levels(
            mean, np.sqrt(mean_square), peak, _ratio(fourth, mean_square**2),
            np.sqrt(velocity) * 1000, bands, kurtosis, kept, envelope,
        )  # fmt: skip

    def _bands(self, parts: Array) -> Array:
        """[rows, BANDS] from the squares of real and imaginary parts, side by side.

        Whole bins are added up, and of the bin at an edge the share that belongs there.
        """
        sums = np.add.reduceat(parts, 2 * self._first_bins, axis=1)[:, :-1]
        edge = parts[:, 2 * self._first_bins] + parts[:, 2 * self._first_bins + 1]
        edge *= self._edge_shares
        bands = np.full((len(parts), BANDS), np.nan, np.float32)
        scale = self._scale[1]
        bands[:, : self.band_count] = (sums - edge[:, :-1] + edge[:, 1:]) * scale
        return bands

    def _prepare_bands(self) -> None:
        """Per edge its bin, and the share of that bin that lies below the edge."""
        edges = np.minimum(band_edges(self.band_count), TOP_SHARE * self.fs_hz)
        places = edges / self.bin_hz + 0.5  # a bin reaches half its width to both sides
        self._first_bins = np.maximum(places.astype(int), 1)
        shares = np.clip(places - self._first_bins, 0.0, 1.0)
        self._edge_shares = np.asarray(shares, np.float32)

    def _prepare_velocity(self, low_hz: float, high_hz: float) -> None:
        """Which bins count, and each one's weight: (m/s)² per square of the spectrum."""
        f, guard = self.frequencies, 1.01 * self.bin_hz
        inside = np.flatnonzero((f >= low_hz - guard) & (f <= high_hz + guard) & (f > 0))
        first, last = (int(inside[0]), int(inside[-1])) if len(inside) else (0, -1)
        self._inside = slice(2 * first, 2 * last + 2)
        weights = self._scale[first : last + 1] / (2 * np.pi * f[first : last + 1]) ** 2
        self._velocity = np.repeat(weights, 2).astype(np.float32)


class _Scratch:
    """Arrays that are used again: fresh memory costs more than the arithmetic in it."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def __call__(self, name: str, rows: int, columns: int) -> Array:
        """[rows, columns] float32 of any content, the same memory for the same name."""
        array = self._arrays.get(name)
        if array is None or array.shape[1] != columns or len(array) < rows:
            array = self._arrays[name] = np.empty((rows, columns), np.float32)
        return array[:rows]

    def parts(self, name: str, values: NDArray[np.complex64]) -> Array:
        """[rows, 2 × columns] squares of real and imaginary parts, side by side."""
        parts = values.view(np.float32)
        return np.multiply(parts, parts, out=self(f"{name} parts", *parts.shape))

    def squared(self, name: str, values: NDArray[np.complex64]) -> Array:
        """[rows, columns] squares of the absolutes."""
        absolute = np.abs(values, out=self(name, *values.shape))
        return np.multiply(absolute, absolute, out=absolute)


class _EnvelopePlan:
    """Squared envelope of the band where bearings ring, and its spectrum.

    The band's bins alone, moved down to zero, are the analytic signal at a lower rate. It
    still bears the square root of the window that its spectrum wants, so none is applied.
    """

    def __init__(self, bin_hz: float, bins: int, scratch: _Scratch) -> None:
        nyquist = (bins - 1) * bin_hz
        low = min(ENVELOPE_LOW_HZ, nyquist / 4)
        high = min(ENVELOPE_HIGH_HZ, 2 * TOP_SHARE * nyquist)
        self._first = max(1, round(low / bin_hz))
        wanted = min(round(high / bin_hz), bins - 1) - self._first
        self._count = max(2, _fast_at_most(wanted))
        self.lines = min(int(ENVELOPE_LINES_HZ / bin_hz) + 1, self._count // 2 + 1)
        phase = np.arange(self._count) / self._count
        square = (0.5 - 0.5 * np.cos(2 * np.pi * phase)) ** 2
        own = np.fft.rfft(square)[: min(3, self.lines)] / self._count
        self._own = np.asarray(own, np.complex64)
        """What the window's square itself shows: a constant and two lines."""
        self._ones = np.ones(self._count, np.float32)
        self._sums = float(square.sum()), float(np.sum(square**2))
        self._scratch = scratch

    def __call__(
        self, spectrum: NDArray[np.complex64], keep: bool
    ) -> tuple[Array, Array | None]:
        """(kurtosis of the envelope, its spectrum or None) per row."""
        band = spectrum[:, self._first : self._first + self._count]
        squared = self._scratch.squared("envelope", fft.ifft(band, axis=1))
        total = np.vecdot(squared, self._ones)
        second = np.vecdot(squared, squared)
        first, fourth = self._sums
        kurtosis = _ratio(second / fourth, (total / first) ** 2)
        if not keep:
            return kurtosis, None
        lines = fft.rfft(squared, axis=1)[:, : self.lines]
        lines *= (1 / (np.maximum(total / first, QUIET) * self._count))[:, None]
        lines[:, : len(self._own)] -= self._own
        return kurtosis, lines.real**2 + lines.imag**2


_FIELDS = tuple(Levels.__dataclass_fields__)


def _remove_mean(spectrum: NDArray[np.complex64]) -> None:
    """Take a constant out of a Hann-windowed spectrum: it lies in the bins 0 and 1."""
    spectrum[:, 1] += spectrum[:, 0] / 2
    spectrum[:, 0] = 0


def _ratio(numerator: Array, denominator: Array) -> Array:
    safe = np.where(denominator > 0, denominator, np.nan)
    return np.asarray(numerator / safe, np.float32)


def _bands_below(top_hz: float) -> int:
    """Bands that begin below `top_hz`; the last one may be cut."""
    return int(np.count_nonzero(band_edges()[:-1] < top_hz))


def _fast_at_most(count: int) -> int:
    """The greatest length up to `count` that an FFT likes."""
    return int(fft.prev_fast_len(count)) if count > 1 else count


def _joined(parts: list[Levels]) -> Levels:
    def column(name: str) -> Any:
        rows = [getattr(part, name) for part in parts]
        return None if rows[0] is None else np.concatenate(rows)

    return Levels(**{name: column(name) for name in _FIELDS})
