"""OpenVINO on Intel and other x86 or Arm processors: the fastest INT8 on a plain CPU."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.ports import Arrays, TensorSpec
from hardware.runtimes.checks import checked
from hardware.runtimes.failures import last_line
from hardware.runtimes.presence import INTEL_GPU, INTEL_NPU

REMEDIES = {"GPU": INTEL_GPU, "NPU": INTEL_NPU}


class OpenVino:
    """One network on `device`; float32 arithmetic stays float32 on the processor.

    OpenVINO silently uses bfloat16 on processors that have it, which moves float results
    by whole units; the hint below keeps every device's answer the same. `hint` is LATENCY
    for a station that waits for each answer, THROUGHPUT for one that keeps several under
    way with `start`. `cache` is a folder that keeps compiled networks.
    """

    name = "openvino"

    def __init__(
        self,
        path: Path,
        device: str = "CPU",
        threads: int = 0,
        hint: str = "LATENCY",
        cache: Path | None = None,
    ) -> None:
        core = _core(device)
        options = {"PERFORMANCE_HINT": hint}
        if device == "CPU":
            options["INFERENCE_PRECISION_HINT"] = "f32"
            options["ENABLE_CPU_PINNING"] = "NO"  # it waits where another program is at work
            if _quantised_elsewhere(path):
                options["LP_TRANSFORMS_MODE"] = "NO"
        if threads:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        if cache is not None:
            options["CACHE_DIR"] = str(cache)
        try:
            self._model = core.compile_model(str(path), device, options)
        except RuntimeError as error:
            raise BundleError(f"{path}: OpenVINO cannot load it: {last_line(error)}") from error
        self.device = ",".join(self._model.get_property("EXECUTION_DEVICES"))
        self.inputs = tuple(_spec(port) for port in self._model.inputs)
        self.outputs = tuple(_spec(port) for port in self._model.outputs)
        self._request: ov.InferRequest | None = self._model.create_infer_request()
        self._likes = int(self._model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self.under_way = self._likes if hint == "THROUGHPUT" else 1
        """How many at once make the most of it."""
        self._threads: ThreadPoolExecutor | None = None
        self._own = threading.local()

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure. Outputs are copies."""
        if self._request is None:
            raise RuntimeFailure(self.name, "is closed")
        given = checked(self.name, self.inputs, arrays)
        return self._inferred(self._request, given)

    def start(self, arrays: Arrays) -> "Future[dict[str, np.ndarray]]":
        """Begin an inference; the arrays must stay as they are until its result is there.

        As many run at once as the device likes, each on a request and a thread of its own.
        AsyncInferQueue does the same from callbacks, and stood still for ever when it was
        closed with some under way.
        """
        if self._model is None:
            raise RuntimeFailure(self.name, "is closed")
        given = checked(self.name, self.inputs, arrays)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._likes)
        return self._threads.submit(self._aside, given)

    def bare(self, arrays: Arrays) -> Callable[[], object]:
        """The library's own call on these arrays: what a bench holds `run` against."""
        request, given = self._request, dict(arrays)
        return lambda: request.infer(given, share_inputs=True) if request else None

    def bare_several(self, arrays: Arrays, depth: int, count: int) -> Callable[[], object]:
        """The same `count` times, `depth` of them under way at once."""
        requests = [self._model.create_infer_request() for _ in range(depth)]
        given = dict(arrays)

        def work() -> None:
            for request in islice(cycle(requests), count):
                request.wait()
                request.start_async(given, share_inputs=True)
            for request in requests:
                request.wait()

        return work

    def close(self) -> None:
        """Free the network, after what is under way."""
        if self._threads is not None:
            self._threads.shutdown()
        self._threads = self._request = self._model = None
        self._own = threading.local()

    def _aside(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if not hasattr(self._own, "request"):
            self._own.request = self._model.create_infer_request()
        return self._inferred(self._own.request, given)

    def _inferred(self, request: Any, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            request.infer(given, share_inputs=True)
            return self._copied(request)
        except Exception as error:
            # RuntimeError from the library, TypeError or ValueError from its Python side
            raise RuntimeFailure(self.name, f"inference failed: {last_line(error)}") from error

    def _copied(self, request: Any) -> dict[str, np.ndarray]:
        return {
            spec.name: np.array(request.get_output_tensor(index).data)
            for index, spec in enumerate(self.outputs)
        }


def _core(device: str) -> "ov.Core":
    """OpenVINO with a device that is here: it would take another one or fail obscurely."""
    core = ov.Core()
    here = core.available_devices
    if device not in here and device not in {name.partition(".")[0] for name in here}:
        remedy = f"; it needs {REMEDIES[device]}" if device in REMEDIES else ""
        raise BackendMissing(
            f"OpenVINO has no device {device} here; it has: {', '.join(here)}{remedy}"
        )
    return core


def _quantised_elsewhere(path: Path) -> bool:
    """Whether it is an ONNX file with Q/DQ nodes: OpenVINO may not turn those to integers.

    A YOLOX of which ONNX Runtime finds all boxes found none of them so; as float arithmetic
    between its Q/DQ nodes it is right again. INT8 for OpenVINO is its own IR.
    """
    return path.suffix == ".onnx" and path.is_file() and b"QuantizeLinear" in path.read_bytes()


def _spec(port: "ov.ConstOutput") -> TensorSpec:
    shape = tuple(
        int(size.get_length()) if size.is_static else -1 for size in port.get_partial_shape()
    )
    dtype = str(np.dtype(port.get_element_type().to_dtype()))
    return TensorSpec(port.get_any_name(), shape, dtype)
