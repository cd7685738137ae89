"""Perceive and decide joined for data that is at hand: what `evaluate` and training run.

The very code of the station, without devices. Beside the shipped methods stand the plain
ones that they have to beat: RMS alone, and velocity RMS with kurtosis, both by standard
deviations above the healthy mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.config import Machine, Settings
from apps.predictive_maintenance.decide import Rules
from apps.predictive_maintenance.domain import Batch, Decision, Health
from apps.predictive_maintenance.limits import readings, severity
from apps.predictive_maintenance.perceive import Perceive
from apps.predictive_maintenance.remembered import State
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.vibration import Measured

SIGMAS = 4.0
METHODS = ("rms", "rms_kurtosis", "pca", "signature", "lstm", "fused")
Scores = dict[str, float]
"""By method, of one window: 1 is that method's limit, NaN where it has no score."""


class Bench:
    """Machines that are looked at and judged window by window."""

    def __init__(
        self,
        machines: Mapping[str, Machine],
        settings: Settings,
        model: SequenceModel | None,
    ) -> None:
        self.machines, self.settings, self.model = machines, settings, model
        self._perceive = Perceive(machines, settings.quality, settings.states, model)
        self._rules = Rules(machines, settings.decide)
        self._state: State = {}

    def use(self, baseline: Baseline) -> None:
        """Compare with this baseline from now on."""
        self._perceive.use(baseline)

    def look(self, batch: Batch) -> list[tuple[Health, Measured | None]]:
        """What is perceived of each window, and what was measured of judged ones."""
        health, measured = self._perceive.look(batch)
        return [(h, measured.get(h.asset)) for h in health]

    def judge(self, health: tuple[Health, ...]) -> tuple[Decision, ...]:
        """The decisions on one batch."""
        self._state, decisions = self._rules(self._state, health)
        return decisions

    def fused(self, health: Health) -> float:
        """The largest evidence over its limit in one judged window."""
        machine = self.machines[health.asset]
        return severity(readings(health, machine, self.settings.decide))


@dataclass(frozen=True, slots=True)
class Plain:
    """The plain rules: mean and standard deviation of healthy windows, and 4 of those."""

    rms: tuple[float, float]
    velocity: tuple[float, float]
    kurtosis: tuple[float, float]

    @classmethod
    def of(cls, health: list[Health]) -> "Plain":
        """Learned from healthy windows."""
        return cls(
            *(
                (float(np.mean(values)), max(float(np.std(values)), 1e-12))
                for values in (
                    [h.acceleration_m_s2 for h in health],
                    [h.velocity_mm_s for h in health],
                    [h.kurtosis for h in health],
                )
            )
        )

    def scores(self, health: Health) -> Scores:
        """Deviations over the limit of four, by method."""
        rms = _sigmas(health.acceleration_m_s2, self.rms)
        velocity = _sigmas(health.velocity_mm_s, self.velocity)
        kurtosis = _sigmas(health.kurtosis, self.kurtosis)
        return {"rms": rms / SIGMAS, "rms_kurtosis": max(velocity, kurtosis) / SIGMAS}


def scores(bench: Bench, plain: Plain, health: Health) -> Scores:
    """All methods' scores of one judged window; NaN where a method has none."""
    learned = {
        "pca": health.reconstruction,
        "signature": health.signature,
        "lstm": health.sequence,
    }
    known = {name: np.nan if value is None else value for name, value in learned.items()}
    return {**plain.scores(health), **known, "fused": bench.fused(health)}


def series(found: list[Scores], method: str) -> NDArray[np.float64]:
    """One method's scores, in order, without the windows that it has none for."""
    values = np.array([scores[method] for scores in found], np.float64)
    return values[~np.isnan(values)]


def confirmed(over: NDArray[np.bool_], readings_running: int) -> int | None:
    """The index at which `over` has held for so many readings running; None: never."""
    running = 0
    for at, value in enumerate(over):
        running = running + 1 if value else 0
        if running >= readings_running:
            return at
    return None


def _sigmas(value: float, usual: tuple[float, float]) -> float:
    return (value - usual[0]) / usual[1]
