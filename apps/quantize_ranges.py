"""Ranges for INT8 that spend no step on what a sigmoid flattens anyway.

Beyond ±8 a sigmoid is 0 or 1 to within a byte, and so y · sigmoid(y) (SiLU) is 0 below −8.
A layer that now and then says −100 would else have most of its 256 steps down there.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

FLAT = 8.0


def narrowed(source: Path, ranges: dict[str, Any]) -> dict[str, Any]:
    """`ranges` {tensor: {min, max}} of the .tflite `source`, narrowed where sigmoids listen."""
    files = import_module("ai_edge_litert.tools.flatbuffer_utils")
    model = files.read_model(source)
    (graph,) = model.subgraphs
    users: dict[int, list[str]] = {}
    for operation in graph.operators:
        for index in operation.inputs:
            kind = files.opcode_to_name(model, operation.opcodeIndex)
            users.setdefault(int(index), []).append(kind)
    made = dict(ranges)
    for index, kinds in users.items():
        name = graph.tensors[index].name.decode()
        if "LOGISTIC" in kinds and set(kinds) <= {"LOGISTIC", "MUL"} and name in made:
            made[name] = _narrow(made[name], alone="MUL" not in kinds)
    return made


def _narrow(found: dict[str, Any], alone: bool) -> dict[str, Any]:
    """Where a product listens too, only what is far below 0 is lost on nobody."""
    highest = np.minimum(found["max"], FLAT) if alone else found["max"]
    return {**found, "min": np.maximum(found["min"], -FLAT), "max": highest}
