"""`lineside quantize MODEL --data DIR --to KIND`: a smaller file, if it still sees enough.

The accuracy of the file that is there and of the one that is made are measured on the same
labelled pictures; a drop above the limit is refused and nothing is kept. INT8 is tried in
full, then mixed, where only convolutions and matrix products are INT8.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from apps.defect_inspection.evaluate import open_dataset
from apps.model_bench.accuracy import accuracy
from apps.train import PYTHON as TRAIN_PYTHON
from common.errors import BackendMissing, BundleError, ConfigError
from common.inference.bundle import Artefact, Bundle, Model, open_bundle
from common.inference.card_text import artefact_of, artefact_table
from common.inference.images import TensorWriter
from hardware.catalog import open_runtime

LIMIT = 0.02
"""Of mAP@0.5, absolute: what the smaller file may lose."""
CALIBRATION_PICTURES = 100
SLOWEST_S = 3600.0


@dataclass(frozen=True)
class Tool:
    """A program of ours that makes files, in an environment that has what it needs."""

    module: str
    python: Path
    setup: str


NNCF = Tool("apps.quantize_nncf", TRAIN_PYTHON, "make setup-train")
TFLITE = Tool("apps.quantize_tflite", Path(".venv-tflite/bin/python"), "make setup-tflite")


@dataclass(frozen=True)
class Kind:
    """What can be made."""

    runtime: str
    precision: str
    file: str
    tool: Tool | None = None
    """None: made here."""


KINDS = {
    "openvino-fp16": Kind("openvino", "fp16", "fp16.xml"),
    "openvino-int8": Kind("openvino", "int8", "int8.xml", NNCF),
    "onnx-qdq": Kind("onnxruntime", "int8", "int8.onnx", NNCF),
    "tflite-fp16": Kind("litert", "fp16", "fp16.tflite", TFLITE),
    "tflite-int8": Kind("litert", "int8", "int8.tflite", TFLITE),
}
Make = Callable[[Path, Path, bool], None]
"""Makes a file (from, to, mixed)."""


def run(model: Path, data: Path, to: str, out: Path, limit: float = LIMIT) -> dict[str, Any]:
    """Make the file in `out`, with the lines that model.toml needs; what was measured.

    Raises ConfigError on wrong usage, BackendMissing without the environment of the tool
    that makes it, BundleError when every attempt sees too little.
    """
    if to not in KINDS:
        raise ConfigError(f"--to {to}: known are {', '.join(KINDS)}")
    bundle = open_bundle(model)
    source = _source(bundle)
    make = _maker(bundle, data, to)
    before = seen(bundle, source, data)
    tried: dict[str, float] = {}
    for mixed in (False, True) if KINDS[to].precision == "int8" else (False,):
        with TemporaryDirectory() as folder:
            made = Path(folder) / KINDS[to].file
            make(bundle.path(source), made, mixed)
            found = artefact_of(made, KINDS[to].runtime, KINDS[to].precision)
            after = seen(Bundle(Path(folder), bundle.card), found, data)
            tried["mixed" if mixed else "full"] = after
            if before - after <= limit:
                return _kept(found, Path(folder), out, source, before, tried)
    worst = ", ".join(f"{how} {value:.3f}" for how, value in tried.items())
    raise BundleError(
        f"{model}: {to} sees too little: mAP {before:.3f} before, {worst} after; at most "
        f"{limit:g} may be lost. Nothing is kept"
    )


def seen(bundle: Bundle, artefact: Artefact, data: Path) -> float:
    """mAP@0.5 of one artefact on the labelled folder."""
    runtime = open_runtime(artefact.runtime, bundle.path(artefact))
    try:
        return accuracy(Model(bundle.card, artefact, runtime), data)["map50"]
    finally:
        runtime.close()


def _source(bundle: Bundle) -> Artefact:
    for artefact in bundle.card.artefacts:
        if (artefact.runtime, artefact.precision) == ("onnxruntime", "fp32"):
            return artefact
    raise BundleError(f"{bundle.folder}: has no onnxruntime/fp32 file to start from")


def _fp16(source: Path, out: Path, mixed: bool) -> None:
    del mixed
    import openvino as ov  # noqa: PLC0415 - an extra

    ov.save_model(ov.convert_model(source), out, compress_to_fp16=True)


def _maker(bundle: Bundle, data: Path, to: str) -> Make:
    """What makes the file; INT8 from training pictures that accuracy never sees."""
    tool = KINDS[to].tool
    if tool is None:
        return _fp16
    if not tool.python.exists():
        raise BackendMissing(f"{to} is made in an environment of its own: {tool.setup}")
    batches = calibration(bundle, data) if KINDS[to].precision == "int8" else None

    def make(source: Path, out: Path, mixed: bool) -> None:
        job = {"onnx": str(source.absolute()), "to": to, "mixed": mixed, "out": str(out)}
        stored = out.with_suffix(".raw")
        if batches is not None:
            batches.tofile(stored)
            job |= {"batches": str(stored), "shape": batches.shape}
        _carried_out(tool, job, out.with_suffix(".json"))
        stored.unlink(missing_ok=True)

    return make


def _carried_out(tool: Tool, job: dict[str, Any], asked: Path) -> None:
    """Let the tool do the job; raises BundleError with its last words."""
    asked.write_text(json.dumps(job), "utf-8")
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [tool.python.absolute(), "-m", tool.module, asked],
            cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
            timeout=SLOWEST_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BundleError(
            f"{job['onnx']}: {job['to']} is not made within {SLOWEST_S:g} s"
        ) from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise BundleError(f"{job['onnx']}: cannot be made {job['to']}: {said[-1]}")


def calibration(bundle: Bundle, data: Path) -> np.ndarray:
    """Evenly spaced training pictures as network inputs [n, 1, 3, height, width]."""
    pictures = open_dataset(data, "train").pictures()
    if not pictures:
        raise ConfigError(f"{data}: has no training pictures to calibrate with")
    writer, batches = TensorWriter(*bundle.card.inputs[0].shape[1:]), []
    for path in pictures[:: max(1, len(pictures) // CALIBRATION_PICTURES)]:
        picture = cv2.imread(str(path))
        if picture is None:
            raise ConfigError(f"{path}: cannot be read as a picture")
        writer.write(picture)
        batches.append(writer.tensor.copy())
    return np.stack(batches)


def _kept(
    artefact: Artefact, made: Path, out: Path, source: Artefact, before: float,
    tried: dict[str, float],
) -> dict[str, Any]:  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for name in filter(None, (artefact.file, artefact.companion)):
        (out / name).write_bytes((made / name).read_bytes())
    size = sum((out / n).stat().st_size for n in (artefact.file, artefact.companion) if n)
    return {
        "artefact": artefact.label,
        "from": source.label,
        "map50_before": before,
        "map50_after": list(tried.values())[-1],
        "tried": tried,
        "bytes": size,
        "out": str(out),
        "model_toml": artefact_table(artefact).rstrip(),
    }
