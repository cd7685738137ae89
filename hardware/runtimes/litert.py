"""LiteRT (once TensorFlow Lite): .tflite on the processor, or on a Coral Edge TPU.

The Edge TPU is opened through libedgetpu as a delegate. That path was tried against the
library without a device; no Edge TPU has run it yet.
"""

import os
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.ports import Arrays, TensorSpec
from hardware.runtimes import edgetpu
from hardware.runtimes.checks import checked
from hardware.runtimes.failures import DeviceLost, one_line

IDENTIFIER = b"TFL3"  # bytes 4 … 7 of a .tflite file
DEVICES = ("CPU", "EdgeTPU")


class LiteRt:
    """One interpreter. Raises BundleError when the file is no network for `device`.

    `tpu` chooses among several Edge TPUs: "usb", "usb:1", "pci:0" …; empty is any.
    """

    name = "litert"

    def __init__(
        self, path: Path, threads: int = 0, device: str = "CPU", tpu: str = ""
    ) -> None:
        if device not in DEVICES:
            raise BackendMissing(f"LiteRT has no device {device}; it has: {', '.join(DEVICES)}")
        content = _content(path, device)
        self._lib = import_module("ai_edge_litert.interpreter")
        delegates = [_delegate(self._lib, tpu)] if device == "EdgeTPU" else None
        try:
            self._interpreter = self._lib.Interpreter(
                model_content=content,
                num_threads=threads or len(os.sched_getaffinity(0)),
                experimental_delegates=delegates,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path}: LiteRT cannot load it: {one_line(error)}") from error
        self.device = device
        ins, outs = self._details()
        self.inputs, self.outputs = _specs(ins), _specs(outs)
        self.quantization = _quantization(self.inputs + self.outputs, ins + outs)
        self._free = any(size < 0 for spec in self.inputs for size in spec.shape)
        self._lock = threading.Lock()  # an interpreter is not thread-safe
        self._places = [[row["index"] for row in rows] for rows in (ins, outs)]

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure. Outputs are copies."""
        with self._lock:
            if self._interpreter is None:
                raise RuntimeFailure(self.name, "is closed")
            given = checked(self.name, self.inputs, arrays)
            try:
                return self._outputs(given)
            except (ValueError, RuntimeError) as error:
                kind = RuntimeFailure if self.device == "CPU" else DeviceLost
                raise kind(self.name, f"inference failed: {one_line(error)}") from error

    def bare(self, arrays: Arrays) -> Callable[[], object]:
        """The library's own calls on these arrays: what a bench holds `run` against."""
        interpreter, (inputs, outputs) = self._interpreter, self._places

        def call() -> object:
            for index, spec in zip(inputs, self.inputs, strict=True):
                interpreter.set_tensor(index, arrays[spec.name])
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in outputs]

        return call

    def close(self) -> None:
        """Free the interpreter, then its delegate: the other order crashes."""
        with self._lock:
            self._interpreter = None

    def _details(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        interpreter = self._interpreter
        return interpreter.get_input_details(), interpreter.get_output_details()

    def _outputs(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        inputs, outputs = self._places
        if self._free:
            for index, array in zip(inputs, given.values(), strict=True):
                self._interpreter.resize_tensor_input(index, array.shape)
            self._interpreter.allocate_tensors()
        for index, array in zip(inputs, given.values(), strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return {
            spec.name: self._interpreter.get_tensor(index)
            for spec, index in zip(self.outputs, outputs, strict=True)
        }


def _content(path: Path, device: str) -> bytes:
    """The file's bytes, if it is a network for this device: found out before it is tried."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    if content[4:8] != IDENTIFIER:
        raise BundleError(f"{path}: LiteRT cannot load it: it is no .tflite file")
    compiled = edgetpu.CUSTOM_OP in content
    if compiled and device == "CPU":
        raise BundleError(
            f"{path}: is compiled for the Edge TPU; give litert the uncompiled .tflite, or "
            "use runtime litert:EdgeTPU"
        )
    if not compiled and device == "EdgeTPU":
        raise BundleError(
            f"{path}: is not compiled for the Edge TPU, all of it would run on the CPU: "
            "edgetpu_compiler makes the file that fits"
        )
    return content


def _delegate(lib: Any, tpu: str) -> Any:
    """The Edge TPU, or why there is none."""
    try:
        found = edgetpu.library()
    except OSError as error:
        raise BackendMissing(f"Coral Edge TPU: {edgetpu.INSTALL} ({error})") from error
    try:
        return lib.load_delegate(edgetpu.LIBRARY, {"device": tpu} if tpu else {})
    except ValueError as error:
        reason = edgetpu.why_none(len(edgetpu.devices(found)))
        raise BackendMissing(f"Coral Edge TPU: {reason}") from error


def _specs(rows: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(str(row["name"]), tuple(map(int, _shape(row))), np.dtype(row["dtype"]).name)
        for row in rows
    )


def _shape(row: dict[str, Any]) -> Any:
    signature = row["shape_signature"]
    return signature if len(signature) else row["shape"]


def _quantization(
    specs: tuple[TensorSpec, ...], rows: list[dict[str, Any]]
) -> dict[str, tuple[float, int]]:
    """(scale, zero point) of each quantised tensor: real = (q − zero point) × scale."""
    found = {}
    for spec, row in zip(specs, rows, strict=True):
        scale, zero = row["quantization"]
        if scale:
            found[spec.name] = (float(scale), int(zero))
    return found
