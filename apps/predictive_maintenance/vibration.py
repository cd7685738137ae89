"""From windows to the figures that baselines and rules compare: levels and features.

Features are logarithms, so that a doubling is the same step at every level: the mean square
of each half-octave band, and three measures of how impulsive the record is.
"""

from collections.abc import Collection, Sequence
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
Key = tuple[int, float, float]
"""Samples, rate and where velocity begins."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Windows of one length and rate, whose channels lie in the rows of one array."""

    samples: int
    fs_hz: float
    low_hz: float
    """Where velocity begins."""
    members: tuple[int, ...]
    """Which windows of the batch these are."""
    owner: NDArray[np.int64]
    """[rows] the window of the batch that a row belongs to."""
    rows: NDArray[np.float32]
    """[rows, samples] m/s²."""


class Measurer:
    """Measures windows together; what depends on rate and length alone is kept."""

    def __init__(self) -> None:
        self._plans: dict[Key, WaveformPlan] = {}
        self._rows: dict[Key, NDArray[np.float32]] = {}

    def stack(
        self, windows: Sequence[Window], members: Sequence[int], low_hz: Sequence[float]
    ) -> list[Stack]:
        """The windows of a batch that are `members`, by length, rate and their `low_hz`.

        Valid until the next call: the memory is used again.
        """
        groups: dict[Key, list[int]] = {}
        for at, low in zip(members, low_hz, strict=True):
            key = windows[at].acceleration.shape[1], windows[at].fs_hz, low
            groups.setdefault(key, []).append(at)
        self._rows = {key: rows for key, rows in self._rows.items() if key in groups}
        return [self._stack(key, windows, group) for key, group in groups.items()]

    def _stack(self, key: Key, windows: Sequence[Window], group: list[int]) -> Stack:
        counts = [len(windows[at].acceleration) for at in group]
        rows = self._rows.get(key)
        if rows is None or len(rows) < sum(counts):
            rows = self._rows[key] = np.empty((sum(counts), key[0]), np.float32)
        rows = rows[: sum(counts)]
        with np.errstate(over="ignore"):  # what does not fit becomes infinite: refused later
            samples = [windows[at].acceleration for at in group]
            np.concatenate(samples, out=rows, casting="unsafe")
        return Stack(*key, tuple(group), np.repeat(group, counts), rows)

    def __call__(
        self,
        stack: Stack,
        wanted: Collection[int],
        *,
        power: bool = False,
        envelope: bool = False,
    ) -> dict[int, Measured]:
        """What was measured of those windows of a stack that are wanted."""
        chosen = [at for at in stack.members if at in wanted]
        if not chosen:
            return {}
        rows = stack.rows
        if len(chosen) < len(stack.members):
            rows = rows[np.isin(stack.owner, chosen)]
        plan = self._plan(stack)
        levels = plan.measure(rows, power=power, envelope=envelope)
        counts = [int(np.count_nonzero(stack.owner == at)) for at in chosen]
        return dict(zip(chosen, _split(levels, counts, plan.bin_hz), strict=True))

    def whole(self, window: Window, low_hz: float) -> Measured:
        """One window with its spectra, for a person to look at."""
        (stack,) = self.stack([window], [0], [low_hz])
        return self(stack, [0], power=True, envelope=True)[0]

    def _plan(self, stack: Stack) -> WaveformPlan:
        key = stack.samples, stack.fs_hz, stack.low_hz
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
    envelopes = None if lines is None else _means(lines, counts)
    parts, start = [], 0
    for at, count in enumerate(counts):
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
                None if envelopes is None else envelopes[at],
            )
        )
    return parts


def _means(rows: NDArray[np.float32], counts: list[int]) -> list[NDArray[np.float32]]:
    """The mean of the first so many rows, of the next so many, …; at once where all alike."""
    if len(set(counts)) == 1:
        return list(rows.reshape(len(counts), counts[0], -1).mean(axis=1))
    ends = np.cumsum(counts)
    return [
        rows[end - count : end].mean(axis=0) for end, count in zip(ends, counts, strict=True)
    ]
