"""How fast counting is: beside the bare network, in parts, four cameras at once, and memory."""

import os
import time
from functools import partial
from typing import Any

import numpy as np

from apps.retail_analytics import bench_library, bench_shop
from apps.retail_analytics.bench_chain import Chain, Parts, drawn
from apps.retail_analytics.config import Settings
from common.inference.benchmark import interleaved, machine, ratio, timed_ms
from common.inference.bundle import Model
from common.inference.selection import Choice
from common.pipeline import percentiles

ROUNDS, QUICK_ROUNDS = 600, 40
SECONDS, QUICK_SECONDS = 300.0, 10.0
FILL_S, QUICK_FILL_S = 75.0, 0.0
"""Until all is there that a station keeps of its last minute."""
STRETCH = 20  # pictures that are timed together where several are under way


def bench(settings: Settings, path: Any, choice: Choice, quick: bool) -> dict[str, Any]:
    """All figures; `quick` takes seconds instead of minutes."""
    del path
    load = round(os.getloadavg()[0], 2)  # figures of a busy machine say little
    rounds = QUICK_ROUNDS if quick else ROUNDS
    fill_s, seconds = (QUICK_FILL_S, QUICK_SECONDS) if quick else (FILL_S, SECONDS)
    pictures = drawn()
    parts = Parts(settings, choice.model, pictures)
    chain = Chain(settings, choice.model, pictures)
    bare, whole = interleaved(parts.bare(), chain.work, rounds)
    chain.close()
    beside = Chain(settings, parts.without_model(), pictures)
    beside_ms = [_both_ms(beside) for _ in range(2 * rounds)]
    return {
        "runtime": choice.model.describe(),
        "reason": choice.reason,
        **_beside(whole, bare),
        "as_shipped": _as_shipped(settings, choice.model, parts, pictures, rounds),
        "beside_model_ms": percentiles([wall for wall, _ in beside_ms]),
        "beside_model_cpu_ms": percentiles([cpu for _, cpu in beside_ms]),
        "steps": parts.steps(rounds),
        "shop": bench_shop.run(settings, choice, pictures, seconds, fill_s),
        "library": bench_library.cost(parts.found, rounds),
        "machine": machine(),
        "load_1m": load,
    }


def _as_shipped(
    settings: Settings, model: Model, parts: Parts, pictures: list[np.ndarray], rounds: int
) -> dict[str, Any]:
    """Time per picture, with as many under way at once as the station has."""
    depth = settings.model.depth
    chain = Chain(settings, model, pictures, depth)
    bare, whole = interleaved(
        parts.bare_several(depth, STRETCH),
        partial(chain.work, STRETCH),
        max(1, rounds // STRETCH),
    )
    chain.close()
    return {"depth": depth} | _beside(
        [ms / STRETCH for ms in whole], [ms / STRETCH for ms in bare]
    )


def _beside(whole: list[float], bare: list[float]) -> dict[str, Any]:
    """The pipeline's time beside the bare network's, ms."""
    return {
        "pipeline_ms": percentiles(whole),
        "runtime_ms": percentiles(bare),
        "overhead_ratio": ratio(whole, bare),
        "overhead_ms": percentiles([a - b for a, b in zip(whole, bare, strict=True)])["p50"],
    }


def _both_ms(chain: Chain) -> tuple[float, float]:
    """Wall and processor time of one picture: the second means something beside others too."""
    start = time.thread_time()
    wall = timed_ms(chain.work)
    return wall, (time.thread_time() - start) * 1000
