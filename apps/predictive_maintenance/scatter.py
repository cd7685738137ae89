"""How healthy windows lie around their centres, and two distances learned from that.

The signature is a Mahalanobis distance: how improbable the whole pattern of bands is. The
reconstruction error of a PCA is the plain method beside it. Windows are noisy and machines
are slow, so both are taken of the median of the last windows.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SCATTER_FLOOR = 0.05
"""Neper of power (0.2 dB): no sensor repeats itself better."""
POOLED_WINDOWS = 20
"""A band's own scatter counts for as much as the pooled one after so many windows."""
EXPLAINED = 0.9
"""Share of healthy scatter that the PCA's components explain."""


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """Fitted to the residuals (features less their state's centre) of healthy windows."""

    noise: Array
    """[p] spread of single windows."""
    middle: Array
    """[p] of smoothed residuals."""
    spread: Array
    """[p] of smoothed residuals."""
    precision: Array
    """[p, p], of smoothed residuals over their spread."""
    components: Array
    """[k, p] of the PCA."""

    def signature(self, smoothed: Array) -> Array:
        """Mahalanobis distance per root of dimensions of [n, p] smoothed residuals."""
        z = (smoothed - self.middle) / self.spread
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", z @ self.precision, z) / z.shape[1]))

    def both(self, smoothed: Array) -> tuple[float, float]:
        """Signature and reconstruction error of one [p] smoothed residual: the same figures."""
        z = (smoothed - self.middle) / self.spread
        rest = z - (self.components @ z) @ self.components
        size = len(z)
        return math.sqrt(z @ self.precision @ z / size), math.sqrt(rest @ rest / size)

    def reconstruction(self, smoothed: Array) -> Array:
        """Root mean square of [n, p] that the PCA's components do not explain."""
        z = (smoothed - self.middle) / self.spread
        rest = z - (z @ self.components.T) @ self.components
        return np.asarray(np.sqrt(np.mean(rest**2, axis=1)))


def fit(residuals: Array, windows: int) -> Scatter:
    """The scatter of [n, p] residuals in order, smoothed over `windows`.

    Spreads are drawn to the common one, correlations to none, as long as windows are few.
    """
    smoothed = running_median(residuals, windows)
    count, size = smoothed.shape
    middle = np.median(smoothed, axis=0)
    spread = _spread(smoothed - middle)
    z = (smoothed - middle) / spread
    covariance = z.T @ z / count
    weight = size / (count + size)
    target = np.eye(size) * float(np.trace(covariance)) / size
    precision = np.linalg.inv((1 - weight) * covariance + weight * target)
    return Scatter(_spread(residuals), middle, spread, precision, _components(z))


def running_median(residuals: Array, windows: int) -> Array:
    """Median of each row and up to `windows` - 1 rows before it."""
    short = min(windows, len(residuals))
    if short <= 1:
        return residuals
    first = [np.median(residuals[: at + 1], axis=0) for at in range(short - 1)]
    view = np.lib.stride_tricks.sliding_window_view(residuals, short, axis=0)
    return np.concatenate([np.reshape(first, (short - 1, -1)), np.median(view, axis=-1)])


def _spread(residuals: Array) -> Array:
    variance = np.mean(residuals**2, axis=0)
    weight = len(residuals) / (len(residuals) + POOLED_WINDOWS)
    pooled = float(np.median(variance))
    return np.asarray(np.sqrt(weight * variance + (1 - weight) * pooled + SCATTER_FLOOR**2))


def _components(z: Array) -> Array:
    _, singular, rows = np.linalg.svd(z, full_matrices=False)
    share = np.cumsum(singular**2) / max(float(np.sum(singular**2)), 1e-300)
    count = int(np.searchsorted(share, EXPLAINED)) + 1
    return np.asarray(rows[: min(count, max(1, z.shape[1] // 2))])
