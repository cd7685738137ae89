"""One inference at a time against several under way: what it brings and what it costs.

Pictures that are all there already go through an app's own perceive, as fast as they can.
What pipelining brings is pictures per second; what it costs is the age of each result. Both
depths are run in turn, several times, because shared machines change from minute to minute.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any, TypeVar

from common.overlap import Begin, Overlap
from common.pipeline import percentiles
from common.ports import Sample

Data = TypeVar("Data")
Percept = TypeVar("Percept")
TURNS = 3


def compare(
    open_at: Callable[
        [int, ExitStack], tuple[Callable[[], Sample[Data]], Begin[Data, Percept]]
    ],
    depths: tuple[int, ...] = (1, 2, 3),
    pictures: int = 60,
) -> dict[str, Any]:
    """Per depth: pictures per second and, from sensing to the result, ms.

    `open_at` opens an app's perceive at a depth: what gives the next sample, and what begins
    it. What it opened goes on the stack.
    """
    per_s: dict[int, list[float]] = {depth: [] for depth in depths}
    ages: dict[int, list[float]] = {depth: [] for depth in depths}
    for _ in range(TURNS):
        for depth in depths:
            with ExitStack() as opened:
                rate, found = _run(*open_at(depth, opened), depth, pictures)
            per_s[depth].append(rate)
            ages[depth] += found
    figures = {
        f"depth_{depth}": {
            "pictures_per_s": round(median(per_s[depth]), 1),
            "age_ms": percentiles(ages[depth]),
        }
        for depth in depths
    }
    ratios = {
        f"depth_{depth}_throughput_ratio": round(median(per_s[depth]) / median(per_s[1]), 3)
        for depth in depths[1:]
    }
    return figures | ratios


def _run(
    following: Callable[[], Sample[Data]],
    begin: Begin[Data, Percept],
    depth: int,
    pictures: int,
) -> tuple[float, list[float]]:
    """Pictures per second, and the age of each result in ms."""
    sensed: dict[str, float] = {}
    ages: list[float] = []

    def sense(timeout_s: float) -> Sample[Data]:
        del timeout_s
        sample = following()
        sensed[sample.id] = time.perf_counter()
        return sample

    pair, warm_up = Overlap(sense, begin, depth), 2 * depth
    started = 0.0
    for number in range(warm_up + pictures):
        if number == warm_up:
            started = time.perf_counter()
        sample = pair.sense(0.0)
        if isinstance(sample, Sample):
            pair.perceive(sample)
            ages.append((time.perf_counter() - sensed[sample.id]) * 1000)
    return pictures / (time.perf_counter() - started), ages[warm_up:]
