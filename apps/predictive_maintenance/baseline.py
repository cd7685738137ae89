"""A machine's own normal: learned once from healthy time, then only compared with.

Each operating state has its own centre; what healthy windows scatter around their centres
is pooled over the states (`scatter.py`).

How far is too far is not read off a table: the healthy time is cut into blocks, each is
judged by a baseline that did not see it, and the limit is a margin above what such unseen
healthy time usually shows. A machine never changes its own baseline: degradation is drift.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.config import BaselineRules
from apps.predictive_maintenance.scatter import Array, Scatter, fit, running_median
from common.errors import ConfigError

USUAL = 0.9
"""The quantile of a held-out block's distances that stands for the block."""
IMPULSIVE = 0.95
"""The quantile of healthy kurtosis that a machine's own impulses are compared with."""
SIGMAS = 4.0
SequenceDistance = Callable[[NDArray[np.float32]], Array]
"""[n, axes, features] residuals over noise, in order → [n] distances."""


@dataclass(frozen=True, slots=True, eq=False)
class Healthy:
    """Healthy time of one machine, in order."""

    features: NDArray[np.float32]
    """[windows, axes, features]; NaN in bands above the sampling rate."""
    states: tuple[str, ...]
    """The operating state of each window."""
    velocity_mm_s: NDArray[np.float32]
    """[windows], worst axis."""
    acceleration_m_s2: NDArray[np.float32]
    """[windows], worst axis."""
    kurtosis: NDArray[np.float32]
    """[windows], raw, worst axis."""
    wall_times: NDArray[np.float64]
    """UTC, seconds since 1970."""
    verdicts: tuple[str, ...] = ()
    """What the station decided of each window then; empty where it decided nothing."""

    def __len__(self) -> int:
        """Windows in it."""
        return len(self.states)


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """What was learned of one machine; immutable, versioned, kept with its history."""

    asset: str
    version: int
    """1 until the shelf has numbered it."""
    axes: int
    used: NDArray[np.bool_]
    """[axes × features]: the p features that every healthy window had."""
    states: tuple[str, ...]
    centres: Array
    """[states, p] medians of the features."""
    scatter: Scatter
    smooth: int
    """Windows of which the median is taken before a distance."""
    limits: dict[str, float]
    """Distance at which a method says "not normal": signature, pca and, with a model, lstm."""
    velocity_mm_s: Array
    """[states] medians."""
    acceleration_m_s2: Array
    """[states] medians."""
    acceleration_spread: tuple[float, float]
    """Mean and standard deviation of healthy windows over their state's median."""
    kurtosis: float
    """Raw, that one healthy window in twenty exceeds."""
    windows: int
    first_wall_time: float
    last_wall_time: float
    notes: tuple[str, ...] = ()
    """What a person should know of it."""
    model: str = ""
    """The sequence model that the lstm limit was learned with."""
    held_out: dict[str, Array] = field(default_factory=dict)
    """By method: distance over limit of healthy windows, each judged by a baseline that did
    not see its block. Kept while learning, not stored."""

    def state_index(self, key: str) -> int | None:
        """Where a state stands; None: never seen healthy, so it cannot be judged."""
        return self.states.index(key) if key in self.states else None

    def acceleration_usual(self, state: int) -> float:
        """m/s²: `SIGMAS` standard deviations above the healthy mean of a state."""
        mean, deviation = self.acceleration_spread
        return float(self.acceleration_m_s2[state]) * (mean + SIGMAS * deviation)

    def residual(self, features: NDArray[np.float32], state: int) -> Array | None:
        """[p] features [axes, features] less the state's centre; None: does not fit."""
        flat = features.reshape(-1)
        if len(flat) != len(self.used):
            return None
        values = flat[self.used].astype(np.float64)
        return values - self.centres[state] if np.isfinite(values).all() else None

    def over_noise(self, residuals: Array) -> NDArray[np.float32]:
        """[n, axes, features] of residuals [n, p] over single windows' noise; 0 if unused."""
        return _over_noise(residuals, self.scatter, self.used, self.axes)


def learn(
    asset: str,
    healthy: Healthy,
    rules: BaselineRules,
    sequence: SequenceDistance | None = None,
) -> Baseline:
    """The baseline of healthy windows; `wizard.propose` says whether they are fit.

    Raises ConfigError where there are too few to learn anything from.
    """
    flat = healthy.features.reshape(len(healthy), -1).astype(np.float64)
    used = np.asarray(np.isfinite(flat).all(axis=0), np.bool_)
    values, keys = flat[:, used], np.asarray(healthy.states)
    names = known_states(healthy.states, rules.min_state_windows)
    centres = _centres(values, keys, names)
    axes = healthy.features.shape[1]
    blocks = list(_unseen(values, keys, names, rules))
    if not blocks:
        raise ConfigError(f"{asset}: nothing can be learned from {len(healthy)} windows")
    limits, held_out = {}, {}
    for name, distance in _distances(used, axes, rules.smooth_windows, sequence).items():
        found = [distance(scatter, residuals) for scatter, residuals in blocks]
        limits[name] = rules.margin * _typical(found)
        held_out[name] = np.concatenate(found) / limits[name]
    return Baseline(
        asset, 1, axes, used, names, centres,
        fit(_residuals(values, keys, names, centres), rules.smooth_windows),
        rules.smooth_windows, limits,
        velocity_mm_s=_medians(healthy.velocity_mm_s, keys, names),
        acceleration_m_s2=_medians(healthy.acceleration_m_s2, keys, names),
        acceleration_spread=_relative(healthy.acceleration_m_s2, keys, names),
        kurtosis=float(np.quantile(healthy.kurtosis, IMPULSIVE)),
        windows=len(healthy),
        first_wall_time=float(healthy.wall_times.min()),
        last_wall_time=float(healthy.wall_times.max()),
        held_out=held_out,
    )  # fmt: skip


def known_states(keys: Sequence[str], least: int) -> tuple[str, ...]:
    """States with at least `least` windows, or, when there is none, the commonest."""
    names, counts = np.unique(np.asarray(keys), return_counts=True)
    enough = names[counts >= least]
    return tuple(str(n) for n in (enough if len(enough) else names[[counts.argmax()]]))


def unsteadiness(held_out: Array, blocks: int) -> float:
    """How many times farther the oddest block lies from the rest than is usual."""
    usual = [float(np.quantile(part, USUAL)) for part in np.array_split(held_out, blocks)]
    return max(usual) / max(float(np.median(usual)), 1e-12)


def _unseen(
    values: Array, keys: NDArray[np.str_], names: tuple[str, ...], rules: BaselineRules
) -> Iterator[tuple[Scatter, Array]]:
    """Per block: the scatter of all other blocks, and this block's residuals from those."""
    everything = np.arange(len(values))
    for block in np.array_split(everything, rules.blocks):
        rest = np.setdiff1d(everything, block)
        if len(rest) < 3:
            continue
        seen = known_states(keys[rest].tolist(), 3)
        there = tuple(name for name in names if name in seen)
        if not np.isin(keys[block], there).any():
            continue
        centres = _centres(values[rest], keys[rest], there)
        scatter = fit(
            _residuals(values[rest], keys[rest], there, centres), rules.smooth_windows
        )
        yield scatter, _residuals(values[block], keys[block], there, centres)


def _distances(
    used: NDArray[np.bool_], axes: int, smooth: int, sequence: SequenceDistance | None
) -> dict[str, Callable[[Scatter, Array], Array]]:
    """Every method as (scatter, residuals in order) → distances."""
    methods: dict[str, Callable[[Scatter, Array], Array]] = {
        "signature": lambda scatter, r: scatter.signature(running_median(r, smooth)),
        "pca": lambda scatter, r: scatter.reconstruction(running_median(r, smooth)),
    }
    if sequence is not None:
        methods["lstm"] = lambda scatter, r: sequence(_over_noise(r, scatter, used, axes))
    return methods


def _typical(blocks: list[Array]) -> float:
    """What unseen healthy blocks usually show.

    The median over blocks: a warm-up or one odd hour in the healthy time does not move it.
    """
    usual = [float(np.quantile(found, USUAL)) for found in blocks]
    return max(float(np.median(usual)), 1e-12) if usual else 1.0


def _over_noise(
    residuals: Array, scatter: Scatter, used: NDArray[np.bool_], axes: int
) -> NDArray[np.float32]:
    whole = np.zeros((len(residuals), len(used)), np.float32)
    whole[:, used] = residuals / scatter.noise
    return whole.reshape(len(residuals), axes, -1)


def _centres(values: Array, keys: NDArray[np.str_], names: tuple[str, ...]) -> Array:
    return np.stack([np.median(values[keys == name], axis=0) for name in names])


def _residuals(
    values: Array, keys: NDArray[np.str_], names: tuple[str, ...], centres: Array
) -> Array:
    """Windows of known states, in order, less their state's centre."""
    known = np.isin(keys, names)
    index = [names.index(key) for key in keys[known]]
    return np.asarray(values[known] - centres[index])


def _relative(
    values: NDArray[np.float32], keys: NDArray[np.str_], names: tuple[str, ...]
) -> tuple[float, float]:
    known = np.isin(keys, names)
    medians = dict(zip(names, _medians(values, keys, names), strict=True))
    ratios = values[known] / np.array([medians[key] for key in keys[known]])
    return float(np.mean(ratios)), float(np.std(ratios))


def _medians(
    values: NDArray[np.float32], keys: NDArray[np.str_], names: tuple[str, ...]
) -> Array:
    return np.array([float(np.median(values[keys == name])) for name in names])
