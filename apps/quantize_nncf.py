"""Turns a float ONNX file into INT8 with NNCF; runs in the training environment.

`mixed` leaves all but convolutions and matrix products in float: eight bits cannot hold both
a confidence and a coordinate.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

KEPT_IN_FLOAT = {
    "openvino-int8": ["Sigmoid", "Softmax", "Subtract", "Divide", "Add", "Multiply", "Concat"],
    "onnx-qdq": ["Sigmoid", "Softmax", "Sub", "Div", "Add", "Mul", "Concat"],
}


def quantize(job: dict[str, Any]) -> None:
    """Write the INT8 file that `job` asks for."""
    import nncf  # noqa: PLC0415 - not in the runtime install

    batches = list(np.fromfile(job["batches"], np.float32).reshape(job["shape"]))
    scope = nncf.IgnoredScope(types=KEPT_IN_FLOAT[job["to"]] if job["mixed"] else [])
    options = {
        "preset": nncf.QuantizationPreset.MIXED,
        "subset_size": len(batches),
        "ignored_scope": scope,
    }
    if job["to"] == "openvino-int8":
        import openvino as ov  # noqa: PLC0415

        # read_model leaves biases open; NNCF then takes every SiLU apart: a third slower
        network = ov.convert_model(job["onnx"])
        made = nncf.quantize(network, nncf.Dataset(batches), **options)
        ov.save_model(made, job["out"])
        return
    import onnx  # noqa: PLC0415

    graph = onnx.load(job["onnx"])
    name = graph.graph.input[0].name
    data = nncf.Dataset(batches, lambda batch: {name: batch})
    onnx.save(nncf.quantize(graph, data, **options), job["out"])


if __name__ == "__main__":
    quantize(json.loads(Path(sys.argv[1]).read_text("utf-8")))
