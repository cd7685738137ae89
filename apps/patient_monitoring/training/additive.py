"""The shipped kind of model: log odds as a sum of one bent line per feature, and NEWS2.

As good here as boosted trees and far easier to read: what a feature adds is a line that a
clinician can look at, and the sum of those lines is the whole model. Each line has a few
knots at the feature's own quantiles, is flat beyond them, and is held small by a ridge. To
what was learned comes a share of the chart's own points (`chart_points`).
"""

from dataclasses import dataclass, replace

import numpy as np

from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.skill import sigmoid
from apps.patient_monitoring.training.chart_points import ChartPoints, chart_points

KNOTS = 3
RIDGE = 50.0
NEWS2_SHARE = 0.35
"""How far NEWS2 spreads the log odds, beside what was learned."""
FLAT = (0.5, 99.5)
"""Percentiles beyond which a line goes on flat: nobody learns from a handful of hours."""
BATCH = 20_000
TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Additive:
    """log odds = offset + Σ line·z + Σ bends·max(z − knots, 0) + per_point · NEWS2.

    z is scaled and clipped.
    """

    typical: Array
    """[features]: put in the place of NaN; where every contribution is 0."""
    scale: Array
    low: Array
    high: Array
    knots: Array
    """[features, KNOTS], of z."""
    line: Array
    bends: Array
    offset: float
    points: ChartPoints
    per_point: float = 0.0

    @property
    def typical_points(self) -> Array:
        """[features]: NEWS2 of the typical patient, mostly 0."""
        return np.asarray(self.points.of(self.typical[None, :])[0])

    @property
    def at_typical(self) -> float:
        """Log odds of the typical patient."""
        bent = float((np.maximum(-self.knots, 0) * self.bends).sum())
        return bent + self.per_point * float(self.typical_points.sum()) + self.offset

    def contributions(self, features: Array) -> Array:
        """[n, features]: what each adds beside the typical patient."""
        there = filled(features, self)
        z = scaled(there, self)
        bent = np.maximum(z[:, :, None] - self.knots, 0) - np.maximum(-self.knots, 0)
        chart = self.per_point * (self.points.of(there) - self.typical_points)
        return np.asarray(z * self.line + (bent * self.bends).sum(axis=2) + chart)

    def log_odds(self, features: Array) -> Array:
        """[n]"""
        parts = [
            self.contributions(features[at : at + BATCH]).sum(axis=1)
            for at in range(0, len(features), BATCH)
        ]
        return np.concatenate(parts) + self.at_typical


def filled(features: Array, shape: Additive) -> Array:
    """NaN replaced by the typical value."""
    return np.where(np.isfinite(features), features, shape.typical)


def scaled(there: Array, shape: Additive) -> Array:
    """z: centred, in ordinary spreads, clipped; `there` holds no NaN."""
    return np.clip((there - shape.typical) / shape.scale, shape.low, shape.high)


def fit(
    features: Array, label: Array, weight: Array, ridge: float = RIDGE,
    news2_share: float = NEWS2_SHARE,
) -> Additive:  # fmt: skip
    """The additive model of `label` on `features` [n, features], NaN allowed."""
    learned = _learn(features, label, weight, ridge)
    there = filled(features, learned)
    points = learned.points.of(there).sum(axis=1)
    spread = float(np.std(learned.log_odds(features)) / max(float(np.std(points)), 1e-6))
    return replace(learned, per_point=news2_share * spread)


def _learn(features: Array, label: Array, weight: Array, ridge: float) -> Additive:
    blank = _shape_of(features)
    z = scaled(filled(features, blank), blank).astype(np.float32)
    count, width = z.shape
    basis = np.empty((count, width * (1 + KNOTS)), np.float32)
    basis[:, :width] = z
    for k in range(KNOTS):
        at = width * (1 + k)
        basis[:, at : at + width] = np.maximum(z - blank.knots[:, k].astype(np.float32), 0)
    found = logistic(basis, label, weight, ridge)
    return Additive(
        blank.typical, blank.scale, blank.low, blank.high, blank.knots,
        line=found[:width],
        bends=found[width:-1].reshape(KNOTS, width).T.copy(),
        offset=float(found[-1]),
        points=blank.points,
    )  # fmt: skip


def _shape_of(features: Array) -> Additive:
    """Typical value, scale, ends and knots of each feature; a line of nothing yet."""
    typical = np.nanmedian(features, axis=0).astype(float)
    low, high = np.nanpercentile(features, [16, 84], axis=0)
    scale = np.where(high - low > 1e-6, (high - low) / 2, np.nanstd(features, axis=0) + 1e-6)
    z = (features - typical) / scale
    ends = np.nanpercentile(z, FLAT, axis=0)
    at = np.linspace(0, 100, KNOTS + 2)[1:-1]
    knots = np.nanpercentile(z, at, axis=0).T.round(3)
    nothing = np.zeros(features.shape[1])
    return Additive(
        typical, scale, ends[0], ends[1], knots, nothing, knots * 0, 0.0,
        chart_points(features.shape[1]),
    )  # fmt: skip


def logistic(basis: Array, label: Array, weight: Array, ridge: float) -> Array:
    """Coefficients, offset last, of a ridge logistic regression (Newton's method).

    The offset is not held small. Single precision for the big products, double for the rest.
    """
    inputs = np.hstack([basis, np.ones((len(basis), 1), np.float32)])
    share = float(np.average(label, weights=weight))
    found = np.zeros(inputs.shape[1])
    found[-1] = np.log(share / (1 - share))
    hold = np.full(len(found), ridge)
    hold[-1] = 1e-6
    loss = _loss(inputs, label, weight, hold, found)
    for _ in range(25):
        p = sigmoid((inputs @ found.astype(np.float32)).astype(np.float64))
        slope = inputs.T @ (weight * (label - p)).astype(np.float32) - hold * found
        bend = (inputs * (weight * p * (1 - p)).astype(np.float32)[:, None]).T @ inputs
        step = np.linalg.solve(bend.astype(np.float64) + np.diag(hold), slope)
        while (new := _loss(inputs, label, weight, hold, found + step)) > loss:
            step = step / 2  # Newton overshoots where the start is far off
            if np.abs(step).max() < TOLERANCE:
                return found
        found, loss = found + step, new
        if np.abs(step).max() < TOLERANCE:
            break
    return found


def _loss(inputs: Array, label: Array, weight: Array, hold: Array, at: Array) -> float:
    odds = (inputs @ at.astype(np.float32)).astype(np.float64)
    fit_loss = weight * (np.logaddexp(0, odds) - label * odds)
    return float(fit_loss.sum() + (hold * at * at).sum() / 2)
