"""How far machines are from their own normal, many at a time.

Keeps each machine's last residuals, because distances are taken of the last windows
together: of their median by signature and PCA, of their sequence by the network. One
inference serves all machines of a batch.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.domain import BandChange, Health
from apps.predictive_maintenance.scatter import Array
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.vibration import Measured, band_name
from common.inference.waveforms import BANDS

CHANGES_SHOWN = 3
DB_PER_NEPER = 10 / float(np.log(10))


class Comparison:
    """Fills baseline levels and distances into judged Health; raises RuntimeFailure."""

    def __init__(self, model: SequenceModel | None) -> None:
        self._model = model
        self._steps = model.steps if model else 0
        self._baselines: dict[str, Baseline] = {}
        self._histories: dict[str, list[Array]] = {}

    def use(self, baseline: Baseline) -> None:
        """Compare this machine with another baseline from now on."""
        self._baselines[baseline.asset] = baseline
        self._histories.pop(baseline.asset, None)

    def __call__(self, found: list[Health], measured: Mapping[int, Measured]) -> None:
        """Replace, in place, each Health that was measured by one with its distances."""
        compared = []
        for at, figures in measured.items():
            baseline = self._baselines.get(found[at].asset)
            state = baseline.state_index(found[at].state.key) if baseline else None
            if baseline is None or state is None:
                why = "no baseline" if baseline is None else "state was never learned"
                found[at] = replace(found[at], reason=why)
                continue
            found[at] = _usual(found[at], baseline, state)
            residual = baseline.residual(figures.features, state)
            if residual is None:
                found[at] = replace(found[at], reason="does not fit its baseline")
                continue
            self._remember(baseline, residual)
            compared.append(at)
        self._distances(found, compared)
        self._sequences(found, compared)

    def _remember(self, baseline: Baseline, residual: Array) -> None:
        history = self._histories.setdefault(baseline.asset, [])
        history.append(residual)
        del history[: -max(baseline.smooth, self._steps)]

    def _distances(self, found: list[Health], members: list[int]) -> None:
        """Signature and PCA of the median of the last windows."""
        groups: dict[tuple[int, int], list[int]] = {}
        for at in members:
            baseline, history = self._of(found[at])
            if len(history) >= baseline.smooth:
                groups.setdefault((baseline.smooth, len(history[-1])), []).append(at)
            else:
                why = f"{len(history)} of {baseline.smooth} windows so far"
                found[at] = replace(found[at], reason=why)
        for (smooth, _), ready in groups.items():
            recent = np.stack([self._of(found[at])[1][-smooth:] for at in ready])
            for at, smoothed in zip(ready, np.median(recent, axis=1), strict=True):
                found[at] = _compared(found[at], self._of(found[at])[0], smoothed)

    def _sequences(self, found: list[Health], members: list[int]) -> None:
        """The network's distance of the last windows; all machines of equal axes at once."""
        groups: dict[int, list[int]] = {}
        for at in members:
            baseline, history = self._of(found[at])
            known = self._model is not None and baseline.model == self._model.name
            if known and len(history) >= self._steps:
                groups.setdefault(baseline.axes, []).append(at)
        for ready in groups.values():
            for at, distance in zip(ready, self._network(found, ready), strict=True):
                limit = self._of(found[at])[0].limits["lstm"]
                found[at] = replace(found[at], sequence=float(distance) / limit)

    def _network(self, found: list[Health], members: list[int]) -> NDArray[np.float64]:
        sequences = []
        for at in members:
            baseline, history = self._of(found[at])
            recent = baseline.over_noise(np.stack(history[-self._steps :]))
            sequences.append(recent.transpose(1, 0, 2))
        assert self._model is not None  # noqa: S101 - nobody is a member without one
        return self._model.distances(np.stack(sequences))

    def _of(self, health: Health) -> tuple[Baseline, list[Array]]:
        return self._baselines[health.asset], self._histories[health.asset]


def _usual(health: Health, baseline: Baseline, state: int) -> Health:
    """What the machine's levels are when it is healthy and runs like this."""
    return replace(
        health,
        velocity_baseline=float(baseline.velocity_mm_s[state]),
        acceleration_baseline=float(baseline.acceleration_m_s2[state]),
        acceleration_usual=baseline.acceleration_usual(state),
        kurtosis_baseline=baseline.kurtosis,
    )


def _compared(health: Health, baseline: Baseline, smoothed: Array) -> Health:
    scatter, limits, row = baseline.scatter, baseline.limits, smoothed[None]
    return replace(
        health,
        signature=float(scatter.signature(row)[0]) / limits["signature"],
        reconstruction=float(scatter.reconstruction(row)[0]) / limits["pca"],
        changes=_changes(smoothed, baseline),
    )


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
