"""Predictive maintenance measured: accuracy on recordings; speed beside the bare parts."""

from typing import Any

from apps.asked import Asked
from apps.measured import progress
from apps.open_maintenance import load, open_sequence_model
from apps.predictive_maintenance import bench as maintenance_bench
from apps.predictive_maintenance import evaluate as maintenance_evaluate
from apps.predictive_maintenance.sequence import SequenceModel
from hardware.catalog import open_runtime


def evaluate(asked: Asked) -> dict[str, Any]:
    """Detection, lead and false alarms on the recordings in a folder."""
    asked.refuse("split", "recipe")
    settings = load(asked.config, asked.all_changes)
    with progress() as say:
        return maintenance_evaluate.run(settings, asked.config, asked.folder, open_runtime, say)


def bench(asked: Asked) -> dict[str, Any]:
    """Machines in real time on one core, cost beside SciPy and ONNX alone, latency, memory."""
    settings = load(asked.config, asked.all_changes)
    choice = open_sequence_model(settings, asked.config)
    model = SequenceModel(choice.model) if choice else None
    try:
        return maintenance_bench.bench(settings, asked.config, asked.quick, model)
    finally:
        if model is not None:
            model.close()
