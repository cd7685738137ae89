"""ONNX Runtime on the processor: runs everywhere, needs nothing but the base install."""

import os
from pathlib import Path

import numpy as np
import onnxruntime as ort

from common.errors import BundleError, RuntimeFailure
from common.ports import Arrays, TensorSpec

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int64)": "int64",
}
PROVIDER = "CPUExecutionProvider"


class OnnxRuntime:
    """One session on the CPU. Raises BundleError when the file is no usable network."""

    name = "onnxruntime"
    device = "CPU"

    def __init__(self, path: Path, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.log_severity_level = 4  # what fails is raised; the rest is chatter
        try:
            self._session = ort.InferenceSession(str(path), options, providers=[PROVIDER])
        except Exception as error:
            # its exceptions share no public base class
            raise BundleError(f"{path}: ONNX Runtime cannot load it: {_line(error)}") from error
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self._names = [spec.name for spec in self.outputs]

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure."""
        if self._session is None:
            raise RuntimeFailure(self.name, "is closed")
        try:
            outputs = self._session.run(self._names, dict(arrays))
        except Exception as error:
            raise RuntimeFailure(self.name, f"inference failed: {_line(error)}") from error
        return dict(zip(self._names, outputs, strict=True))

    def close(self) -> None:
        """Free the session."""
        self._session = None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _spec(node: ort.NodeArg) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    return TensorSpec(node.name, shape, _DTYPES.get(node.type, node.type))
