"""From the trained network to files for runtimes: ONNX, OpenVINO in float and INT8, TFLite.

INT8 is calibrated on pictures that were trained on and nothing else. The last steps, where
a score and a size in strides would share eight bits, stay in float; for TFLite, which is
integer to the last byte, boxes and scores are outputs of their own instead.
"""

import json
import subprocess
import warnings
from pathlib import Path

import nncf
import numpy as np
import openvino as ov
import torch

from apps.retail_analytics.training.network import Nano, Shipped
from apps.retail_analytics.training.pictures import Example, fitted
from common.errors import BackendMissing, BundleError

OPSET = 17
EARLY = [".*/start/.*", ".*/two/.*"]
"""The first layers, whose channels differ too much for one scale: see `steady.py`."""
TAIL = [".*/heads[.][0-9]/(kind|box|thing)/Conv.*", "/Sigmoid.*"]
CALIBRATION_PICTURES = 240
TFLITE_PYTHON = Path(".venv-tflite/bin/python")
SLOWEST_S = 1800.0


class Apart(torch.nn.Module):
    """The network with two outputs: boxes [1, cells, 4] and scores [1, cells, 2]."""

    def __init__(self, network: Nano):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes and scores."""
        boxes, logits = self.network(images)
        return boxes, logits.sigmoid()


def to_onnx(network: Nano, path: Path, size: tuple[int, int], apart: bool = False) -> None:
    """A float ONNX file for pictures of `size` (height, width), in bytes unless `apart`."""
    kind, dtype = (Apart, torch.float32) if apart else (Shipped, torch.uint8)
    shown = kind(network).eval().to(memory_format=torch.contiguous_format)
    names = ["boxes", "scores"] if apart else ["output"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is named old; it is enough
        torch.onnx.export(
            shown, (torch.zeros(1, 3, *size, dtype=dtype),), str(path), opset_version=OPSET,
            input_names=["images"], output_names=names, dynamo=False,
        )  # fmt: skip


def to_openvino(source: Path, out: Path) -> None:
    """OpenVINO's files with weights in float16."""
    ov.save_model(ov.convert_model(source), out, compress_to_fp16=True)


def to_openvino_int8(source: Path, out: Path, batches: list[np.ndarray]) -> None:
    """OpenVINO's files in INT8, but for the first layers and the last steps."""
    made = nncf.quantize(  # read_model leaves biases open; NNCF then takes SiLUs apart
        ov.convert_model(source), nncf.Dataset(batches), subset_size=len(batches),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(patterns=[*EARLY, *TAIL]),
    )  # fmt: skip
    ov.save_model(made, out)


def to_tflite(source: Path, out: Path, batches: list[np.ndarray]) -> None:
    """An integer-only .tflite, made in the environment that has the converter.

    Raises BackendMissing where that is not, BundleError when it cannot be made.
    """
    if not TFLITE_PYTHON.exists():
        raise BackendMissing(
            "TFLite is made in an environment of its own: see docs/runtimes.md"
        )
    stored, asked = out.with_suffix(".raw"), out.with_suffix(".json")
    stacked = np.stack(batches).astype(np.float32)
    stored.write_bytes(stacked.tobytes())
    job = {
        "onnx": str(source.absolute()), "batches": str(stored.absolute()),
        "shape": stacked.shape, "to": "tflite-int8", "mixed": False,
        "out": str(out.absolute()), "channels_last": True, "integer_io": True, "narrow": True,
    }  # fmt: skip
    asked.write_text(json.dumps(job), "utf-8")
    done = subprocess.run(  # noqa: S603 - our own module
        [TFLITE_PYTHON.absolute(), "-m", "apps.quantize_tflite", asked],
        capture_output=True, text=True, check=False, timeout=SLOWEST_S,
    )  # fmt: skip
    stored.unlink()
    asked.unlink()
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise BundleError(f"{source}: cannot be made a .tflite: {said[-1]}")


def calibration(pools: list[list[Example]], size: tuple[int, int]) -> list[np.ndarray]:
    """Training pictures of all kinds as inputs uint8 [1, 3, h, w], as the station fits them."""
    each = max(1, CALIBRATION_PICTURES // len(pools))
    shown = [one for pool in pools for one in pool[:: max(1, len(pool) // each)][:each]]
    return [fitted(one, *size).picture.transpose(2, 0, 1)[None] for one in shown]
