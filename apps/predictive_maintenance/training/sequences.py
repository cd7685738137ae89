"""What the network learns from: healthy time only, as each machine's own baseline sees it.

Simulated machines that change speed and load, and the healthy time of the data: the first
fifth of a run to failure, the normal recordings. Every source is a machine or a run of its
own, so that one can be left out as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.domain import Health
from apps.predictive_maintenance.evaluate import read_index
from apps.predictive_maintenance.evaluation import labelled, runs
from apps.predictive_maintenance.evaluation.offline import Bench
from apps.predictive_maintenance.evaluation.recordings import read_run
from apps.predictive_maintenance.evaluation.weeks import AXES, FS_HZ, SAMPLES
from apps.predictive_maintenance.simulate import STEP_S, WEEK_S, SimulatedMachine
from apps.predictive_maintenance.vibration import Measured
from apps.predictive_maintenance.wizard import healthy_time, propose

SEED = 4711
"""Not that of the weeks on which false alarms are counted."""
OverNoise = NDArray[np.float32]
"""[windows, axes, features]: residuals over the machine's own noise, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Healthy time of one machine or run."""

    name: str
    """What is left out together bears one name: a run, or a folder of labelled machines."""
    over_noise: OverNoise
    simulated: bool


def simulated(work: Path, machines: int, weeks: float) -> Iterator[Source]:
    """Machines of the simulator; what was made once is kept in `work`."""
    work.mkdir(parents=True, exist_ok=True)
    for number in range(machines):
        name = f"simulated-{number:02d}"
        path = work / f"{name}-{weeks:g}w.npz"
        if not path.exists():
            np.savez(path, over_noise=_simulated(number, weeks))
        with np.load(path, allow_pickle=False) as kept:
            yield Source(name, kept["over_noise"], True)


def recorded(folder: Path) -> Iterator[Source]:
    """The healthy time of one data folder: by run, or of all its labelled machines."""
    form, rows = read_index(folder)
    settings = Settings()
    if form == "runs":
        for row in rows:
            pairs, baseline = runs.learn(runs.rig(settings), read_run(folder, row))
            yield Source(row["file"], over_noise(baseline, pairs), False)
        return
    for members in labelled.groups_of(folder, rows).values():
        if labelled.normal(members):
            group = labelled.Group(settings, folder, members, None)
            yield Source(folder.name, over_noise(group.baseline, group.healthy), False)


def over_noise(baseline: Baseline, pairs: list[tuple[Health, Measured]]) -> OverNoise:
    """Judged windows as the network sees them; those of unknown states are left out."""
    found = []
    for health, figures in pairs:
        state = baseline.state_index(health.state.key)
        residual = None if state is None else baseline.residual(figures.features, state)
        if residual is not None:
            found.append(residual)
    return baseline.over_noise(np.stack(found))


def _simulated(number: int, weeks: float) -> OverNoise:
    """A machine's weeks as the baseline of its first week sees them."""
    machine = SimulatedMachine(SEED, number)
    bench = Bench({machine.asset: machine.settings()}, Settings(), None)
    pairs: list[tuple[Health, Measured]] = []
    for step in range(round(weeks * WEEK_S / STEP_S)):
        health, figures = bench.look((machine.window(step * STEP_S, FS_HZ, SAMPLES, AXES),))[0]
        if figures is not None:
            pairs.append((health, figures))
    first = [pair for pair in pairs if pair[0].at_s < WEEK_S]
    rules = bench.settings.baseline
    return over_noise(
        propose(machine.asset, healthy_time(first), machine.settings(), rules), pairs
    )
