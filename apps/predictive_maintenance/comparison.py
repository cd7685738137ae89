"""How far machines are from their own normal, many at a time.

Keeps each machine's last residuals, because distances are taken of the last windows
together: of their median by signature and PCA, of their sequence by the network. One
inference serves all machines of a batch.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.domain import BandChange, Health
from apps.predictive_maintenance.scatter import Array
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.vibration import Measured, band_name
from common.inference.waveforms import BANDS

CHANGES_SHOWN = 3
CHANGED = 0.7
"""Of the signature's limit: from here on it is worth saying what has changed."""
Figures = dict[str, Any]
"""Fields of Health, by name."""
DB_PER_NEPER = 10 / float(np.log(10))


class Comparison:
    """Fills baseline levels and distances into judged Health; raises RuntimeFailure."""

    def __init__(self, model: SequenceModel | None) -> None:
        self._model = model
        self._steps = model.steps if model else 0
        self._baselines: dict[str, Baseline] = {}
        self._histories: dict[str, _History] = {}

    def use(self, baseline: Baseline) -> None:
        """Compare this machine with another baseline from now on."""
        self._baselines[baseline.asset] = baseline
        self._histories.pop(baseline.asset, None)

    def __call__(self, found: list[Health], measured: Mapping[int, Measured]) -> None:
        """Replace, in place, each Health that was measured by one with its distances."""
        figures = {at: self._compare(found[at], measured[at]) for at in measured}
        ready = [at for at, known in figures.items() if "velocity_baseline" in known]
        ready = [at for at in ready if not figures[at].get("reason")]
        self._distances(found, figures, ready)
        self._sequences(found, figures, ready)
        for at, known in figures.items():
            found[at] = replace(found[at], **known)

    def _compare(self, health: Health, measured: Measured) -> Figures:
        """What the machine usually shows in this state; remembers how far it is from that."""
        baseline = self._baselines.get(health.asset)
        if baseline is None:
            return {"reason": "no baseline"}
        state = baseline.state_index(health.state.key)
        if state is None:
            return {"reason": "state was never learned"}
        usual: Figures = {
            "velocity_baseline": float(baseline.velocity_mm_s[state]),
            "acceleration_baseline": float(baseline.acceleration_m_s2[state]),
            "acceleration_usual": baseline.acceleration_usual(state),
            "kurtosis_baseline": baseline.kurtosis,
        }
        residual = baseline.residual(measured.features, state)
        if residual is None:
            return {**usual, "reason": "does not fit its baseline"}
        history = self._histories.get(baseline.asset)
        if history is None:
            history = self._histories[baseline.asset] = _History(baseline, self._steps)
        history.add(residual)
        return usual

    def _distances(
        self, found: list[Health], figures: dict[int, Figures], members: list[int]
    ) -> None:
        """Signature and PCA of the median of the last windows."""
        groups: dict[tuple[int, int], list[int]] = {}
        for at in members:
            baseline, history = self._of(found[at])
            if history.count >= baseline.smooth:
                size = history.residuals.shape[1]
                groups.setdefault((baseline.smooth, size), []).append(at)
            else:
                why = f"{history.count} of {baseline.smooth} windows so far"
                figures[at]["reason"] = why
        for ready in groups.values():
            recent = np.stack([self._of(found[at])[1].residuals for at in ready])
            for at, smoothed in zip(ready, middle(recent, axis=1), strict=True):
                figures[at] |= _compared(self._of(found[at])[0], smoothed)

    def _sequences(
        self, found: list[Health], figures: dict[int, Figures], members: list[int]
    ) -> None:
        """The network's distance of the last windows; all machines of equal axes at once."""
        groups: dict[int, list[int]] = {}
        for at in members:
            baseline, history = self._of(found[at])
            known = self._model is not None and baseline.model == self._model.name
            if known and history.count >= self._steps:
                groups.setdefault(baseline.axes, []).append(at)
        for ready in groups.values():
            for at, distance in zip(ready, self._network(found, ready), strict=True):
                limit = self._of(found[at])[0].limits["lstm"]
                figures[at]["sequence"] = float(distance) / limit

    def _network(self, found: list[Health], members: list[int]) -> NDArray[np.float64]:
        sequences = np.stack([self._of(found[at])[1].over_noise for at in members])
        assert self._model is not None  # noqa: S101 - nobody is a member without one
        return self._model.distances(sequences.transpose(0, 2, 1, 3))

    def _of(self, health: Health) -> "tuple[Baseline, _History]":
        return self._baselines[health.asset], self._histories[health.asset]


class _History:
    """The last residuals of one machine, oldest first: for smoothing, and for the network."""

    def __init__(self, baseline: Baseline, steps: int) -> None:
        size = int(np.count_nonzero(baseline.used))
        features = len(baseline.used) // baseline.axes
        self._baseline = baseline
        self.residuals: Array = np.zeros((baseline.smooth, size))
        self.over_noise = np.zeros((steps, baseline.axes, features), np.float32)
        self.count = 0
        """Windows since it began."""

    def add(self, residual: Array) -> None:
        """One window more; the oldest goes."""
        self.count += 1
        _push(self.residuals, residual)
        if len(self.over_noise):
            _push(self.over_noise, self._baseline.over_noise(residual[None])[0])


def _push(rows: NDArray[Any], row: NDArray[Any]) -> None:
    rows[:-1] = rows[1:]
    rows[-1] = row


def middle(values: Array, axis: int) -> Array:
    """The median of finite values, without what numpy's takes to look for others."""
    count = values.shape[axis]
    ordered = np.sort(values, axis=axis)
    upper = np.take(ordered, count // 2, axis)
    lower = upper if count % 2 else np.take(ordered, count // 2 - 1, axis)
    return np.asarray((lower + upper) / 2, np.float64)


def _compared(baseline: Baseline, smoothed: Array) -> Figures:
    limits = baseline.limits
    distance, reconstruction = baseline.scatter.both(smoothed)
    signature = distance / limits["signature"]
    return {
        "signature": signature,
        "reconstruction": reconstruction / limits["pca"],
        "changes": _changes(smoothed, baseline) if signature >= CHANGED else (),
    }


def _changes(smoothed: Array, baseline: Baseline) -> tuple[BandChange, ...]:
    """The bands farthest from normal, measured by how far healthy windows scatter."""
    features = len(baseline.used) // baseline.axes
    z = np.abs(smoothed - baseline.scatter.middle) / baseline.scatter.spread
    axis, feature = np.divmod(np.flatnonzero(baseline.used), features)
    bands = [int(at) for at in np.argsort(-z) if feature[at] < BANDS]
    return tuple(
        BandChange(
            int(axis[at]), *band_name(int(feature[at])), float(smoothed[at]) * DB_PER_NEPER
        )
        for at in bands[:CHANGES_SHOWN]
    )
