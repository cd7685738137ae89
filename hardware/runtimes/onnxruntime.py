"""ONNX Runtime: on the processor it runs everywhere; on a GPU where its provider really does.

It never fails when an accelerator is missing: it runs on the processor and prints a line.
So the provider is looked for before and after, and doing less than asked is refused.
"""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.ports import Arrays, TensorSpec
from hardware.runtimes.checks import checked
from hardware.runtimes.failures import one_line

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
CPU = "CPUExecutionProvider"
PROVIDERS = {
    "CPU": CPU,
    "CUDA": "CUDAExecutionProvider",
    "TensorRT": "TensorrtExecutionProvider",
    "OpenVINO": "OpenVINOExecutionProvider",
}
ASSIGNMENT = "session.record_ep_graph_assignment_info"


class OnnxRuntime:
    """One session on `device`. Raises BundleError when the file is no usable network.

    `hint` is LATENCY for a station that waits for each answer: all cores work on it.
    THROUGHPUT is for one that keeps several under way with `start`: each has a core, and
    none waits for another, spinning, whose core somebody else has taken.
    """

    name = "onnxruntime"

    def __init__(
        self, path: Path, threads: int = 0, device: str = "CPU", hint: str = "LATENCY"
    ) -> None:
        provider, cores = _provider(device), len(os.sched_getaffinity(0))
        several = hint == "THROUGHPUT" and device == "CPU"
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or (1 if several else cores)
        options.log_severity_level = 4  # what fails is raised; the rest is chatter
        if device != "CPU":
            options.add_session_config_entry(ASSIGNMENT, "1")
        try:
            self._session: ort.InferenceSession | None = ort.InferenceSession(
                str(path), options, providers=list(dict.fromkeys((provider, CPU)))
            )
        except Exception as error:
            # its exceptions share no public base class
            raise BundleError(
                f"{path}: ONNX Runtime cannot load it: {one_line(error)}"
            ) from error
        self._session.disable_fallback()  # a failure while running is raised, not hidden
        self.device = device_used(self._session, device, provider)
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self._names = [spec.name for spec in self.outputs]
        self.under_way = cores if several else 1
        """How many at once make the most of it."""
        self._threads = ThreadPoolExecutor(cores) if several else None
        if several:
            self.start = self._start

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure."""
        session = self._session
        if session is None:
            raise RuntimeFailure(self.name, "is closed")
        given = checked(self.name, self.inputs, arrays)
        try:
            outputs = session.run(self._names, given)
        except Exception as error:
            raise RuntimeFailure(self.name, f"inference failed: {one_line(error)}") from error
        return dict(zip(self._names, outputs, strict=True))

    def bare(self, arrays: Arrays) -> Callable[[], object]:
        """The library's own call on these arrays: what a bench holds `run` against."""
        session, names, given = self._session, self._names, dict(arrays)
        return lambda: session.run(names, given) if session else None

    def close(self) -> None:
        """Free the session, after what is under way."""
        if self._threads is not None:
            self._threads.shutdown()
        self._session = self._threads = None

    def _start(self, arrays: Arrays) -> "Future[dict[str, np.ndarray]]":
        """Begin an inference; the arrays must stay as they are until its result is there."""
        if self._threads is None:
            raise RuntimeFailure(self.name, "is closed")
        return self._threads.submit(self.run, arrays)


def _provider(device: str) -> str:
    """The provider of a device, if this build of ONNX Runtime has it."""
    provider, has = PROVIDERS.get(device), ort.get_available_providers()
    here = ", ".join(name for name, known in PROVIDERS.items() if known in has)
    if provider is None or provider not in has:
        raise BackendMissing(
            f"onnxruntime: asked for {device}, this build offers only {here}; it would run on "
            "the CPU without a word, so it is refused. For an NVIDIA GPU: "
            "pip uninstall onnxruntime && pip install onnxruntime-gpu"
        )
    return provider


def device_used(session: ort.InferenceSession, device: str, provider: str) -> str:
    """What really runs it; raises BackendMissing where that is not what was asked for."""
    used = session.get_providers()
    if used[:1] != [provider]:
        raise BackendMissing(
            f"onnxruntime: asked for {device}, it runs on {', '.join(used)}: the driver or the "
            "CUDA and cuDNN libraries do not fit this build; see lineside doctor"
        )
    if device == "CPU":
        return device
    counts = Counter(part.ep_name for part in session.get_provider_graph_assignment_info())
    if not counts[provider]:
        raise BackendMissing(
            f"onnxruntime: {device} is here but takes no part of this network; all of it would "
            "run on the CPU: use onnxruntime without a device"
        )
    shares = ", ".join(f"{count} parts on {name}" for name, count in counts.items())
    return device if len(counts) == 1 else f"{device} ({shares})"


def _spec(node: ort.NodeArg) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    return TensorSpec(node.name, shape, _DTYPES.get(node.type, node.type))
