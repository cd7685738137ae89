"""Poses of several people from PoseNet's four maps, as boxes around them.

Greedy, after Papandreou et al. 2018: the surest body part not yet taken starts a person;
from it the offsets between joined parts lead to all others. Only the box is kept.
"""

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.decoding import Options, Outputs, Raw

PARTS = 17
JOINTS = (
    (0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11), (11, 13), (13, 15),
    (0, 6), (6, 8), (8, 10), (6, 12), (12, 14), (14, 16),
)  # fmt: skip
SAME_PERSON_PX = 20.0
MOST_POSES = 40
LIKELY_PART = 0.3
MARGIN = (0.10, 0.15, 0.10, 0.06)  # from the outermost parts to the body's edge, of the height
Floats = NDArray[np.float32]


class _Maps:
    """The network's maps in real numbers."""

    def __init__(self, outputs: Outputs, options: Options) -> None:
        heat = options.array(outputs, "heatmaps")[0]
        self.likely = 1 / (1 + np.exp(-heat.clip(-30, 30)))
        self.near = options.array(outputs, "short")[0]
        self.far = options.array(outputs, "mid")[0]
        self.stride = options.number("stride", 16.0, "heatmaps")

    def cell(self, place: Floats) -> tuple[int, int]:
        """The cell that a place (y, x) in px lies in."""
        limit = np.array(self.likely.shape[:2]) - 1
        row, column = np.round(place / self.stride).clip(0, limit).astype(int)
        return int(row), int(column)

    def place(self, row: int, column: int, part: int) -> Floats:
        """Where a part is (y, x px), as the cell near it says."""
        offset = self.near[row, column, [part, PARTS + part]]
        return np.asarray(np.array([row, column]) * self.stride + offset, np.float32)

    def follow(self, place: Floats, joint: int, back: bool, part: int) -> tuple[Floats, float]:
        """From one end of a joint to the other: its place and how likely it is."""
        row, column = self.cell(place)
        first = joint + (2 * len(JOINTS) if back else 0)
        there = place + self.far[row, column, [first, first + len(JOINTS)]]
        row, column = self.cell(there)
        return self.place(row, column, part), float(self.likely[row, column, part])


def posenet(outputs: Outputs, options: Options, threshold: float) -> Raw:
    """Outputs `heatmaps`, `short` and `mid` to one box per person."""
    maps = _Maps(outputs, options)
    poses: list[Floats] = []
    found: list[tuple[list[float], float]] = []
    for row, column, part in _peaks(maps.likely, max(threshold, LIKELY_PART)):
        place = maps.place(row, column, part)
        if any(np.hypot(*(pose[part] - place)) < SAME_PERSON_PX for pose in poses):
            continue
        places, scores = _pose(maps, part, place, float(maps.likely[row, column, part]))
        poses.append(places)
        score = float(np.sort(scores)[-9:].mean())  # half of a body is often hidden
        if score >= threshold:
            found.append((_box(places, scores), score))
        if len(poses) >= MOST_POSES:
            break
    boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in found], np.float32)
    return Raw(boxes, scores, np.zeros(len(found), np.int64))


def _peaks(likely: Floats, threshold: float) -> list[tuple[int, int, int]]:
    """(row, column, part) of local maxima, the surest first."""
    padded = np.pad(likely, ((1, 1), (1, 1), (0, 0)), constant_values=-1)
    height, width = likely.shape[:2]
    around = np.max(
        [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0
    )
    cells = np.argwhere((likely >= threshold) & (likely >= around))
    order = np.argsort(-likely[tuple(cells.T)], kind="stable")
    return [(int(r), int(c), int(p)) for r, c, p in cells[order]]


def _pose(maps: _Maps, root: int, place: Floats, score: float) -> tuple[Floats, Floats]:
    """Places [17, 2] (y, x) and scores [17] of the person with this part."""
    places, scores = np.zeros((PARTS, 2), np.float32), np.full(PARTS, -1.0, np.float32)
    places[root], scores[root] = place, score
    for joint in reversed(range(len(JOINTS))):
        parent, child = JOINTS[joint]
        if scores[child] >= 0 > scores[parent]:
            places[parent], scores[parent] = maps.follow(places[child], joint, True, parent)
    for joint, (parent, child) in enumerate(JOINTS):
        if scores[parent] >= 0 > scores[child]:
            places[child], scores[child] = maps.follow(places[parent], joint, False, child)
    return places, scores.clip(0)


def _box(places: Floats, scores: Floats) -> list[float]:
    """Left, top, right, bottom around the likely parts and the body beyond them."""
    likely = places[scores >= LIKELY_PART] if (scores >= LIKELY_PART).sum() > 1 else places
    (top, left), (bottom, right) = likely.min(0), likely.max(0)
    height = max(bottom - top, 1.0)
    edge = np.array(MARGIN) * height
    box = [left - edge[0], top - edge[1], right + edge[2], bottom + edge[3]]
    return [float(value) for value in box]
