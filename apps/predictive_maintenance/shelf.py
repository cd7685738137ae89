"""Baselines on disk: every version is kept, one is in use, and one may go back.

One folder per machine, one file per version (arrays and text, never a pickle), and a file
that names the version in use. What is read is checked: a baseline decides verdicts.
"""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.config import ASSET
from apps.predictive_maintenance.scatter import Scatter
from common.errors import ConfigError
from common.whole_file import write_whole

SCATTER = ("noise", "middle", "spread", "precision", "components")
ARRAYS = ("used", "centres", "velocity_mm_s", "acceleration_m_s2")
FACTS = (
    "asset", "version", "axes", "smooth", "limits", "acceleration_spread", "kurtosis",
    "windows", "first_wall_time", "last_wall_time", "model",
)  # fmt: skip
MODE = 0o644
"""A baseline is no secret."""


class Shelf:
    """The baselines of a station's machines under one folder. Raises ConfigError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, baseline: Baseline) -> Baseline:
        """Keep it as the machine's next version and take it into use."""
        known = self.versions(baseline.asset)
        numbered = replace(baseline, version=known[-1] + 1 if known else 1)
        folder = self._of(baseline.asset)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{numbered.version:04d}.npz", _packed(numbered), MODE)
        self.use(numbered.asset, numbered.version)
        return numbered

    def versions(self, asset: str) -> list[int]:
        """The versions that are kept, oldest first."""
        files = self._of(asset).glob("*.npz")
        return sorted(int(path.stem) for path in files if path.stem.isdigit())

    def use(self, asset: str, version: int) -> Baseline:
        """Take a version into use, as it were a going back; returns it."""
        chosen = self.get(asset, version)
        write_whole(self._of(asset) / "in-use", f"{version}\n".encode(), MODE)
        return chosen

    def get(self, asset: str, version: int) -> Baseline:
        """One version."""
        path = self._of(asset) / f"{version:04d}.npz"
        if not path.is_file():
            raise ConfigError(f"{asset}: there is no baseline {version}")
        return _read(path, asset)

    def current(self, asset: str) -> Baseline | None:
        """The one in use; None when the machine has none."""
        path = self._of(asset) / "in-use"
        if not path.is_file():
            return None
        try:
            text = path.read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from error
        if not text.isdigit():
            raise ConfigError(f"{path}: must hold the number of a version, holds {text!r}")
        return self.get(asset, int(text))

    def _of(self, asset: str) -> Path:
        if not ASSET.fullmatch(asset):
            raise ConfigError(f"{asset!r}: an asset is named by letters, digits, . _ and -")
        return self._folder / asset


def _packed(baseline: Baseline) -> bytes:
    facts = {name: getattr(baseline, name) for name in FACTS}
    facts |= {"states": list(baseline.states), "notes": list(baseline.notes)}
    arrays = {name: getattr(baseline, name) for name in ARRAYS}
    arrays |= {name: getattr(baseline.scatter, name) for name in SCATTER}
    file = io.BytesIO()
    np.savez(file, facts=np.array(json.dumps(facts)), **arrays)
    return file.getvalue()


def _read(path: Path, asset: str) -> Baseline:
    try:
        with path.open("rb") as whole, np.load(whole, allow_pickle=False) as file:
            facts: dict[str, Any] = json.loads(str(file["facts"]))
            arrays = {name: file[name] for name in (*ARRAYS, *SCATTER)}
        scatter = Scatter(**{name: arrays.pop(name) for name in SCATTER})
        states, notes = tuple(facts.pop("states")), tuple(facts.pop("notes"))
        baseline = Baseline(**facts, **arrays, states=states, notes=notes, scatter=scatter)
        _check(baseline, asset)
    except Exception as error:  # a damaged file may fail in any way
        raise ConfigError(f"{path}: is no baseline of {asset} ({error})") from error
    return baseline


def _check(baseline: Baseline, asset: str) -> None:
    """Raises ValueError when the parts do not belong together."""
    size = int(np.count_nonzero(baseline.used))
    if baseline.asset != asset or baseline.centres.shape != (len(baseline.states), size):
        raise ValueError("names or shapes do not fit")
    scatter = baseline.scatter
    if scatter.precision.shape != (size, size) or scatter.components.shape[1:] != (size,):
        raise ValueError("its scatter is of another size")
    arrays = [baseline.centres, *(getattr(scatter, name) for name in SCATTER)]
    limits = list(baseline.limits.values())
    if not all(np.isfinite(array).all() for array in arrays) or not min(limits) > 0:
        raise ValueError("holds NaN, infinity or a limit that is not positive")
