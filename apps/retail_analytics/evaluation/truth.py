"""What really happened: people's boxes picture by picture, and when they crossed which line."""

import csv
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics import drawing
from apps.retail_analytics.domain import IN, OUT, STANDING_M, Crossing, Point
from apps.retail_analytics.evaluation.scene import SCENE, drawn, read_scene
from apps.retail_analytics.geometry import Line, Zone
from common.errors import ConfigError

USUAL_FPS = 25.0
TRUTH, EVENTS, CLIP = "gt.txt", "crossings.csv", "clip.mp4"
VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".ts"}
LAST_FRAME = 1_000_000
WITH_CLASS = (8, 9)
"""Columns of MOT rows whose eighth is a class; of ten the last three are a place in metres."""
COLUMNS = ("line", "direction", "time_s")
Boxes = NDArray[np.float64]
Views = list[tuple[NDArray[np.int64], Boxes]]
"""Per picture: ids [n] and boxes [n, 4] left, top, right, bottom."""
Hidden = list[tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Per picture: which share of the box is hidden from each edge [n, 4]; how much is seen [n]."""


@dataclass(frozen=True, slots=True)
class Passing(Crossing):
    """A crossing of a line with a band: it takes as long as it takes to leave the band."""

    began: float
    """When the person was last beyond the band on the old side, s."""
    ended: float
    """When first beyond it on the new one."""


@dataclass(frozen=True)
class Recording:
    """One clip or one set of tracks, with its truth."""

    name: str
    fps: float
    """0 until a clip has been read that says it itself."""
    lines: tuple[Line, ...]
    zones: tuple[Zone, ...] = ()
    views: Views = field(default_factory=list)
    """Empty where only the crossings are known."""
    crossings: tuple[Crossing, ...] = ()
    clip: Path | None = None
    person_m: float = STANDING_M
    size: tuple[int, int] = (0, 0)
    """Width and height in px; 0 is not known."""
    nadir: Point | None = None
    """Where upright edges meet below the picture; None: they are upright."""
    hidden: Hidden = field(default_factory=list)
    """As `views`, where it is known what hides whom; empty where it is not."""


def read_folder(folder: Path, clip: Path | None = None) -> Recording:
    """clip.mp4 (or the clip that the scene names, or tracks only), scene.toml and its truth.

    Raises ConfigError.
    """
    scene = read_scene(folder / SCENE)
    lines, zones = drawn(scene)
    clip = clip or _clip(folder, scene.clip)
    fps = scene.fps or USUAL_FPS
    views = read_mot(folder / TRUTH) if (folder / TRUTH).is_file() else []
    if views:
        crossings = crossings_of(views, fps, lines)
    elif (folder / EVENTS).is_file():
        crossings = read_crossings(folder / EVENTS, lines)
    else:
        raise ConfigError(f"{folder}: has no truth: needs {TRUTH} or {EVENTS}")
    if clip is None and not views:
        raise ConfigError(f"{folder}: has neither {CLIP} nor {TRUTH}: nothing to count in")
    return Recording(
        folder.name, scene.fps if clip else fps, lines, zones, views, crossings, clip,
        scene.person_m, (scene.width, scene.height), drawing.nadir(scene.nadir, scene.height),
    )  # fmt: skip


def _clip(folder: Path, named: str) -> Path | None:
    """The clip in `folder`; None where there are tracks only. Raises ConfigError."""
    clip = folder / (named or CLIP)
    if clip.is_file():
        return clip
    if named:
        raise ConfigError(f"{clip}, which {SCENE} names, is not there")
    for other in sorted(folder.iterdir()):
        if other.suffix.lower() in VIDEOS:
            raise ConfigError(f"{other}: name it {CLIP}, or name it as `clip` in {SCENE}")
    return None


def read_mot(path: Path) -> Views:
    """MOT ground truth: frame from 1, id, left, top, width, height, flag, class, …

    A flag of 0 and a class other than 1 (a person) or −1 are left out, as the format says.
    """
    rows: dict[int, list[tuple[float, ...]]] = {}
    seen: set[tuple[int, float]] = set()
    for number, values in _numbers(path):
        if len(values) < 6:
            raise ConfigError(f"{path}: line {number} has {len(values)} values, needs 6")
        frame, flag = int(values[0]), values[6] if len(values) > 6 else 1.0
        kind = values[7] if len(values) in WITH_CLASS else 1.0
        if not 1 <= frame <= LAST_FRAME or values[4] <= 0 or values[5] <= 0:
            raise ConfigError(
                f"{path}: line {number}: frames count from 1 (to {LAST_FRAME}), "
                "sizes are above 0"
            )
        if flag == 0 or kind not in (1.0, -1.0):
            continue
        if (frame, values[1]) in seen:
            raise ConfigError(f"{path}: line {number}: {values[1]:g} is in frame {frame} twice")
        seen.add((frame, values[1]))
        rows.setdefault(frame, []).append(tuple(values[1:6]))
    if not rows:
        raise ConfigError(
            f"{path}: holds nobody: no row whose flag is not 0 and whose class is 1 (a person)"
        )
    return [_view(rows.get(frame, [])) for frame in range(1, max(rows) + 1)]


def _view(rows: list[tuple[float, ...]]) -> tuple[NDArray[np.int64], Boxes]:
    table = np.array(rows, np.float64).reshape(-1, 5)
    boxes = np.column_stack([table[:, 1:3], table[:, 1:3] + table[:, 3:5]])
    return table[:, 0].astype(np.int64), boxes


def _numbers(path: Path) -> list[tuple[int, list[float]]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
        rows = [
            (number, [float(v) for v in line.replace(",", " ").split()])
            for number, line in enumerate(lines, 1)
            if line.strip()
        ]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is no table of numbers ({error})") from error
    if any(not math.isfinite(value) for _, values in rows for value in values):
        raise ConfigError(f"{path}: holds a value that is no number")
    return rows


def read_crossings(path: Path, lines: tuple[Line, ...]) -> tuple[Crossing, ...]:
    """crossings.csv with the columns line, direction and time_s; raises ConfigError."""
    number, names = 1, {line.name for line in lines}
    found: list[Crossing] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.reader(file, skipinitialspace=True)
            columns = _columns(next(table, []))
            for row in filter(any, table):
                number = table.line_num
                found.append(_crossing(columns, row, names))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        why = f"needs {', '.join(COLUMNS)} in every row ({error})"
        raise ConfigError(f"{path}: line {number}: {why}") from error
    return tuple(found)


def _columns(heads: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in heads]
    for name in COLUMNS:
        if name not in columns:
            raise ValueError(f"no column {name}")
    return columns


def _crossing(columns: list[str], row: list[str], names: set[str]) -> Crossing:
    if len(row) != len(columns):
        raise ValueError(f"{len(row)} values for {len(columns)} columns")
    line, direction, time_s = (row[columns.index(name)].strip() for name in COLUMNS)
    if line not in names or direction.lower() not in (IN, OUT):
        raise ValueError(
            f"{line!r} {direction!r}: lines are {', '.join(sorted(names))}, "
            "directions in and out"
        )
    time = float(time_s)
    if not 0 <= time < math.inf:
        raise ValueError(f"{time_s} is no time in s since the clip's begin")
    return Crossing(line, direction.lower(), -1, time)


def foot(box: NDArray[np.float64]) -> Point:
    """Where the person in a box stands."""
    return float(box[0] + box[2]) / 2, float(box[3])


def crossings_of(
    views: Views,
    fps: float,
    lines: tuple[Line, ...],
    band_m: float = 0.0,
    person_m: float = 1.7,
) -> tuple[Crossing, ...]:
    """Every time a true foot point moved over a line, to the centimetre; nothing is left out.

    With a band, only the crossings (`Passing`) that led from beyond it on one side to beyond
    it on the other: who sways on a line has not crossed it.
    """
    last: dict[tuple[str, int], _Side] = {}
    found: list[Crossing] = []
    for index, (ids, boxes) in enumerate(views):
        now = index / fps
        for number, box in zip(ids.tolist(), boxes, strict=True):
            here, band = foot(box), band_m * float(box[3] - box[1]) / person_m
            for line in lines:
                was = last.get((line.name, number))
                side = _step(line, was, here, now, band)
                if was is not None and side.sure * was.sure < 0 and side.through is not None:
                    direction = IN if side.sure > 0 else OUT
                    gone = Crossing(line.name, direction, number, side.through)
                    found.append(_passing(gone, was.left, now) if band_m else gone)
                    side = replace(side, through=None)
                last[line.name, number] = side
    return tuple(sorted(found, key=lambda crossing: crossing.monotonic))


@dataclass(frozen=True, slots=True)
class _Side:
    """One person at one line."""

    here: Point
    now: float
    sure: int
    """The side last stood on beyond the band; 0 before."""
    left: float
    """When it was last stood on, s."""
    through: float | None
    """When the line itself was passed since then, if so in the end."""


def _passing(crossing: Crossing, began: float, ended: float) -> Passing:
    at = (crossing.line, crossing.direction, crossing.track, crossing.monotonic)
    return Passing(*at, began, ended)


def _step(line: Line, was: _Side | None, here: Point, now: float, band: float) -> _Side:
    away = line.distance(here)
    beyond = abs(away) > band
    sure = (1 if away > 0 else -1) if beyond else (was.sure if was else 0)
    left = now if beyond or was is None else was.left
    through = was.through if was else None
    if was is not None and line.crossed(was.here, here):
        before = abs(line.distance(was.here))
        share = before / max(before + abs(away), 1e-9)
        time = was.now + (now - was.now) * share
        through = time if through is None else None
    return _Side(here, now, sure, left, through)
