"""Backends by name: where each lives and which extra installs it.

Nothing a vendor made is imported before its name is chosen, so a missing or broken
package costs nothing to who does not use it.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from common.errors import BackendMissing
from common.ports import Camera, Runtime


@dataclass(frozen=True)
class Backend:
    """One name a settings file may use."""

    module: str
    attribute: str
    package: str
    """What must be importable."""
    install: str
    """The one command that gets it."""


RUNTIMES = {
    "openvino": Backend(
        "hardware.runtimes.openvino", "OpenVino", "openvino", "pip install 'lineside[openvino]'"
    ),
    "onnxruntime": Backend(
        "hardware.runtimes.onnxruntime", "OnnxRuntime", "onnxruntime", "pip install lineside"
    ),
}


def installed(backend: Backend) -> bool:
    """Whether the package behind it can be found, without importing it."""
    return importlib.util.find_spec(backend.package) is not None


def _factory(kind: str, table: dict[str, Backend], name: str) -> Any:
    backend = table.get(name)
    if backend is None:
        raise BackendMissing(f"no {kind} named {name}; there are: {', '.join(table)}")
    if not installed(backend):
        here = [other for other, entry in table.items() if installed(entry)]
        raise BackendMissing(
            f"{kind} {name} is not installed: {backend.install}. "
            f"Available instead: {', '.join(here) or 'none'}"
        )
    return getattr(importlib.import_module(backend.module), backend.attribute)


def open_runtime(name: str, path: Path, **options: Any) -> Runtime:
    """A runtime with the network of `path`; raises BackendMissing or BundleError."""
    return cast(Runtime, _factory("runtime", RUNTIMES, name)(path, **options))
