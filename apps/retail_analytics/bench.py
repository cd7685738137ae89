"""How fast counting is: beside the bare network, in parts, four cameras at once, and memory."""

import os
import time
from typing import Any

from apps.retail_analytics import bench_library, bench_shop
from apps.retail_analytics.bench_chain import Chain, Parts, drawn
from apps.retail_analytics.config import Settings
from common.inference.benchmark import interleaved, machine, ratio, timed_ms
from common.inference.selection import Choice
from common.pipeline import percentiles

ROUNDS, QUICK_ROUNDS = 600, 40
SECONDS, QUICK_SECONDS = 300.0, 10.0
FILL_S, QUICK_FILL_S = 75.0, 0.0
"""Until all is there that a station keeps of its last minute."""


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
    beside = Chain(settings, parts.without_model(), pictures)
    beside_ms = [_both_ms(beside) for _ in range(2 * rounds)]
    return {
        "runtime": choice.model.describe(),
        "reason": choice.reason,
        "pipeline_ms": percentiles(whole),
        "runtime_ms": percentiles(bare),
        "overhead_ratio": ratio(whole, bare),
        "overhead_ms": percentiles([a - b for a, b in zip(whole, bare, strict=True)])["p50"],
        "beside_model_ms": percentiles([wall for wall, _ in beside_ms]),
        "beside_model_cpu_ms": percentiles([cpu for _, cpu in beside_ms]),
        "steps": parts.steps(rounds),
        "shop": bench_shop.run(settings, choice, pictures, seconds, fill_s),
        "library": bench_library.cost(parts.found, rounds),
        "machine": machine(),
        "load_1m": load,
    }


def _both_ms(chain: Chain) -> tuple[float, float]:
    """Wall and processor time of one picture: the second means something beside others too."""
    start = time.thread_time()
    wall = timed_ms(chain.work)
    return wall, (time.thread_time() - start) * 1000
