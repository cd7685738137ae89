"""Perceive as the station runs it: with the baselines in use, and what was measured kept.

The figures and waveforms of the last batch are here until the next one: rows of history and
spectra for the screens are made of them, and no window outlives its turn.
"""

from collections.abc import Mapping

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.domain import Batch, Health
from apps.predictive_maintenance.perceive import Perceive
from apps.predictive_maintenance.vibration import Measured
from common.ports import Sample


class Look:
    """Sample of a batch → Health of each machine; raises RuntimeFailure."""

    def __init__(self, perceive: Perceive) -> None:
        self._perceive = perceive
        self.baselines: dict[str, Baseline] = {}
        """In use, by asset."""
        self.measured: Mapping[str, Measured] = {}
        self.windows: Batch = ()

    def __call__(self, sample: Sample[Batch]) -> tuple[Health, ...]:
        """The health of every machine in the batch, in its order."""
        self.windows, self.measured = sample.data, {}
        health, self.measured = self._perceive.look(sample.data)
        return health

    def use(self, baseline: Baseline) -> None:
        """Compare this machine with another baseline from now on."""
        self.baselines[baseline.asset] = baseline
        self._perceive.use(baseline)

    def forget(self, asset: str) -> None:
        """The last windows were of the machine as it was: its shape is judged by new ones."""
        if asset in self.baselines:
            self._perceive.use(self.baselines[asset])

    def baseline_version(self, asset: str) -> int:
        """Of the baseline in use; 0 is none."""
        baseline = self.baselines.get(asset)
        return baseline.version if baseline else 0
