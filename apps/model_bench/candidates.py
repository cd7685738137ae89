"""What there is to try: each file of a model, on each runtime and device that reads it."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.inference.bundle import open_bundle
from hardware.catalog import RUNTIMES

READS = {
    ".onnx": ("onnxruntime", "openvino", "tensorrt"),
    ".xml": ("openvino",),
    ".tflite": ("litert", "openvino"),
    ".engine": ("tensorrt",),
    ".hef": ("hailo",),
}
"""By a file's ending: whose it is first, then who reads it too."""
QUANTISED = ("int8", "quant", "qdq")


@dataclass(frozen=True)
class Candidate:
    """One row of the report to be."""

    runtime: str
    """As the catalogue names it, with its device: "openvino:GPU"."""
    precision: str
    file: str
    """An absolute path."""
    bundle: str = ""
    """The bundle's folder; empty for a file alone, which has no card to be held to."""

    @property
    def label(self) -> str:
        """Runtime and precision, as people choose it."""
        return f"{self.runtime}/{self.precision}"

    def table(self) -> dict[str, Any]:
        """For the process that measures it."""
        return asdict(self)


def candidates(model: Path, runtimes: Iterable[str] = ()) -> list[Candidate]:
    """All of them, or those of `runtimes`; raises ConfigError when there are none."""
    wanted = tuple(runtimes)
    unknown = [name for name in wanted if name.partition(":")[0] not in RUNTIMES]
    if unknown:
        raise ConfigError(f"no runtime named {unknown[0]}; there are: {', '.join(RUNTIMES)}")
    every = list(_of_bundle(model) if model.is_dir() else _of_file(model))
    found = [c for c in every if not wanted or _asked_for(c.runtime, wanted)]
    if not found:
        have = ", ".join(dict.fromkeys(c.runtime for c in every))
        raise ConfigError(f"{model}: nothing to try on {', '.join(wanted)}; it has {have}")
    return found


def _asked_for(runtime: str, wanted: tuple[str, ...]) -> bool:
    """A runtime's bare name stands for all its devices."""
    return runtime in wanted or runtime.partition(":")[0] in wanted


def _of_bundle(folder: Path) -> Iterator[Candidate]:
    bundle = open_bundle(folder)
    for artefact in bundle.card.artefacts:
        base, _, device = artefact.runtime.partition(":")
        path = str(bundle.path(artefact).absolute())
        for name in [artefact.runtime] if device else _devices(base):
            yield Candidate(name, artefact.precision, path, str(folder.absolute()))


def _of_file(path: Path) -> Iterator[Candidate]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such model: a bundle's folder or one file is needed")
    if path.suffix not in READS:
        raise ConfigError(f"{path}: known are {', '.join(READS)}")
    for base in READS[path.suffix]:
        for name in _devices(base):
            yield Candidate(name, _precision(path), str(path.absolute()))


def _devices(base: str) -> list[str]:
    first, *others = RUNTIMES[base].devices
    return [base, *(f"{base}:{device}" for device in others)] if first else []


def _precision(path: Path) -> str:
    """What the file's name says, for want of a card."""
    name = path.stem.lower()
    if any(word in name for word in QUANTISED):
        return "int8"
    return "fp16" if "16" in name.replace("416", "") else "fp32"
