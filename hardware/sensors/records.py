"""One vibration record from a file: CSV, WAV, NPZ or MAT.

CSV has a header line; its columns x, y, z are axes, `t_s` is time, and rpm, load and
temperature_c are values beside them. NPZ and MAT hold arrays: `acceleration` or `x` [n],
[axes, n] or [n, axes], or a history `acc_mg` [snapshot, n, axis] in 0.001 g with `t_s`
[snapshot]; and numbers `fs_hz`, `rpm`, `load`, `temperature_c`. MAT is that of MATLAB up
to version 7. Nothing is ever unpickled.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, wavfile

G = 9.80665
"""m/s² in one g."""
AXES = ("x", "y", "z")
NAMES = ("acceleration", "x", "acc_mg")
MOST_BYTES = 1 << 30
Samples = NDArray[np.float32]


class BadFile(ValueError):
    """A file that holds no vibration record; the text says which and why."""


@dataclass(frozen=True, slots=True, eq=False)
class FileRecord:
    """One stretch of measurement."""

    acceleration: Samples
    """[axes, samples] in m/s²."""
    fs_hz: float
    start_s: float
    """Since the file's first record began."""
    rpm: float | None = None
    load: float | None = None
    temperature_c: float | None = None


def read_records(path: Path, fs_hz: float, scale: float) -> Iterator[FileRecord]:
    """The records in a file, in order; raises BadFile.

    `fs_hz` is for files that do not say it themselves (0: they must); `scale` is m/s² of
    one unit.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadFile(f"{path}: is none of {', '.join(READERS)}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadFile(f"{path}: more than {MOST_BYTES} bytes")  # noqa: TRY301
        records = reader(path, fs_hz, scale)
    except BadFile:
        raise
    except Exception as error:  # foreign parsers raise what they like on foreign files
        raise BadFile(f"{path}: cannot be read ({error})") from error
    return iter(records)


def _csv(path: Path, fs_hz: float, scale: float) -> list[FileRecord]:
    text = path.read_text("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    axes = [names.index(axis) for axis in AXES if axis in names]
    if not axes:
        raise ValueError(f"no column x, y or z; there are {', '.join(names) or 'none'}")
    values = np.array(rows[1:], np.float64).T
    if not values.size:
        raise ValueError("no samples")
    column = {name: values[at] for at, name in enumerate(names)}
    rate = _rate_of(column["t_s"]) if "t_s" in column else fs_hz
    beside = {name: float(column[name].mean()) for name in BESIDE if name in column}
    return [FileRecord(_scaled(values[axes], scale), _checked(rate), 0.0, **beside)]


def _wav(path: Path, fs_hz: float, scale: float) -> list[FileRecord]:
    del fs_hz  # the file knows
    rate, values = wavfile.read(path)
    whole = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 1
    return [FileRecord(_scaled(_axes_first(values) / whole, scale), float(rate), 0.0)]


def _npz(path: Path, fs_hz: float, scale: float) -> list[FileRecord]:
    with np.load(path, allow_pickle=False) as file:
        return _arrays({name: file[name] for name in file.files}, fs_hz, scale)


def _mat(path: Path, fs_hz: float, scale: float) -> list[FileRecord]:
    found = {key: value for key, value in loadmat(path).items() if key[:2] != "__"}
    return _arrays(found, fs_hz, scale)


def _arrays(found: Mapping[str, Any], fs_hz: float, scale: float) -> list[FileRecord]:
    name = next((name for name in NAMES if name in found), None)
    if name is None:
        raise ValueError(f"none of {', '.join(NAMES)} is in it, but {', '.join(found)}")
    rate = _checked(_single(found, "fs_hz") or fs_hz)
    beside = {key: _single(found, key) for key in BESIDE}
    if name != "acc_mg":
        samples = _scaled(_axes_first(np.squeeze(found[name])), scale)
        return [FileRecord(samples, rate, 0.0, **beside)]
    history = np.asarray(found[name])
    if history.ndim != 3:
        raise ValueError(
            f"acc_mg of shape {list(history.shape)}; [snapshot, n, axis] is needed"
        )
    starts = np.ravel(found["t_s"]).astype(float)
    if len(starts) != len(history):
        raise ValueError(f"{len(history)} snapshots and {len(starts)} times")
    return [
        FileRecord(_scaled(part.T, G / 1000), rate, float(start), **beside)
        for part, start in zip(history, starts, strict=True)
    ]


def _axes_first(values: Any) -> np.ndarray:
    array = np.atleast_2d(np.asarray(values))
    if array.dtype.kind not in "fiu":
        raise ValueError(f"samples of type {array.dtype}; numbers are needed")
    if array.ndim != 2:
        raise ValueError(f"samples of shape {list(array.shape)}")
    return array.T if array.shape[0] > array.shape[1] else array


def _scaled(values: np.ndarray, scale: float) -> Samples:
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is refused later
        return np.ascontiguousarray(values * scale, np.float32)


def _rate_of(times: NDArray[np.float64]) -> float:
    steps = np.diff(times)
    if len(steps) == 0 or not (steps > 0).all():
        raise ValueError("t_s does not rise from line to line")
    return float(f"{1 / np.median(steps):.6g}")  # times are written with few digits


def _checked(rate: float) -> float:
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError("the sampling rate is not known: set fs_hz")
    return float(rate)


def _single(found: Mapping[str, Any], name: str) -> float | None:
    if name not in found:
        return None
    return float(np.mean(np.asarray(found[name], np.float64)))


BESIDE = ("rpm", "load", "temperature_c")
READERS: dict[str, Callable[[Path, float, float], list[FileRecord]]] = {
    ".csv": _csv, ".wav": _wav, ".npz": _npz, ".mat": _mat,
}  # fmt: skip
