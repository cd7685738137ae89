"""Whether a record may be judged at all: what is wrong with it, in words.

A broken sensor must never look like a quiet machine. Everything found here is a technical
alarm of the measurement, never a score of the machine.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.config import Machine, QualityRules
from apps.predictive_maintenance.domain import Window
from common.quality import Quality

TEMPERATURES_C = -50.0, 500.0
"""What bearings have; beyond it lies what a broken sensor or an empty register says."""
GLIMPSE_SAMPLES = 256
CACHED_ROWS = 8
"""Looked at together: they stay in the processor's cache from one look to the next."""


def window_fault(window: Window, machine: Machine, rules: QualityRules) -> str:
    """What is wrong with a window's form and its accompanying values; empty: nothing."""
    samples = window.acceleration
    if samples.ndim != 2 or not 1 <= samples.shape[0] <= 3:
        return f"shape {list(samples.shape)}; expected [1–3 axes, samples]"
    if machine.axes and samples.shape[0] != machine.axes:
        return f"{samples.shape[0]} axes; configured are {machine.axes}"
    if samples.dtype.kind not in "fiu":
        return f"samples of type {samples.dtype}; expected numbers"
    if samples.shape[1] < rules.min_samples:
        return f"{samples.shape[1]} samples; at least {rules.min_samples} are needed"
    return _rate_fault(window.fs_hz, machine, rules) or _value_fault(window)


def _rate_fault(fs_hz: float, machine: Machine, rules: QualityRules) -> str:
    if not (math.isfinite(fs_hz) and fs_hz >= rules.min_rate_hz):
        return f"sampling rate of {fs_hz:g} Hz; at least {rules.min_rate_hz:g} are expected"
    if machine.fs_hz and abs(fs_hz - machine.fs_hz) > rules.rate_tolerance * machine.fs_hz:
        return f"sampled at {fs_hz:g} Hz; configured are {machine.fs_hz:g} Hz"
    return ""


def _value_fault(window: Window) -> str:
    for name in ("rpm", "rpm_change", "load"):
        value = getattr(window, name)
        if value is not None and not math.isfinite(value):
            return f"{name} is not a finite number"
    return ""


def temperature_fault(window: Window, machine: Machine) -> str:
    """What is wrong with the bearing's temperature alone; empty: nothing."""
    celsius, (low, high) = window.temperature_c, TEMPERATURES_C
    if celsius is None:
        missed = machine.temperature_alarm_c and window.quality is Quality.GOOD
        return "no temperature comes, and it has a limit" if missed else ""
    return "" if low <= celsius <= high else f"temperature of {celsius:g} °C"


def glimpse(window: Window) -> NDArray[Any]:
    """Some samples of every axis, evenly over the record: enough to know it again."""
    samples = window.acceleration
    return samples[:, :: max(1, samples.shape[1] // GLIMPSE_SAMPLES)].copy()


def record_faults(
    records: NDArray[np.float32], full_scale: NDArray[np.float64], rules: QualityRules
) -> list[str]:
    """What is wrong with each row of `records` [rows, samples] in m/s²; empty: nothing.

    `full_scale` [rows] is each sensor's range in m/s², 0 where it is not known: then only
    samples that stand on the row's own extreme tell clipping.
    """
    faults: list[str] = []
    half = records.shape[1] // 2
    even = np.full(half, 1 / half, np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for at in range(0, len(records), CACHED_ROWS):
            some = slice(at, at + CACHED_ROWS)
            faults += _faults(records[some], full_scale[some], even, rules)
    return faults


def _faults(
    records: NDArray[np.float32],
    full_scale: NDArray[np.float64],
    even: NDArray[np.float32],
    rules: QualityRules,
) -> list[str]:
    """`even` [half of the samples]: a product with it is the mean."""
    half = len(even)
    parts = [np.vecdot(part, even) for part in (records[:, :half], records[:, -half:])]
    means = np.stack(parts, axis=1).astype(np.float64)
    high, low = (e.astype(np.float64) for e in (records.max(axis=1), records.min(axis=1)))
    fine = np.isfinite(means).all(axis=1) & np.isfinite(high - low)
    faults = []
    for row in range(len(records)):
        if not fine[row]:
            faults.append("holds NaN or infinity")
            continue
        held = int(np.count_nonzero(records[row, 1:] == records[row, :-1]))
        first, second = means[row].tolist()
        facts = _Facts(
            records[row], float(high[row]), float(low[row]), (first + second) / 2,
            second - first, held, float(full_scale[row]),
        )  # fmt: skip
        faults.append(facts.fault(rules))
    return faults


class _Facts:
    """One row, and what one pass over all rows said of it."""

    def __init__(
        self, row: NDArray[np.float32], high: float, low: float, mean: float, drift: float,
        held: int, full_scale: float,
    ) -> None:  # fmt: skip
        self.row, self.high, self.low, self.mean = row, high, low, mean
        self.drift, self.held, self.full_scale = drift, held, full_scale

    def fault(self, rules: QualityRules) -> str:
        """The first thing that is wrong with it."""
        if self.high - self.low <= rules.flat_m_s2:
            return f"flat line at {self.mean:.3g} m/s²"
        if self.held >= rules.held_samples and self._longest_hold() >= rules.held_samples:
            return f"samples missing: one value held {self._longest_hold()} times"
        clipped = self._clipped_share()
        if clipped > rules.clipped_share:
            return f"clipped: {clipped:.2%} of the samples stand at the rail"
        if abs(self.mean) > rules.bias_m_s2:
            return f"bias of {self.mean:.3g} m/s²"
        if self._drifts(rules.drift_ratio):
            return f"bias drifts by {self.drift:.3g} m/s² within the record"
        return ""

    def _drifts(self, ratio: float) -> bool:
        if abs(self.drift) < 0.25 * (self.high - self.low):
            return False  # a drift that rules the record is half its span
        return abs(self.drift) > ratio * float(np.std(self.row, dtype=np.float64))

    def _longest_hold(self) -> int:
        changes = np.flatnonzero(np.diff(self.row) != 0)
        edges = np.concatenate([[-1], changes, [len(self.row) - 1]])
        return int(np.diff(edges).max())

    def _clipped_share(self) -> float:
        """Samples at the rail: at full scale, or, often and on end, at the extremes."""
        rail = 0.999 * self.full_scale
        if rail and max(self.high, -self.low) >= rail:
            return float(np.count_nonzero(np.abs(self.row) >= rail)) / len(self.row)
        if self.held == 0:
            return 0.0
        at_end = (self.row == self.high) | (self.row == self.low)
        on_end = np.count_nonzero(at_end[1:] & at_end[:-1] & (np.diff(self.row) == 0))
        return float(on_end) / len(self.row)
