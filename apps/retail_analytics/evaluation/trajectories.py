"""Published trajectories as recordings: no picture, but real people's ways.

Read as they are published: ETH and UCY (`obsmat.txt`, metres, every tenth frame of 25 fps,
`H.txt` from the picture to the floor), Edinburgh (`tracks.*.txt`, px, from above, about
9 fps) and Jülich (id, frame, x, y, z in metres, 25 fps, seen from above). Where no line is
drawn, two are laid through the middle of all ways: one across the main direction and one
along it, so that both walking over a line and walking beside it are tried.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.domain import STANDING_M
from apps.retail_analytics.evaluation.scene import SCENE, drawn, read_scene
from apps.retail_analytics.evaluation.truth import (
    LAST_FRAME,
    Recording,
    Views,
    crossings_of,
)
from apps.retail_analytics.geometry import Line
from common.errors import ConfigError

Floats = NDArray[np.float64]
Ways = dict[int, tuple[Floats, Floats]]
"""Person → times [n] in s, and foot points with box sizes [n, 4]: x, y, width, height, px."""

Read = Callable[[Path], tuple[Ways, float, float]]
HEAD_M, HEAD_PX_PER_M = 0.5, 60.0  # a person from above, and the scale they are shown at
EDINBURGH_FPS, EDINBURGH_BOX = 9.0, (24.0, 30.0)
SMOOTH_FPS = 12.5  # ways annotated more seldom are filled up to this
EDINBURGH_WAY = re.compile(r"TRACK\.R(\d+)=\[(.*?)\]\];", re.DOTALL)
EDINBURGH_POINT = re.compile(r"\[(-?\d+) (-?\d+) (\d+)")


def is_trajectories(folder: Path) -> bool:
    """Whether this folder holds one of the published forms."""
    return _form(folder) is not None


def read_trajectories(folder: Path) -> Recording:
    """The recording in `folder`; raises ConfigError."""
    form = _form(folder)
    if form is None:
        raise ConfigError(f"{folder}: holds no trajectories that are known here")
    read, pattern = form
    path = next(iter(sorted(folder.glob(pattern))))
    try:
        ways, fps, person_m = read(path)
        if not ways:
            raise ConfigError(f"{path}: holds no track")
        views = _views(ways, fps)
        drawing = folder / SCENE
        there = drawing.is_file()
        lines, zones = drawn(read_scene(drawing)) if there else (_middle(ways), ())
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(f"{path}: cannot be read as trajectories ({error})") from error
    found = crossings_of(views, fps, lines)
    return Recording(folder.name, fps, lines, zones, views, found, person_m=person_m)


def _form(folder: Path) -> tuple[Read, str] | None:
    if (folder / "obsmat.txt").is_file() and (folder / "H.txt").is_file():
        return _street, "obsmat.txt"
    if any(folder.glob("tracks.*.txt")):
        return _hall, "tracks.*.txt"
    for path in sorted(folder.glob("*.txt")):
        with path.open(encoding="utf-8", errors="replace") as file:
            if any("PeTrack" in line for line in (file.readline() for _ in range(5))):
                return _bottleneck, path.name
    return None


def _rows(path: Path, columns: int) -> Floats:
    """A table of numbers; raises ValueError."""
    lines = path.read_text("utf-8-sig").splitlines()
    lines = [line for line in lines if line.partition("#")[0].strip()]
    if not lines:
        raise ValueError("holds no row")
    rows = np.loadtxt(lines, ndmin=2)
    if rows.shape[1] < columns:
        raise ValueError(f"{rows.shape[1]} numbers in a row, needs {columns}")
    if not np.isfinite(rows).all():
        raise ValueError("holds a value that is no number")
    return rows


def _street(path: Path) -> tuple[Ways, float, float]:
    rows = _rows(path, 8)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    to_floor = _rows(path.with_name("H.txt"), 3)
    to_picture = np.asarray(np.linalg.inv(to_floor), np.float64)
    ways: Ways = {}
    for number in np.unique(rows[:, 1]):
        mine = rows[rows[:, 1] == number]
        times, floor = mine[:, 0] / 25.0, np.asarray(mine[:, [2, 4]], np.float64)
        foot = _picture(to_picture, floor)
        scale = _scale(to_picture, floor)
        size = np.column_stack([0.5 * scale, STANDING_M * scale])
        ways[int(number)] = (times, np.column_stack([foot, size]))
    return ways, SMOOTH_FPS, STANDING_M


def _picture(matrix: Floats, floor: Floats) -> Floats:
    """Floor points in m to px (x, y); the published matrices give (row, column)."""
    points = np.column_stack([floor, np.ones(len(floor))]) @ matrix.T
    return np.asarray(points[:, [1, 0]] / points[:, 2:])


def _scale(matrix: Floats, floor: Floats) -> Floats:
    """Scale in px per m at these places: the mean of both floor directions."""
    here = _picture(matrix, floor)
    steps = [
        _picture(matrix, floor + np.array(step)) - here for step in ((0.1, 0.0), (0.0, 0.1))
    ]
    return np.asarray(np.mean([np.hypot(*step.T) for step in steps], axis=0) / 0.1)


def _hall(path: Path) -> tuple[Ways, float, float]:
    ways: Ways = {}
    width, height = EDINBURGH_BOX
    for number, body in EDINBURGH_WAY.findall(path.read_text("utf-8", errors="replace")):
        points = np.array(EDINBURGH_POINT.findall(body), np.float64)
        if len(points) < 2:
            continue
        _, first = np.unique(points[:, 2], return_index=True)
        points = points[first]
        feet = np.column_stack([points[:, 0], points[:, 1] + height / 2])
        size = np.tile([width, height], (len(feet), 1))
        ways[int(number)] = (points[:, 2] / EDINBURGH_FPS, np.hstack([feet, size]))
    return ways, EDINBURGH_FPS, 0.6


def _bottleneck(path: Path) -> tuple[Ways, float, float]:
    rows = _rows(path, 5)
    rows = rows[np.argsort(rows[:, 1], kind="stable")]
    side = HEAD_M * HEAD_PX_PER_M
    low = rows[:, 2:4].min(0) - 1.0
    ways: Ways = {}
    for number in np.unique(rows[:, 0]):
        mine = rows[rows[:, 0] == number][::2]
        spots = (mine[:, 2:4] - low) * HEAD_PX_PER_M
        boxes = np.column_stack([spots, np.full((len(spots), 2), side)])
        ways[int(number)] = (mine[:, 1] / 25.0, boxes)
    return ways, SMOOTH_FPS, HEAD_M


def _views(ways: Ways, fps: float) -> Views:
    """All ways, filled up evenly to `fps`."""
    start = min(times[0] for times, _ in ways.values())
    end = max(times[-1] for times, _ in ways.values())
    count = round((end - start) * fps) + 1
    if count > LAST_FRAME:
        raise ValueError(f"more than {LAST_FRAME} pictures from the first to the last time")
    rows: list[list[tuple[float, ...]]] = [[] for _ in range(count)]
    for number, (times, states) in sorted(ways.items()):
        first = int(np.ceil((times[0] - start) * fps - 1e-6))
        last = int(np.floor((times[-1] - start) * fps + 1e-6))
        at = start + np.arange(first, last + 1) / fps
        filled = [np.interp(at, times, column) for column in states.T]
        for index, state in enumerate(zip(*filled, strict=True), first):
            rows[index].append((float(number), *state))
    return [_view(row) for row in rows]


def _view(rows: list[tuple[float, ...]]) -> tuple[NDArray[np.int64], Floats]:
    table = np.array(rows, np.float64).reshape(-1, 5)
    x, y, half, height = table[:, 1], table[:, 2], table[:, 3] / 2, table[:, 4]
    return table[:, 0].astype(np.int64), np.column_stack([x - half, y - height, x + half, y])


def _middle(ways: Ways) -> tuple[Line, ...]:
    """A line across the main direction and one along it, through the middle of all ways."""
    feet = np.vstack([states[:, :2] for _, states in ways.values()])
    centre = np.median(feet, axis=0)
    moves = np.array([states[-1, :2] - states[0, :2] for _, states in ways.values()])
    main = np.linalg.svd(moves, full_matrices=False)[2][0]
    main = main if main[np.abs(main).argmax()] > 0 else -main
    side = np.array([-main[1], main[0]])
    reach = np.hypot(*np.ptp(feet, axis=0))
    if not reach > 0:
        raise ValueError("nobody moves")
    across, along = side * reach, main * reach
    return (
        _line("across", centre + across, centre - across),
        _line("along", centre - along, centre + along),
    )


def _line(name: str, start: Floats, end: Floats) -> Line:
    return Line(name, (float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
