"""NVIDIA's driver and memory: asked before TensorRT is, which crashes where there is none."""

import ctypes
from collections.abc import Callable
from importlib import import_module
from typing import Any

from common.errors import BackendMissing
from hardware.runtimes.failures import DeviceLost

DRIVER = "libcuda.so.1"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
REMEDY = "install the NVIDIA driver, or start the container with --runtime nvidia"


def gpu_count(load: Callable[[str], Any] = ctypes.CDLL) -> int:
    """How many NVIDIA GPUs the driver offers; raises BackendMissing saying why none."""
    try:
        driver = load(DRIVER)
    except OSError as error:
        raise BackendMissing(f"no NVIDIA driver here ({error}): {REMEDY}") from error
    code = driver.cuInit(0)
    if code:
        why = "no GPU" if code == NO_DEVICE else f"its driver says error {code}"
        raise BackendMissing(f"no NVIDIA GPU can be used here ({why}): {REMEDY}")
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    if not count.value:
        raise BackendMissing(f"no NVIDIA GPU can be used here (none is listed): {REMEDY}")
    return count.value


class Cuda:
    """The few calls of the CUDA runtime that a network needs; every one is checked."""

    def __init__(self, lib: Any = None) -> None:
        self._lib = lib or _runtime_library()
        self.stream = self("cudaStreamCreate")

    def __call__(self, name: str, *arguments: Any) -> Any:
        """One call: its result, or DeviceLost with CUDA's code."""
        code, *results = getattr(self._lib, name)(*arguments)
        if int(code):
            raise DeviceLost("tensorrt", f"{name} failed: CUDA error {int(code)}")
        return results[0] if results else None

    def allocate(self, size: int) -> int:
        """Memory on the GPU."""
        return int(self("cudaMalloc", size))

    def upload(self, to: int, address: int, size: int) -> None:
        """Begin a copy to the GPU, on the stream."""
        kind = self._lib.cudaMemcpyKind.cudaMemcpyHostToDevice
        self("cudaMemcpyAsync", to, address, size, kind, self.stream)

    def download(self, address: int, source: int, size: int) -> None:
        """Begin a copy from the GPU, on the stream."""
        kind = self._lib.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self("cudaMemcpyAsync", address, source, size, kind, self.stream)

    def wait(self) -> None:
        """Until all on the stream is done."""
        self("cudaStreamSynchronize", self.stream)

    def name(self) -> str:
        """The GPU's name and compute capability: what an engine is bound to."""
        properties = self("cudaGetDeviceProperties", 0)
        name = (
            properties.name.decode() if isinstance(properties.name, bytes) else properties.name
        )
        return f"{name.strip(chr(0))} {properties.major}.{properties.minor}"


def _runtime_library() -> Any:
    for name in ("cuda.bindings.runtime", "cuda.cudart"):  # from 12.8 on; before
        try:
            return import_module(name)
        except ImportError:
            continue
    raise BackendMissing("tensorrt needs CUDA's Python bindings: pip install cuda-python")
