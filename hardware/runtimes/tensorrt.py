"""TensorRT on NVIDIA GPUs and Jetson: an engine file, or an .onnx built into one here.

One way to run from TensorRT 8.5 to 11: tensors by name. Tested against a stand-in for
NVIDIA's module, which checks our calls and not its answers; no GPU has run it yet.
"""

import os
from importlib import import_module
from math import prod
from pathlib import Path

import numpy as np

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.ports import Arrays, TensorSpec
from hardware.runtimes import tensorrt_engine
from hardware.runtimes.checks import checked
from hardware.runtimes.cuda import Cuda, gpu_count
from hardware.runtimes.failures import DeviceLost

_DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "UINT8": "uint8",
    "INT32": "int32", "INT64": "int64", "BOOL": "bool",
}  # fmt: skip


class TensorRt:
    """One engine with static shapes. Raises BackendMissing, BundleError.

    `cache` keeps engines built here: they fit this TensorRT, this GPU and nothing else. It
    is the folder that systemd names (CacheDirectory=), else the model's own.
    """

    name = "tensorrt"

    def __init__(
        self, path: Path, device: str = "GPU", precision: str = "fp16", cache: str = ""
    ) -> None:
        gpu_count()  # without a driver, whatever TensorRT gives back crashes when touched
        lib = import_module("tensorrt")
        self._cuda = Cuda()
        gpu = self._cuda.name()
        kept = Path(cache or os.environ.get("CACHE_DIRECTORY", "") or path.parent)
        plan = tensorrt_engine.plan(lib, path, gpu, precision, kept)
        self._engine = tensorrt_engine.load(lib, plan, path)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise BackendMissing(f"tensorrt: {gpu} has not the memory for {path.name}")
        self.device = f"{device} ({gpu}, TensorRT {lib.__version__})"
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        given = [n for n in names if self._engine.get_tensor_mode(n) == lib.TensorIOMode.INPUT]
        self.inputs = tuple(self._spec(name, path) for name in given)
        self.outputs = tuple(self._spec(name, path) for name in names if name not in given)
        self._memory = {spec.name: self._placed(spec) for spec in self.inputs + self.outputs}
        self._closed = False

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure, DeviceLost where CUDA itself failed."""
        if self._closed:
            raise RuntimeFailure(self.name, "is closed")
        given = checked(self.name, self.inputs, arrays)
        kept = [np.ascontiguousarray(array) for array in given.values()]
        for name, array in zip(given, kept, strict=True):
            self._cuda.upload(self._memory[name], array.ctypes.data, array.nbytes)
        if not self._context.execute_async_v3(stream_handle=int(self._cuda.stream)):
            raise DeviceLost(self.name, "inference could not be put on the GPU")
        found = {s.name: np.empty(s.shape, s.dtype) for s in self.outputs}
        for name, array in found.items():
            self._cuda.download(array.ctypes.data, self._memory[name], array.nbytes)
        self._cuda.wait()
        return found

    def close(self) -> None:
        """Free the context, then the engine, then its memory."""
        if self._closed:
            return
        self._closed = True
        self._context = None
        self._engine = None
        for address in self._memory.values():
            self._cuda("cudaFree", address)
        self._cuda("cudaStreamDestroy", self._cuda.stream)

    def _spec(self, name: str, path: Path) -> TensorSpec:
        shape = tuple(self._engine.get_tensor_shape(name))
        kind = str(self._engine.get_tensor_dtype(name)).rpartition(".")[2]
        if min(shape, default=1) < 0 or kind not in _DTYPES:
            raise BundleError(
                f"{path}: {name} is {kind} {list(shape)}; tensorrt takes fixed shapes and "
                f"plain numbers ({', '.join(_DTYPES)}): export the model with fixed shapes"
            )
        return TensorSpec(name, shape, _DTYPES[kind])

    def _placed(self, spec: TensorSpec) -> int:
        address = self._cuda.allocate(prod(spec.shape) * np.dtype(spec.dtype).itemsize)
        self._context.set_tensor_address(spec.name, address)
        return address
