"""Patient monitoring measured: early warning on charts with known outcomes; speed."""

from typing import Any

from apps import ward_bench
from apps.asked import Asked
from apps.open_ward import load
from apps.patient_monitoring import evaluate as ward_evaluate
from hardware.catalog import open_runtime


def evaluate(asked: Asked) -> dict[str, Any]:
    """The shipped model beside NEWS2 and logistic regression."""
    asked.refuse("split", "recipe")
    settings = load(asked.config, asked.all_changes)
    return ward_evaluate.run(settings, asked.config, asked.folder, open_runtime)


def bench(asked: Asked) -> dict[str, Any]:
    """From the value on the wire to the alarm in the store, and how it grows with patients."""
    return ward_bench.run(asked.config, asked.all_changes, quick=asked.quick)
