"""Durations that mean something on a shared machine: always beside a floor, interleaved.

Absolute times on a machine with neighbours say little. So two things are timed in turn,
call by call, and what is reported is their ratio.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from common.inference.pipelined import keep_under_way
from common.pipeline import percentiles
from common.ports import Arrays, Runtime

Work = Callable[[], object]
Clock = Callable[[], float]


def interleaved(
    first: Work, second: Work, rounds: int, clock: Clock = time.perf_counter
) -> tuple[list[float], list[float]]:
    """Durations in ms of two pieces of work, called in turn `rounds` times."""
    ones, others = [], []
    for number in range(rounds + 3):
        one, other = timed_ms(first, clock), timed_ms(second, clock)
        if number >= 3:  # the first calls fill caches
            ones.append(one)
            others.append(other)
    return ones, others


def timed_ms(work: Work, clock: Clock = time.perf_counter) -> float:
    """Duration of one call in ms, by a clock that counts seconds."""
    start = clock()
    work()
    return (clock() - start) * 1000


def bare(runtime: Runtime, arrays: Arrays) -> Work | None:
    """The library's own call behind `runtime`, without ours; None where it shows none."""
    call: Callable[[Arrays], Work] | None = getattr(runtime, "bare", None)
    return None if call is None else call(arrays)


def bare_several(runtime: Runtime, arrays: Arrays, depth: int, count: int) -> Work | None:
    """The same `count` times, `depth` of them under way at once; else by its own `start`."""
    call: Callable[[Arrays, int, int], Work] | None = getattr(runtime, "bare_several", None)
    if call is not None:
        return call(arrays, depth, count)
    start = getattr(runtime, "start", None)
    return start and partial(keep_under_way, start, arrays, depth, count)


def ratio(work: list[float], floor: list[float]) -> float:
    """Median of `work` over median of `floor`."""
    return round(percentiles(work)["p50"] / percentiles(floor)["p50"], 3)


@contextmanager
def busy_cores(processes: int = 2) -> Iterator[None]:
    """Other programs that want the processor as long as the block runs."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_burn, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    time.sleep(1.0)  # until they really burn
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def _burn() -> None:
    while True:
        sum(range(10_000))


def rss_mb(pid: int | None = None) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{pid or os.getpid()}/status").read_text()
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(kilobytes.split()[1]) / 1024, 1)


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0))}
