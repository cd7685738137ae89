"""Hailo-8 and 8L through HailoRT 4.x: a .hef that was compiled for that very chip.

It lives in a process and, where its wheel wants an older numpy, an interpreter of its own
(LINESIDE_HAILO_PYTHON). Tested against a stand-in for the vendor's module, which checks our
calls and not its answers; no Hailo has run it yet.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import BackendMissing, BundleError, LinesideError, RuntimeFailure
from common.ports import Arrays, TensorSpec
from hardware.runtimes.checks import checked
from hardware.runtimes.failures import DeviceLost, one_line
from hardware.runtimes.presence import HAILO as NO_DRIVER

TIMEOUT_MS = 1000
MISSING = {
    64: NO_DRIVER,
    73: "it is in use by another process: one process per chip",
    74: "it is in use by another process: one process per chip",
    76: "driver and HailoRT are of different versions: install the same of both",
    85: "driver and HailoRT are of different versions: install the same of both",
    86: "driver and HailoRT are of different versions: install the same of both",
}
WRONG_FILE = {
    26: "is no usable HEF",
    92: "was compiled by a Dataflow Compiler that this HailoRT does not know",
    93: "was compiled for another chip (8, 8L and 10 differ)",
}


class Hailo:
    """One configured network with named outputs. Raises BackendMissing, BundleError."""

    name = "hailo"

    def __init__(self, path: Path, device: str = "Hailo-8", root: Path = Path("/")) -> None:
        if not path.is_file():
            raise BundleError(f"{path}: missing; restore it")
        if not list((root / "dev").glob("hailo*")):
            raise BackendMissing(f"Hailo: there is no /dev/hailo0: {MISSING[64]}")
        lib = import_module("hailo_platform")
        try:
            self._open(lib, path)
        except BundleError:
            raise
        except Exception as error:
            raise explained(path, error) from error
        self.device = f"{device} (HailoRT {getattr(lib, '__version__', 'unknown')})"

    def _open(self, lib: Any, path: Path) -> None:
        params = lib.VDevice.create_params()
        params.scheduling_algorithm = lib.HailoSchedulingAlgorithm.ROUND_ROBIN
        self._chip: Any = lib.VDevice(params)
        model = self._chip.create_infer_model(str(path))
        model.set_batch_size(1)
        model.input().set_format_type(lib.FormatType.UINT8)
        for name in model.output_names:
            if model.output(name).is_nms:
                raise BundleError(
                    f"{path}: {name} is of free length (NMS on the chip): "
                    "compile it without; lineside decodes"
                )
            model.output(name).set_format_type(lib.FormatType.FLOAT32)
        self.inputs: tuple[TensorSpec, ...] = (
            TensorSpec(model.input_names[0], (1, *model.input().shape), "uint8"),
        )
        self.outputs = tuple(
            TensorSpec(name, (1, *model.output(name).shape), "float32")
            for name in model.output_names
        )
        self._configured: Any = model.configure()

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure, DeviceLost when the chip does not answer."""
        if self._configured is None:
            raise RuntimeFailure(self.name, "is closed")
        (array,) = checked(self.name, self.inputs, arrays).values()
        found = {s.name: np.empty(s.shape, s.dtype) for s in self.outputs}
        try:
            bindings = self._configured.create_bindings(
                output_buffers={name: buffer[0] for name, buffer in found.items()}
            )
            bindings.input().set_buffer(np.ascontiguousarray(array[0]))
            self._configured.run([bindings], TIMEOUT_MS)
        except Exception as error:  # after an error its whole pipeline is shut down
            raise DeviceLost(self.name, f"inference failed: {one_line(error)}") from error
        return found

    def close(self) -> None:
        """Free the network, then the chip."""
        configured, self._configured = self._configured, None
        if configured is not None:
            configured.shutdown()
            self._chip.release()


def explained(path: Path, error: Exception) -> LinesideError:
    """HailoRT's error as ours: what it means and what to do."""
    text = one_line(error)
    code = int(found[1]) if (found := re.search(r"error: (\d+)", text)) else 0
    kind = type(error).__name__
    if code in WRONG_FILE or "HEF" in kind:
        fallback = WRONG_FILE[93] if "NotCompatible" in kind else WRONG_FILE[26]
        return BundleError(f"{path}: {WRONG_FILE.get(code, fallback)} ({text})")
    return BackendMissing(f"Hailo: {MISSING.get(code, 'it cannot be opened')} ({text})")
