"""What a folder of data holds: one recording, several, or folders of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from apps.retail_analytics.evaluation.scene import SCENE
from apps.retail_analytics.evaluation.shops import SHOP, read_shop
from apps.retail_analytics.evaluation.trajectories import is_trajectories, read_trajectories
from apps.retail_analytics.evaluation.truth import Recording, read_folder
from apps.retail_analytics.evaluation.watched import watched
from common.errors import ConfigError

DEEPEST = 2
"""Folders in folders that are looked through."""


def read_all(data: Path) -> list[Recording]:
    """All recordings in `data` and the folders in it, by name; raises ConfigError.

    Those whose folders bear the same name go by their way from `data`.
    """
    if not data.is_dir():
        raise ConfigError(f"{data}: no such folder")
    found = _inside(data, DEEPEST)
    if not found:
        raise ConfigError(
            f"{data}: holds no {SCENE}, no {SHOP}, no trajectories and no clip that is known"
        )
    seen = Counter(recording.name for _, recording in found)
    return [
        recording
        if seen[recording.name] == 1
        else replace(recording, name=where.relative_to(data).as_posix())
        for where, recording in found
    ]


def _inside(folder: Path, deep: int) -> list[tuple[Path, Recording]]:
    read = _reader(folder)
    if read is not None:
        return [(folder, read(folder))]
    found = [(folder / recording.name, recording) for recording in watched(folder)]
    if deep:
        for inner in sorted(one for one in folder.iterdir() if one.is_dir()):
            found += _inside(inner, deep - 1)
    return found


def _reader(folder: Path) -> Callable[[Path], Recording] | None:
    if is_trajectories(folder):
        return read_trajectories
    if (folder / SCENE).is_file():
        return read_folder
    return read_shop if (folder / SHOP).is_file() else None
