"""Learning a baseline with care: what the healthy time holds, and why it is refused.

A baseline from too little, unsteady or already damaged time would hide what it is for. So
it is refused with reasons; a person may still take it with the reasons noted on it.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from apps.predictive_maintenance import zones
from apps.predictive_maintenance.baseline import (
    Baseline,
    Healthy,
    SequenceDistance,
    learn,
    unsteadiness,
)
from apps.predictive_maintenance.config import BaselineRules, Machine
from apps.predictive_maintenance.domain import Health, Verdict
from apps.predictive_maintenance.vibration import Measured
from common.errors import ConfigError

ILL = (Verdict.STOP.value, Verdict.PLAN.value)


def healthy_time(judged: Iterable[tuple[Health, Measured]]) -> Healthy:
    """Judged windows of one machine, in order; raises ConfigError where there are none.

    Windows whose axes or rate differ from the first one's are left out.
    """
    pairs = [(health, figures) for health, figures in judged if health.judged]
    if not pairs:
        raise ConfigError("no window of this time was steady and of good quality")
    shape = pairs[0][1].features.shape
    pairs = [pair for pair in pairs if pair[1].features.shape == shape]
    health = [pair[0] for pair in pairs]
    return Healthy(
        np.stack([figures.features for _, figures in pairs]),
        tuple(h.state.key for h in health),
        np.array([h.velocity_mm_s for h in health], np.float32),
        np.array([h.acceleration_m_s2 for h in health], np.float32),
        np.array([h.kurtosis for h in health], np.float32),
        np.array([h.wall_time for h in health], np.float64),
    )


def propose(
    asset: str,
    healthy: Healthy,
    machine: Machine,
    rules: BaselineRules,
    sequence: tuple[str, SequenceDistance] | None = None,
) -> Baseline:
    """The baseline of this time; its `notes` are the reasons to refuse it, if any.

    `sequence` is the sequence model's name and distance, where one is loaded.
    """
    name, distance = sequence or ("", None)
    learned = learn(asset, healthy, rules, distance)
    notes = (
        *_too_little(healthy, rules),
        *_unlike(learned, rules),
        *_ill(healthy, machine, rules),
    )
    return replace(learned, notes=notes, model=name)


def _too_little(healthy: Healthy, rules: BaselineRules) -> tuple[str, ...]:
    if len(healthy) < rules.min_windows:
        return (f"{len(healthy)} windows; {rules.min_windows} are needed",)
    return ()


def _unlike(learned: Baseline, rules: BaselineRules) -> tuple[str, ...]:
    """The parts of the time differ more from each other than windows do."""
    times = unsteadiness(learned.held_out["signature"], rules.blocks)
    if times > rules.unsteady:
        return (f"unsteady: one part lies {times:.1f} times as far from the rest as usual",)
    return ()


def _ill(healthy: Healthy, machine: Machine, rules: BaselineRules) -> tuple[str, ...]:
    """What a machine in order does not show."""
    judged = {verdict: healthy.verdicts.count(verdict) for verdict in ILL}
    notes = [
        f"{many} of {len(healthy)} records were judged {verdict}"
        for verdict, many in judged.items()
        if many
    ]
    kurtosis = float(np.median(healthy.kurtosis))
    if kurtosis > rules.kurtosis:
        notes.append(f"full of shocks: raw kurtosis {kurtosis:.1f}, limit {rules.kurtosis:g}")
    if machine.group and machine.kind not in zones.OTHER_STANDARDS:
        velocity = float(np.median(healthy.velocity_mm_s))
        zone = zones.limits(machine.group, machine.support).zone(velocity)
        if zone in "CD":
            notes.append(f"velocity {velocity:.1f} mm/s is zone {zone} already")
    return tuple(notes)
