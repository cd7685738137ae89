"""What our own code costs beside the library's: the wrapper, and a process of its own.

Always a difference of neighbouring calls, or within one: a machine with neighbours is never
twice as fast as itself.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np

from apps.model_bench.idle import Idle
from common.inference.benchmark import Work, bare, interleaved, timed_ms
from common.pipeline import percentiles
from common.ports import Arrays, Runtime
from hardware.catalog import open_runtime
from hardware.runtimes.worker import Launch, WorkerRuntime

LEAST_CALLS, IDLE_CALLS = 5, 500


def overhead_ms(runtime: str, path: Path, seconds: float) -> dict[str, float | None]:
    """Medians: our call minus the library's own; one to another process minus what runs there.

    On one thread, because the threads of a session that just ended still spin and would be
    counted against the next one. The wrapper works in the thread that calls, so its part is
    that thread's processor time: what neighbours take of the machine is not in it. The other
    process says how long its network took, for two networks on two cores never take equally
    long; what finds cold caches after that is counted.
    """
    here = open_runtime(runtime, path, threads=1)
    other = cast(WorkerRuntime, open_runtime(runtime, path, own_process=True, threads=1))
    try:
        arrays = example(here)
        call = bare(here, arrays)

        def ours() -> object:
            return here.run(arrays)

        return {
            "wrapper": call and _difference(ours, call, seconds, time.thread_time),
            "own_process": round(median(handed_over(other, arrays, _rounds(ours, seconds))), 3),
        }
    finally:
        here.close()
        other.close()


def hand_over_ms(calls: int = IDLE_CALLS) -> dict[str, float]:
    """What handing 640×640×3 to another process and its answer back takes, and no more.

    In a network's own figure the caches are colder, which the network leaves behind.
    """
    nowhere = Path("idle")
    other = WorkerRuntime(Launch("idle", Idle.__module__, Idle.__name__, nowhere))
    try:
        return percentiles(handed_over(other, example(other), calls))
    finally:
        other.close()


def handed_over(other: WorkerRuntime, arrays: Arrays, calls: int) -> list[float]:
    """Durations of calls to another process, less what its runtime took there, in ms."""
    other.run(arrays)  # the first one says where its arrays lie
    return [timed_ms(lambda: other.run(arrays)) - 1000 * other.took_s for _ in range(calls)]


def example(runtime: Runtime) -> dict[str, np.ndarray]:
    """One picture of noise: values cost no time, save on zeros some hardware skips."""
    rng = np.random.default_rng(1)
    return {
        spec.name: (rng.random([max(1, size) for size in spec.shape]) * 255).astype(spec.dtype)
        for spec in runtime.inputs
    }


def _difference(
    one: Work, other: Work, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Median of the differences of neighbouring calls, in ms, over about `seconds`."""
    pairs = zip(*interleaved(one, other, _rounds(other, seconds), clock), strict=True)
    return round(median(ours - theirs for ours, theirs in pairs), 3)


def _rounds(work: Work, seconds: float) -> int:
    """How often it can be done twice in about that time."""
    return max(LEAST_CALLS, min(500, int(seconds * 500 / max(timed_ms(work), 0.01))))
