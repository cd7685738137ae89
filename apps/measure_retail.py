"""Retail analytics measured: counts on recordings; speed beside the bare runtime."""

from dataclasses import replace
from typing import Any

from apps.asked import Asked
from apps.measured import progress
from apps.open_retail import load
from apps.picture_model import open_picture_model
from apps.retail_analytics import bench as retail_bench
from apps.retail_analytics import evaluate as retail_evaluate
from apps.retail_analytics.bench_depth import depths
from apps.retail_analytics.bench_duty import duty
from common.inference.selection import Choice
from hardware.catalog import open_runtime


def evaluate(asked: Asked) -> dict[str, Any]:
    """Crossings, tracks, stays and queues on recordings, beside the plain library pipeline."""
    asked.refuse("split", "recipe")
    settings = load(asked.config, asked.all_changes)
    with progress() as say:
        return retail_evaluate.run(settings, asked.config, asked.folder, open_runtime, say)


def bench(asked: Asked) -> dict[str, Any]:
    """Four cameras in real time, cost per step, beside the bare runtime; memory."""
    settings = load(asked.config, asked.all_changes)
    choice = open_picture_model(settings.model, asked.config)
    try:
        figures = retail_bench.bench(settings, asked.config, choice, asked.quick)
        figures["duty"] = duty(settings, choice.model, quick=asked.quick)
    finally:
        choice.model.close()

    taken = choice.model.artefact  # the same file at every depth
    wanted = replace(settings.model, runtime=taken.runtime, precision=taken.precision)

    def at(depth: int) -> Choice:
        deep = replace(settings, model=replace(wanted, depth=depth))
        return open_picture_model(deep.model, asked.config)

    return figures | {"depths": depths(settings, at, quick=asked.quick)}
