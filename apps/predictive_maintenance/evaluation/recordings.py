"""Recordings on disk, as `evaluate` and training read them; never a pickle."""

import math
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError

DAMAGED = (
    OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError,
)  # fmt: skip
"""What numpy and zipfile raise for a file that is no npz, or is one no longer."""
MILLI_G = 9.80665e-3
"""m/s²."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One machine from new to its end."""

    file: str
    snapshots: NDArray[np.float32]
    """[snapshots, axes, samples], m/s²."""
    times_s: NDArray[np.float64]
    """[snapshots], rising."""
    fs_hz: float
    rpm: float | None
    end_s: float


def read_run(folder: Path, row: dict[str, str]) -> Run:
    """A run-to-failure history; raises ConfigError saying what is wrong with it."""
    arrays, path = _arrays(folder, row["file"], ("acc_mg", "t_s"))
    samples, times = arrays["acc_mg"], arrays["t_s"].astype(np.float64)
    if samples.ndim != 3 or times.shape != samples.shape[:1] or not len(times):
        raise ConfigError(f"{path}: acc_mg must be [snapshot, samples, axis], t_s [snapshot]")
    if not (np.diff(times) > 0).all():
        raise ConfigError(f"{path}: t_s goes backwards")
    end = number(row, "end_of_test_s", path)
    if end < times[-1]:
        raise ConfigError(
            f"{path}: end_of_test_s is {end:g} s, its last snapshot at {times[-1]:g} s"
        )
    return Run(
        row["file"], (samples.astype(np.float32) * MILLI_G).transpose(0, 2, 1), times,
        number(row, "fs_hz", path), optional(row, "rpm", path), end,
    )  # fmt: skip


def read_recording(folder: Path, row: dict[str, str]) -> NDArray[np.float32]:
    """[axes, samples] of a labelled recording; raises ConfigError."""
    arrays, path = _arrays(folder, row["file"], ("x",))
    samples = np.atleast_2d(arrays["x"].astype(np.float32))
    if samples.ndim == 2 and samples.shape[0] > samples.shape[1]:
        samples = samples.T
    if samples.ndim != 2 or not 1 <= samples.shape[0] <= 3:
        raise ConfigError(f"{path}: x must be [samples] or [axes, samples]")
    return samples


def number(row: dict[str, str], key: str, path: Path) -> float:
    """A positive number of the index; raises ConfigError."""
    value = optional(row, key, path)
    if value is None:
        raise ConfigError(f"{path}: index.csv gives no {key} for it")
    return value


def optional(row: dict[str, str], key: str, path: Path) -> float | None:
    """The same; None where the column or the value is not there."""
    text = (row.get(key) or "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{path}: index.csv gives {key} = {text!r}; needs a positive number")
    return value


def _arrays(
    folder: Path, name: str, wanted: tuple[str, ...]
) -> tuple[dict[str, NDArray[np.generic]], Path]:
    path = folder / (name or "?")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{path}: lies outside {folder}")
    try:
        with path.open("rb") as whole, np.lib.npyio.NpzFile(whole) as file:
            missing = [key for key in wanted if key not in file]
            if missing:
                raise ConfigError(f"{path}: holds no array {missing[0]}")
            arrays = {key: np.asarray(file[key]) for key in wanted}
    except DAMAGED as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ConfigError(f"{path}: cannot be read ({why})") from error
    wrong = [key for key, array in arrays.items() if array.dtype.kind not in "fiu"]
    if wrong:
        raise ConfigError(f"{path}: {wrong[0]} holds {arrays[wrong[0]].dtype}, not numbers")
    return arrays, path
