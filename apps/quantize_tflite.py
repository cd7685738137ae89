"""Turns a float ONNX file into .tflite, in float16 or INT8; runs in the TFLite environment.

Neither TensorFlow nor torch is needed: onnx2tf writes the flatbuffer from the ONNX graph,
Google's litert-quantizer makes it INT8 from the ranges it sees on pictures. `mixed` leaves
in float what comes after the last convolution of weight, where scores and distances become
boxes: eight bits cannot hold both a confidence and a coordinate.

    python -m apps.quantize_tflite JOB.json

A job: onnx, to ("tflite-fp16", "tflite-int8"), mixed, out, and for INT8 batches (a file of
float32) of `shape` [n, 1, 3, height, width]. With `channels_last` the file takes NHWC, which
an Edge TPU wants; with `integer_io` it takes and gives int8; with `narrow` the ranges before
sigmoids are cut to where they matter (`quantize_ranges.py`).
"""

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from apps.quantize_ranges import narrowed

FLOAT32 = "network_float32.tflite"
"""Its float16 file has float16 arithmetic too, which a processor's LiteRT does not run."""
FLATBUFFERS = "ai_edge_litert.tools.flatbuffer_utils"
HEAVY = 64
"""Weights: a convolution of fewer is arithmetic in disguise, e.g. a mean over bins."""
CONVOLUTIONS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
HEAVIES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_2D_TRANSPOSE")
"""The same by the quantizer's names."""


def quantize(job: dict[str, Any]) -> None:
    """Write the file that `job` asks for, with the names and shapes of the ONNX file."""
    with TemporaryDirectory() as folder:
        made = converted(Path(job["onnx"]), Path(folder), _last(job))
        made = _integers(made, job) if job["to"] == "tflite-int8" else _halves(made)
        renamed(made, Path(job["onnx"]), Path(job["out"]))


def converted(onnx_file: Path, folder: Path, channels_last: bool) -> Path:
    """The network in float; its outputs keep their shapes, its inputs too unless NHWC."""
    anchored_file = folder / "network.onnx"
    kept = anchored(onnx_file, anchored_file)
    import_module("onnx2tf").convert(  # not in the runtime install
        input_onnx_file_path=str(anchored_file),
        output_folder_path=str(folder / "made"),
        keep_shape_absolutely_input_names=None if channels_last else kept,
        copy_onnx_input_output_names_to_tflite=True,
        not_use_onnxsim=True,
        non_verbose=True,
    )
    return folder / "made" / FLOAT32


def anchored(source: Path, out: Path) -> list[str]:
    """A copy whose outputs pass a reshape to the shape they have; the inputs' names.

    Without it the converter drops a last transpose, and a [1, boxes, 85] becomes
    [1, 85, boxes].
    """
    import onnx  # noqa: PLC0415

    model = onnx.load(source)
    graph = model.graph
    for output in graph.output:
        shape = [size.dim_value for size in output.type.tensor_type.shape.dim]
        if not all(shape):
            raise SystemExit(f"{source}: {output.name} has a free dimension: fix it first")
        for node in graph.node:
            node.output[:] = [_before(n) if n == output.name else n for n in node.output]
            node.input[:] = [_before(n) if n == output.name else n for n in node.input]
        size = onnx.numpy_helper.from_array(np.array(shape, np.int64), f"{output.name}_size")
        graph.initializer.append(size)
        names = [_before(output.name), size.name]
        graph.node.append(onnx.helper.make_node("Reshape", names, [output.name]))
    onnx.save(model, out)
    return [given.name for given in graph.input]


def _before(name: str) -> str:
    return f"{name}_before"


def _halves(source: Path) -> Path:
    """Weights in float16; arithmetic in float32, as LiteRT does it on a processor."""
    casting = import_module("litert_quantizer.recipe").AlgorithmName.FLOAT_CASTING
    made = import_module("litert_quantizer.quantizer").Quantizer(str(source))
    for operation in _operations(*HEAVIES):
        made.add_weight_only_config(".*", operation, 16, algorithm_key=casting)
    out = source.with_name("halves.tflite")
    made.quantize(enable_progress_report=False).export_model(out)
    return out


def _operations(*names: str) -> list[Any]:
    kinds = import_module("litert_quantizer.qtyping").TFLOperationName
    return [getattr(kinds, name) for name in names]


def _integers(source: Path, job: dict[str, Any]) -> Path:
    """INT8 with ranges from the job's pictures."""
    every, given, found = _operations("ALL_SUPPORTED", "INPUT", "OUTPUT")
    names = import_module("litert_quantizer.recipe").AlgorithmName
    made = import_module("litert_quantizer.quantizer").Quantizer(str(source))
    made.add_static_config(".*", every, 8, 8)
    left: list[tuple[str, Any]] = []
    if not job.get("integer_io"):
        left += [(".*", given), (".*", found)]
    if job["mixed"]:
        left += [(f"^{re.escape(n)};?$", every) for n in tail(source)]
    for scope, operation in left:
        made.update_quantization_recipe(scope, operation, algorithm_key=names.NO_QUANTIZE)
    ranges = made.calibrate(_batches(source, job), num_threads=2)
    if job.get("narrow"):
        ranges = narrowed(source, ranges)
    out = source.with_name("integers.tflite")
    made.quantize(ranges, enable_progress_report=False).export_model(out)
    return out


def _batches(source: Path, job: dict[str, Any]) -> dict[str, list[dict[str, np.ndarray]]]:
    """The pictures under the network's one signature and its one input."""
    network = import_module("ai_edge_litert.interpreter").Interpreter(str(source))
    ((key, signature),) = network.get_signature_list().items()
    (name,) = signature["inputs"]
    batches = np.fromfile(job["batches"], np.float32).reshape(job["shape"])
    if _last(job):
        batches = batches.transpose(0, 1, 3, 4, 2)
    return {key: [{name: np.ascontiguousarray(batch)} for batch in batches]}


def tail(source: Path) -> list[str]:
    """First outputs of the operations from which no convolution of weight can be reached."""
    files = import_module(FLATBUFFERS)
    model = files.read_model(source)
    (graph,) = model.subgraphs
    needed: set[int] = set()  # tensors that lead to such a convolution
    after = []
    for operation in reversed(graph.operators):
        kind = files.opcode_to_name(model, operation.opcodeIndex)
        heavy = kind in CONVOLUTIONS and _weights(graph, operation) > HEAVY
        if heavy or needed.intersection(operation.outputs):
            needed.update(operation.inputs)
        else:
            after.append(graph.tensors[operation.outputs[0]].name.decode())
    return after


def _weights(graph: Any, operation: Any) -> int:
    return int(np.prod(graph.tensors[operation.inputs[1]].shape))


def renamed(source: Path, onnx_file: Path, out: Path) -> None:
    """The same file with the ONNX file's names on its inputs and outputs, in its order.

    Raises SystemExit where the shapes of the outputs are not those of the ONNX file.
    """
    import onnx  # noqa: PLC0415

    files = import_module(FLATBUFFERS)
    model, promised = files.read_model(source), onnx.load(onnx_file).graph
    (graph,) = model.subgraphs
    graph.inputs = _named(graph, graph.inputs, [given.name for given in promised.input])
    graph.outputs = _named(graph, graph.outputs, [found.name for found in promised.output])
    for index, output in zip(graph.outputs, promised.output, strict=True):
        shape = [size.dim_value for size in output.type.tensor_type.shape.dim]
        if [*graph.tensors[index].shape] != shape:
            have = [*map(int, graph.tensors[index].shape)]
            raise SystemExit(f"{onnx_file}: {output.name} came out as {have}, not {shape}")
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            entry.name = graph.tensors[entry.tensorIndex].name
    files.write_model(model, out)


def _named(graph: Any, indices: Any, names: list[str]) -> list[int]:
    """The tensors in the order of `names`, bearing them; the quantizer adds to a name."""
    have = {int(i): graph.tensors[i].name.decode() for i in indices}
    ordered = []
    for name in names:
        fits = [i for i, old in have.items() if old == name] or [
            i for i, old in have.items() if old.startswith(f"{name}_")
        ]
        if len(fits) != 1 and len(names) > 1:
            raise SystemExit(f"no tensor for {name} among {', '.join(have.values())}")
        index = fits[0] if fits else next(iter(have))
        graph.tensors[index].name = name.encode()
        ordered.append(index)
    return ordered


def _last(job: dict[str, Any]) -> bool:
    return bool(job.get("channels_last"))


if __name__ == "__main__":
    quantize(json.loads(Path(sys.argv[1]).read_text("utf-8")))
