"""TensorRT engines: found in the cache, or built from ONNX on the device they shall run on.

An engine fits one version of TensorRT and one GPU; nothing tells whether it does but
loading it. So those that are built here carry all that in their names. TensorRT 10 takes a
precision as a flag; 11 takes the network as it is typed.
"""

import hashlib
import os
import re
import sys
from collections import deque
from pathlib import Path
from typing import Any

from common.errors import BackendMissing, BundleError

WORKSPACE_BYTES = 1 << 30
OTHER_ENGINE = ("version tag", "magictag", "incompatible device", "different device")
REBUILD = (
    "it was built by another TensorRT or for another GPU: give the .onnx, it is built here"
)


def key(onnx: bytes, version: str, gpu: str, precision: str) -> str:
    """What an engine depends on, as a file name."""
    digest = hashlib.sha256(onnx).hexdigest()[:16]
    where = re.sub(r"[^A-Za-z0-9.]+", "-", f"trt{version}-{gpu}-{precision}")
    return f"{digest}-{where}.engine"


def plan(lib: Any, path: Path, gpu: str, precision: str, cache: Path) -> bytes:
    """The engine's bytes: `path` itself, or what was built from it, now or before."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    if path.suffix != ".onnx":
        return content
    kept = cache / key(content, str(lib.__version__), gpu, precision)
    if kept.is_file():
        return kept.read_bytes()
    built = _built(lib, content, path, precision)
    try:
        half = kept.with_suffix(f".{os.getpid()}")
        half.write_bytes(built)
        half.replace(kept)
    except OSError as error:  # it runs all the same, and is built again at the next start
        sys.stderr.write(f"tensorrt: {kept} cannot be kept: {error.strerror}\n")
    return built


def load(lib: Any, content: bytes, path: Path) -> Any:
    """The engine; TensorRT gives None on failure and the reason to its logger only."""
    log = listener(lib)
    engine = lib.Runtime(log).deserialize_cuda_engine(content)
    if engine is None:
        said = " ".join(log.errors) or "no reason given"
        if any(word in said.lower() for word in OTHER_ENGINE):
            said = f"{REBUILD} ({said})"
        raise BundleError(f"{path}: TensorRT cannot load it: {said}")
    return engine


def listener(lib: Any) -> Any:
    """A logger that keeps the last errors: TensorRT raises nothing."""

    class Listener(lib.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            lib.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=3)

        def log(self, severity: Any, message: str) -> None:
            if severity in (lib.ILogger.ERROR, lib.ILogger.INTERNAL_ERROR):
                self.errors.append(message)

    return Listener()


def _built(lib: Any, onnx: bytes, path: Path, precision: str) -> bytes:
    sys.stderr.write(f"tensorrt: building {path.name} for this GPU; this takes minutes\n")
    log = listener(lib)
    builder = lib.Builder(log)
    network = builder.create_network(0)
    parser = lib.OnnxParser(network, log)
    if not parser.parse(onnx):
        errors = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise BundleError(f"{path}: TensorRT cannot read it: {' '.join(errors.split())}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(lib.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    _set_precision(lib, config, precision)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise BundleError(f"{path}: TensorRT cannot build it: {' '.join(log.errors)}")
    return bytes(built)


def _set_precision(lib: Any, config: Any, precision: str) -> None:
    """A flag where there is one; from TensorRT 11 on the file itself says it."""
    if precision == "fp32" or not hasattr(lib.BuilderFlag, "FP16"):
        return
    if precision != "fp16":
        raise BackendMissing(
            f"tensorrt: {precision} is not built from flags: give an .onnx with Q/DQ nodes"
        )
    config.set_flag(lib.BuilderFlag.FP16)
