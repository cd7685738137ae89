"""A model as it ships: model.toml (card and contract) and one artefact per runtime.

Nothing is loaded whose bytes are not the ones the card was written for, and a network
whose inputs or outputs differ from the card is refused before it sees a picture.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from common.config import load, setting
from common.errors import BundleError, ConfigError, RuntimeFailure
from common.ports import Arrays, Runtime, TensorSpec


@dataclass(frozen=True)
class Tensor:
    """The contract of one input or output."""

    name: str = setting()
    shape: tuple[int, ...] = setting()
    """-1 is a free dimension."""
    dtype: str = setting("float32", choices=("float32", "uint8", "int8", "int64"))
    layout: str = setting("")
    """E.g. NCHW; for people and for `perceive`."""


ELSEWHERE = b"\n\x08location\x12"
"""In an ONNX file: the key under which a tensor names the file that its values lie in."""


@dataclass(frozen=True)
class Artefact:
    """One file of the model for one runtime."""

    runtime: str = setting()
    precision: str = setting(choices=("fp32", "fp16", "int8"))
    file: str = setting()
    sha256: str = setting()
    companion: str = setting("")
    """A second file the first one loads (OpenVINO's weights)."""
    companion_sha256: str = setting("")
    also: tuple[str, ...] = setting(())
    """Other devices of its runtime that the file is for, e.g. GPU; the first goes unsaid."""

    def __post_init__(self) -> None:
        stem, _, kind = self.file.rpartition(".")
        if kind == "xml" and self.companion != f"{stem}.bin":
            raise ValueError(
                f"{self.file} loads {stem}.bin: name it as companion, with its hash"
            )

    @property
    def label(self) -> str:
        """Runtime and precision, as people choose it."""
        return f"{self.runtime}/{self.precision}"

    def by_device(self) -> list["Artefact"]:
        """Itself for each device that it is for, under the runtime's name with the device."""
        others = (f"{self.runtime}:{device}" for device in self.also)
        return [self, *(replace(self, runtime=name, also=()) for name in others)]


@dataclass(frozen=True)
class NotBuilt:
    """Devices that there is no file for, and what would get them one."""

    devices: tuple[str, ...] = setting()
    """As the catalogue of devices names them, e.g. Hailo-8."""
    reason: str = setting()
    command: str = setting("")
    """What makes the file; empty: nothing is to be gained there."""


@dataclass(frozen=True)
class Origin:
    """Where the weights come from: what an auditor asks."""

    data: str = setting("")
    split: str = setting("")
    data_licence: str = setting("")
    command: str = setting("")
    commit: str = setting("")
    tool: str = setting("")


@dataclass(frozen=True)
class ModelCard:
    """model.toml."""

    name: str = setting()
    version: str = setting()
    task: str = setting(choices=("detection", "reconstruction", "risk"))
    licence: str = setting()
    labels: tuple[str, ...] = setting()
    inputs: tuple[Tensor, ...] = setting()
    outputs: tuple[Tensor, ...] = setting()
    artefacts: tuple[Artefact, ...] = setting()
    overlap: float = setting(0.45, low=0.05, high=0.95)
    """IoU above which two boxes of one kind are one defect."""
    not_built: tuple[NotBuilt, ...] = setting(())
    origin: Origin = field(default_factory=Origin)

    def candidates(self) -> list[Artefact]:
        """Every artefact on every device that it is for, in the card's order."""
        return [one for artefact in self.artefacts for one in artefact.by_device()]


@dataclass(frozen=True)
class Bundle:
    """A model folder whose card was read."""

    folder: Path
    card: ModelCard

    def path(self, artefact: Artefact) -> Path:
        """The artefact's file, after its SHA-256 was checked; raises BundleError."""
        path = _verified(self.folder, artefact.file, artefact.sha256)
        if ELSEWHERE in path.read_bytes():
            raise BundleError(
                f"{path}: its weights lie in another file, which no hash covers; save it as one"
            )
        if artefact.companion:
            _verified(self.folder, artefact.companion, artefact.companion_sha256)
        return path


def open_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`; raises BundleError when there is none or its card is wrong."""
    card = folder / "model.toml"
    if not card.is_file():
        raise BundleError(f"{folder}: no model here (model.toml is missing)")
    try:
        return Bundle(folder, load(ModelCard, card))
    except ConfigError as error:
        raise BundleError(str(error)) from error


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verified(folder: Path, name: str, expected: str) -> Path:
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BundleError(f"{folder}: {name} lies outside the model's folder")
        if not path.is_file():
            raise BundleError(f"{path}: missing; restore it or train the model again")
        found = sha256(path)
    except ValueError as error:  # a NUL
        raise BundleError(f"{folder}: {name!r} is no name of a file ({error})") from error
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be read ({error.strerror}); give the station's user the right to"
        ) from error
    if found != expected:
        raise BundleError(
            f"{path}: is not the file model.toml was written for (SHA-256); restore it or "
            "train the model again"
        )
    return path


class Model:
    """A network behind its contract: every call's arrays are checked on the way in and out."""

    def __init__(self, card: ModelCard, artefact: Artefact, runtime: Runtime) -> None:
        self.card, self.artefact, self.runtime = card, artefact, runtime
        _check_specs(card.inputs, runtime.inputs, artefact.file, "input")
        _check_specs(card.outputs, runtime.outputs, artefact.file, "output")

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Outputs by name; raises RuntimeFailure on a wrong array or a failed inference."""
        self.check_inputs(arrays)
        outputs = self.runtime.run(arrays)
        self.check_outputs(outputs)
        return outputs

    def check_inputs(self, arrays: Arrays) -> None:
        """Raises RuntimeFailure for arrays that are not what the card promises."""
        for spec in self.card.inputs:
            _check_array(self.runtime.name, spec, arrays.get(spec.name))

    def check_outputs(self, outputs: Arrays) -> None:
        """Raises RuntimeFailure for outputs that nobody may read."""
        for spec in self.card.outputs:
            array = _check_array(self.runtime.name, spec, outputs.get(spec.name))
            if not np.isfinite(array).all():  # NaN passes no threshold: it looks like nothing
                raise RuntimeFailure(self.runtime.name, f"{spec.name} holds NaN or infinity")

    def describe(self) -> str:
        """One line for screens and records."""
        kind = f"{self.artefact.precision} on {self.runtime.name} {self.runtime.device}"
        return f"{self.card.name} {self.card.version} ({kind})"

    def close(self) -> None:
        """Free the network."""
        self.runtime.close()


def _check_specs(
    promised: Iterable[Tensor], real: tuple[TensorSpec, ...], file: str, what: str
) -> None:
    have = {spec.name: spec for spec in real}
    for spec in promised:
        found = have.get(spec.name)
        if found is None:
            raise BundleError(f"{file}: no {what} named {spec.name}; it has {', '.join(have)}")
        if not _fits(spec.shape, found.shape) or found.dtype != spec.dtype:
            raise BundleError(
                f"{file}: {what} {spec.name} is {found.dtype} {list(found.shape)}, "
                f"model.toml says {spec.dtype} {list(spec.shape)}"
            )


def _fits(shape: tuple[int, ...], allowed: tuple[int, ...]) -> bool:
    """Whether a shape is the allowed one, whose -1 is any size."""
    return len(shape) == len(allowed) and all(
        want in (-1, real) for real, want in zip(shape, allowed, strict=True)
    )


def _check_array(runtime: str, spec: Tensor, array: np.ndarray | None) -> np.ndarray:
    if array is None:
        raise RuntimeFailure(runtime, f"{spec.name} is missing")
    if array.dtype != spec.dtype or not _fits(array.shape, spec.shape):
        raise RuntimeFailure(
            runtime,
            f"{spec.name} is {array.dtype} {list(array.shape)}, "
            f"expected {spec.dtype} {list(spec.shape)}",
        )
    return array
