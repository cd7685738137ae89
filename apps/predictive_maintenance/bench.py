"""How much plant one core carries: beside the bare FFTs and inference, and sample to store.

Machines are simulated at the load of the aim: three axes at 25.6 kHz, a window of a second.
All of it runs on one core; the records are drawn beforehand, so that drawing costs nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.predictive_maintenance.bench_fleet import AXES, FS_HZ, MACHINES, SAMPLES, Fleet
from apps.predictive_maintenance.bench_latency import latency
from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.sequence import SequenceModel
from common.inference.benchmark import interleaved, machine, ratio
from common.pipeline import percentiles


def bench(
    settings: Settings, path: Path, quick: bool, model: SequenceModel | None = None
) -> dict[str, Any]:
    """All figures; `quick` takes seconds instead of minutes."""
    del path
    with one_core():
        fleet = Fleet(settings, model)
        rounds = 5 if quick else 30
        look = fleet.look(MACHINES)
        bare, whole = interleaved(fleet.bare(MACHINES), look, rounds)
        per_window = percentiles(whole)["p50"] / MACHINES
        figures = {
            "machines_realtime_one_core": int(1000 * SAMPLES / FS_HZ / per_window),
            "ms_per_machine_second": round(per_window, 4),
            "cost_ratio_bare": ratio(whole, bare),
            "scaling": fleet.scaling(3 if quick else 10),
            "verdict_latency_ms": latency(fleet, 5.0 if quick else 60.0),
            "memory": fleet.memory(3000 if quick else 100_000),
        }
    figures["model"] = model.name if model else None
    return {**figures, "load": _load(), "machine": machine()}


def _load() -> dict[str, Any]:
    return {"machines": MACHINES, "axes": AXES, "fs_hz": FS_HZ, "window_s": SAMPLES / FS_HZ}


@contextmanager
def one_core() -> Iterator[None]:
    """Keep the process, and the threads it starts, on the first core it may use."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
