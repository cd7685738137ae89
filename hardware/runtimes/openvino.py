"""OpenVINO on Intel and other x86 or Arm processors: the fastest INT8 on a plain CPU."""

import functools
from collections import deque
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

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
        self._free: deque[ov.InferRequest] = deque()

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure. Outputs are copies."""
        if self._request is None:
            raise RuntimeFailure(self.name, "is closed")
        given = checked(self.name, self.inputs, arrays)
        try:
            self._request.infer(given, share_inputs=True)
            return self.copied(self._request)
        except Exception as error:
            raise self.failed(error) from error

    def start(self, arrays: Arrays) -> "Begun":
        """Begin an inference; the arrays must stay as they are until its result is there.

        Each has a request of its own, and as many run at once as the device likes. Who
        collects waits at the request itself: no thread of ours stands between.
        """
        if self._model is None:
            raise RuntimeFailure(self.name, "is closed")
        given = checked(self.name, self.inputs, arrays)
        request = self._free.popleft() if self._free else self._model.create_infer_request()
        return Begun(self, request, given)

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
        """Free the network; what is under way keeps its own request until it is collected."""
        self._request = self._model = None
        self._free.clear()

    def free(self, request: "ov.InferRequest") -> None:
        """Take back a request whose outputs were copied."""
        if self._model is not None:
            self._free.append(request)

    def failed(self, error: Exception) -> RuntimeFailure:
        """RuntimeError from the library, TypeError or ValueError from its Python side."""
        return RuntimeFailure(self.name, f"inference failed: {last_line(error)}")

    def copied(self, request: "ov.InferRequest") -> dict[str, np.ndarray]:
        """The outputs of a request that has ended."""
        return {
            spec.name: np.array(request.get_output_tensor(index).data)
            for index, spec in enumerate(self.outputs)
        }


class Begun:
    """An inference under way: begun when it is made, its outputs copied when asked for."""

    def __init__(
        self, runtime: OpenVino, request: "ov.InferRequest", given: dict[str, np.ndarray]
    ) -> None:
        self._runtime, self._request = runtime, request
        self._outputs: dict[str, np.ndarray] | None = None
        try:
            request.start_async(given, share_inputs=True)
        except Exception as error:
            raise runtime.failed(error) from error

    def result(self, timeout: float | None = None) -> dict[str, np.ndarray]:
        """Its outputs; raises TimeoutError after `timeout` s, RuntimeFailure if it failed."""
        if self._outputs is None:
            try:
                if timeout is None:
                    self._request.wait()
                ended = timeout is None or self._request.wait_for(round(timeout * 1000))
                self._outputs = self._runtime.copied(self._request) if ended else None
            except Exception as error:
                raise self._runtime.failed(error) from error
            if self._outputs is None:
                raise TimeoutError
            self._runtime.free(self._request)
        return self._outputs


@functools.cache
def _library() -> "ov.Core":
    """One for all networks, until the process ends.

    Its processor plugin gives the thread a stack for signals and takes it back at its own end.
    Of two that end in the order in which they began, the stack that is gone stays set, and the
    next Ctrl-C or SIGTERM is a segmentation fault (seen with OpenVINO 2026.4).
    """
    return ov.Core()


def _core(device: str) -> "ov.Core":
    """OpenVINO with a device that is here: it would take another one or fail obscurely."""
    core = _library()
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
