"""OpenVINO on Intel and other x86 or Arm processors: the fastest INT8 on a plain CPU."""

from pathlib import Path

import numpy as np
import openvino as ov

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.ports import Arrays, TensorSpec


class OpenVino:
    """One infer request on `device`; float32 arithmetic stays float32.

    OpenVINO silently uses bfloat16 on processors that have it, which moves float results
    by whole units; the hint below keeps every device's answer the same.
    """

    name = "openvino"

    def __init__(self, path: Path, device: str = "CPU", threads: int = 0) -> None:
        core = ov.Core()
        if device not in core.available_devices:
            here = ", ".join(core.available_devices)
            raise BackendMissing(f"OpenVINO has no device {device} here; it has: {here}")
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            self._model = core.compile_model(str(path), device, options)
        except RuntimeError as error:
            raise BundleError(f"{path}: OpenVINO cannot load it: {_line(error)}") from error
        self.device = ",".join(self._model.get_property("EXECUTION_DEVICES"))
        self.inputs = tuple(_spec(port) for port in self._model.inputs)
        self.outputs = tuple(_spec(port) for port in self._model.outputs)
        self._request: ov.InferRequest | None = self._model.create_infer_request()
        self._names = {spec.name for spec in self.inputs}

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure. Outputs are copies."""
        if self._request is None:
            raise RuntimeFailure(self.name, "is closed")
        if arrays.keys() != self._names:  # it would run on the arrays of the call before
            raise RuntimeFailure(self.name, f"needs {sorted(self._names)}, got {[*arrays]}")
        try:
            self._request.infer(dict(arrays), share_inputs=True)
            return {
                spec.name: np.array(self._request.get_output_tensor(index).data)
                for index, spec in enumerate(self.outputs)
            }
        except Exception as error:
            # RuntimeError from the library, TypeError or ValueError from its Python side
            raise RuntimeFailure(self.name, f"inference failed: {_line(error)}") from error

    def close(self) -> None:
        """Free the network."""
        self._request = self._model = None


def _line(error: Exception) -> str:
    """The last line: those before it name places in OpenVINO's source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _spec(port: "ov.ConstOutput") -> TensorSpec:
    shape = tuple(
        int(size.get_length()) if size.is_static else -1 for size in port.get_partial_shape()
    )
    dtype = str(np.dtype(port.get_element_type().to_dtype()))
    return TensorSpec(port.get_any_name(), shape, dtype)
