"""Bare-board artwork and its six defects, drawn in software with known truth.

The line simulator shows these boards to the camera and the training set is made of them.
Defects are placed by looking at the picture alone (distance to the nearest conductor
edge), so they can be drawn onto a real defect-free board just as well. The six kinds
and their names are those of the DeepPCB data set (Tang et al., 2019).

A board is a uint8 picture [H, W]: 0 where there is conductor, 255 where there is none,
as a camera sees copper before a back light.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

DEFECT_KINDS = ("open", "short", "mousebite", "spur", "copper", "pinhole")
CONDUCTOR, BARE = 0, 255
BOARD_PX = 640
CLEARANCE_PX = 13  # least distance between two conductors of a product
MARGIN_PX = (7, 13)  # people box a defect with some air around it


@dataclass(frozen=True)
class DrawnDefect:
    """One defect put on a board: what it is and where."""

    kind: str
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in px of the board picture."""


# ------------------------------------------------------------------ the artwork


def draw_board(rng: Generator) -> np.ndarray:
    """A defect-free board, BOARD_PX a side: pours, buses, tracks and pads, each anew."""
    board = np.full((BOARD_PX, BOARD_PX), BARE, np.uint8)
    width = int(rng.choice([4, 5, 6, 8, 10, 13, 16, 22, 30, 40]))  # this board's track
    for _ in range(rng.integers(0, 3)):
        _pour(board, rng)
    for _ in range(rng.integers(0, 4)):
        _bus(board, rng, width)
    for _ in range(rng.integers(3, 14)):
        _track(board, rng, width)
    for _ in range(rng.integers(4, 20)):
        _pad(board, rng, tuple(rng.integers(0, BOARD_PX, 2)), width)
    for _ in range(rng.integers(0, 3)):
        _lettering(board, rng)
    if rng.random() < 0.15:  # a plane layer: copper everywhere but the drawn lines
        board = BARE - board
    return board


def draw_product(rng: Generator) -> np.ndarray:
    """A board of that size by design rules: nothing crosses, everything keeps its distance.

    What a line makes is one such design again and again; `draw_board` above is wilder on
    purpose, for training.
    """
    board = np.full((BOARD_PX, BOARD_PX), BARE, np.uint8)
    room = np.ones((2 * CLEARANCE_PX + 1,) * 2, np.uint8)
    for _ in range(80):
        element = np.full_like(board, BARE)
        _DRAW_ELEMENT[int(rng.integers(len(_DRAW_ELEMENT)))](element, rng)
        near = cv2.erode(element, room)  # grows what is dark
        if not ((near == CONDUCTOR) & (board == CONDUCTOR)).any():
            board = np.minimum(board, element)
    return board


def _land(board: np.ndarray, rng: Generator, at: tuple[int, int] | None = None) -> None:
    """A round or square pad with a drill hole, or without."""
    x, y = at or (int(v) for v in rng.integers(30, len(board) - 30, 2))
    radius = int(rng.integers(18, 28))
    if rng.random() < 0.5:
        cv2.circle(board, (x, y), radius, CONDUCTOR, -1)
    else:
        cv2.rectangle(board, (x - radius, y - radius), (x + radius, y + radius), CONDUCTOR, -1)
    if rng.random() < 0.6:
        cv2.circle(board, (x, y), round(radius * 0.45), BARE, -1)


def _route(board: np.ndarray, rng: Generator) -> None:
    """A track from pad to pad."""
    path = _octilinear(rng, len(board), legs=int(rng.integers(1, 3)))
    cv2.polylines(board, [path], False, CONDUCTOR, int(rng.integers(10, 24)))
    for end in (path[0], path[-1]):
        _land(board, rng, (int(end[0]), int(end[1])))


def _plane(board: np.ndarray, rng: Generator) -> None:
    """A rectangle of copper."""
    x, y = (int(v) for v in rng.integers(0, len(board), 2))
    width, height = (int(v) for v in rng.integers(80, 240, 2))
    cv2.rectangle(board, (x, y), (x + width, y + height), CONDUCTOR, -1)


_DRAW_ELEMENT = (_land, _route, _route, _plane)


def _pour(board: np.ndarray, rng: Generator) -> None:
    size = len(board)
    x, y = rng.integers(0, size, 2)
    w, h = rng.integers(size // 8, size // 2, 2)
    shape = rng.integers(0, 3)
    if shape == 0:
        cv2.rectangle(board, (int(x), int(y)), (int(x + w), int(y + h)), CONDUCTOR, -1)
    elif shape == 1:
        cv2.circle(board, (int(x), int(y)), int(w) // 2, CONDUCTOR, -1)
    else:
        corners = rng.integers(0, size, (4, 2)) // 2 + [x // 2, y // 2]
        cv2.fillConvexPoly(board, cv2.convexHull(corners.astype(np.int32)), CONDUCTOR)
    for _ in range(rng.integers(0, 5)):  # clearance lines and holes in the pour
        a, b = (int(x + rng.integers(0, w)), int(y + rng.integers(0, h))), int(w) // 3
        if rng.random() < 0.5:
            cv2.circle(board, a, int(rng.integers(8, 24)), BARE, -1)
        else:
            end = (a[0] + (b if rng.random() < 0.5 else 0), a[1] + b)
            cv2.line(board, a, end, BARE, int(rng.integers(5, 14)))


def _bus(board: np.ndarray, rng: Generator, width: int) -> None:
    """Parallel tracks that keep their distance round 45° and 90° bends."""
    path = _octilinear(rng, len(board), legs=int(rng.integers(1, 4)))
    normal = np.array([-1.0, 1.0]) * (path[-1] - path[0])[::-1]
    normal /= np.linalg.norm(normal) + 1e-9
    pitch = width + int(rng.integers(6, 34))
    for lane in range(int(rng.integers(2, 7))):
        offset = np.round(normal * pitch * lane).astype(int)
        cv2.polylines(board, [path + offset], False, CONDUCTOR, width)


def _track(board: np.ndarray, rng: Generator, width: int) -> None:
    path = _octilinear(rng, len(board), legs=int(rng.integers(1, 4)))
    width = max(3, int(width * rng.uniform(0.5, 1.5)))
    clearance = width + 2 * int(rng.integers(5, 16))
    cv2.polylines(board, [path], False, BARE, clearance)
    cv2.polylines(board, [path], False, CONDUCTOR, width)
    for end in (path[0], path[-1]):
        if rng.random() < 0.7:
            _pad(board, rng, tuple(end), width)


def _octilinear(rng: Generator, size: int, legs: int) -> np.ndarray:
    """A path [legs + 1, 2] whose legs run along the axes or the diagonals."""
    points = [rng.integers(0, size, 2)]
    heading = int(rng.integers(0, 8))
    for _ in range(legs):
        step = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])
        points.append(points[-1] + step[heading % 8] * int(rng.integers(40, size // 2)))
        heading += int(rng.choice([-1, 1]))
    return np.array(points, np.int32)


def _pad(board: np.ndarray, rng: Generator, at: tuple[int, ...], width: int) -> None:
    x, y = int(at[0]), int(at[1])
    r = int(width / 2 + rng.integers(5, 22))
    clear = r + int(rng.integers(4, 12))
    shape = rng.integers(0, 4)
    if shape == 0:
        flat = r if rng.random() < 0.5 else int(r * rng.uniform(0.5, 1.8))
        cv2.rectangle(board, (x - r, y - flat), (x + r, y + flat), CONDUCTOR, -1)
        return
    if rng.random() < 0.3 and _inside(board, np.array([x, y])) and board[y, x] == CONDUCTOR:
        cv2.circle(board, (x, y), clear, BARE, -1)
    if shape == 1:  # octagon
        angles = np.arange(8) * np.pi / 4 + np.pi / 8
        points = np.stack([x + r * np.cos(angles), y + r * np.sin(angles)], 1)
        cv2.fillConvexPoly(board, points.astype(np.int32), CONDUCTOR)
    elif shape == 2 and rng.random() < 0.4:  # target ring
        cv2.circle(board, (x, y), r, CONDUCTOR, max(3, r // 4))
        return
    else:
        cv2.circle(board, (x, y), r, CONDUCTOR, -1)
    if r >= 10 and rng.random() < 0.75:
        cv2.circle(board, (x, y), int(r * rng.uniform(0.3, 0.55)), BARE, -1)


def _lettering(board: np.ndarray, rng: Generator) -> None:
    text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUX0123456789"), int(rng.integers(1, 5))))
    at = tuple(int(v) for v in rng.integers(20, len(board) - 40, 2))
    cv2.putText(
        board, text, at, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.8, 2.2), CONDUCTOR,
        int(rng.integers(3, 8)),
    )  # fmt: skip
    cv2.threshold(board, 127, BARE, cv2.THRESH_BINARY, dst=board)  # OpenCV 5 smooths letters


# ------------------------------------------------------------------ the defects


def add_defects(
    board: np.ndarray, rng: Generator, kinds: list[str]
) -> tuple[np.ndarray, list[DrawnDefect]]:
    """A copy of `board` with one defect of each of `kinds`, where the artwork has room.

    A kind that finds no place (an open needs a track, a short a gap) is left out: the
    returned list is the truth.
    """
    board, placed = board.copy(), []
    taken = np.zeros(board.shape, bool)
    for kind in kinds:
        for _ in range(40):
            changed = _DRAW[kind](board, rng)
            if changed is None:
                continue
            box = _box_around(changed != board, rng)
            if box is None or taken[_pixels(box)].any():
                continue
            board = changed
            taken[_pixels(box)] = True
            placed.append(DrawnDefect(kind, box))
            break
    return board, placed


def _pixels(box: tuple[float, ...]) -> tuple[slice, slice]:
    left, top, right, bottom = (int(v) for v in box)
    return slice(top, bottom), slice(left, right)


def _box_around(
    changed: np.ndarray, rng: Generator
) -> tuple[float, float, float, float] | None:
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(rows) or changed.sum() < 6:
        return None
    height, width = changed.shape
    m = rng.integers(*MARGIN_PX, 4)
    return (
        float(max(columns[0] - m[0], 0)),
        float(max(rows[0] - m[1], 0)),
        float(min(columns[-1] + 1 + m[2], width)),
        float(min(rows[-1] + 1 + m[3], height)),
    )


def _open(board: np.ndarray, rng: Generator) -> np.ndarray | None:
    """A cut right across a track."""
    across = _between(board == CONDUCTOR, rng, nearest=(1.5, 26))
    if across is None:
        return None
    start, end = across
    direction = (end - start) / (np.linalg.norm(end - start) + 1e-9)
    along = np.array([-direction[1], direction[0]])
    slant = along * rng.uniform(-0.6, 0.6) * np.linalg.norm(end - start)
    changed = board.copy()
    width = int(rng.integers(2, 6))
    for lane in range(int(rng.choice([1, 1, 1, 2, 3, 4]))):
        shift = along * lane * (width + rng.uniform(-1, 2))
        _stroke(changed, rng, start - 3 * direction - slant / 2 + shift,
                end + 3 * direction + slant / 2 + shift, BARE, width)  # fmt: skip
    return changed


def _short(board: np.ndarray, rng: Generator) -> np.ndarray | None:
    """A thin bridge from one conductor to the next."""
    across = _between(board == BARE, rng, nearest=(2.5, 40))
    if across is None:
        return None
    start, end = across
    changed = board.copy()
    _stroke(changed, rng, start, end, CONDUCTOR, int(rng.integers(2, 6)))
    return changed


def _mousebite(board: np.ndarray, rng: Generator) -> np.ndarray | None:
    """A nick in a conductor's edge."""
    return _edge_stroke(board, rng, board == CONDUCTOR, BARE)


def _spur(board: np.ndarray, rng: Generator) -> np.ndarray | None:
    """A burr that sticks out of a conductor's edge."""
    return _edge_stroke(board, rng, board == BARE, CONDUCTOR)


def _copper(board: np.ndarray, rng: Generator) -> np.ndarray | None:
    """Copper left where none belongs."""
    return _island(board, rng, board == BARE, CONDUCTOR, clearance=11)


def _pinhole(board: np.ndarray, rng: Generator) -> np.ndarray | None:
    """A hole in the copper."""
    return _island(board, rng, board == CONDUCTOR, BARE, clearance=5)


_DRAW = {
    "open": _open,
    "short": _short,
    "mousebite": _mousebite,
    "spur": _spur,
    "copper": _copper,
    "pinhole": _pinhole,
}


def _island(
    board: np.ndarray, rng: Generator, region: np.ndarray, ink: int, clearance: float
) -> np.ndarray | None:
    """A small stroke that touches nothing around it."""
    room = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 3)
    at = _pick(room > clearance, rng)
    if at is None:
        return None
    half = rng.uniform(1.5, min(11.0, 0.6 * room[at[1], at[0]]))
    angle = rng.uniform(0, np.pi)
    reach = half * np.array([np.cos(angle), np.sin(angle)])
    changed = board.copy()
    _stroke(changed, rng, at - reach, at + reach, ink, int(rng.integers(3, 7)))
    if rng.random() < 0.35:  # some have a second stroke: an L, a T, a blot
        _stroke(changed, rng, at + reach * 0.5, at + reach[::-1] * 0.8, ink, 4)
    return changed


def _edge_stroke(
    board: np.ndarray, rng: Generator, region: np.ndarray, ink: int
) -> np.ndarray | None:
    """A stroke from an edge into `region` that ends before the region does."""
    room, nearest = _nearest_edge(region)
    depth = rng.uniform(5, 15)
    at = _pick((room > depth - 1.5) & (room < depth + 1.5), rng)
    if at is None:
        return None
    edge = nearest(at)
    inward = (at - edge) / (np.linalg.norm(at - edge) + 1e-9)
    beyond = at + inward * 4
    if not _has(region, beyond):
        return None
    sideways = np.array([-inward[1], inward[0]]) * rng.uniform(-1.0, 1.0) * depth
    changed = board.copy()
    _stroke(changed, rng, edge - inward, at + sideways, ink, int(rng.integers(3, 7)))
    return changed


def _between(
    region: np.ndarray, rng: Generator, nearest: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Two opposite edge points of a narrow part of `region`, or None."""
    room, nearest_edge = _nearest_edge(region)
    at = _pick((room > nearest[0]) & (room < nearest[1]), rng)
    if at is None:
        return None
    start = nearest_edge(at)
    direction = (at - start) / (np.linalg.norm(at - start) + 1e-9)
    for distance in np.arange(1.0, 2.5 * nearest[1]):
        end = at + direction * distance
        if not _inside(region, end):
            return None
        if not _has(region, end):
            return start, end
    return None


def _nearest_edge(
    region: np.ndarray,
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    room, labels = cv2.distanceTransformWithLabels(
        region.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    ys, xs = np.nonzero(~region)
    where = np.zeros((labels.max() + 1, 2))
    where[labels[ys, xs]] = np.stack([xs, ys], 1)
    return room, lambda at: where[labels[at[1], at[0]]]


def _pick(mask: np.ndarray, rng: Generator) -> np.ndarray | None:
    candidates = np.flatnonzero(mask)
    if not len(candidates):
        return None
    y, x = divmod(int(rng.choice(candidates)), mask.shape[1])
    return np.array([x, y])


def _inside(region: np.ndarray, at: np.ndarray) -> bool:
    x, y = (round(float(v)) for v in at)
    return bool(0 <= y < region.shape[0] and 0 <= x < region.shape[1])


def _has(region: np.ndarray, at: np.ndarray) -> bool:
    x, y = (round(float(v)) for v in at)
    return _inside(region, at) and bool(region[y, x])


def _stroke(
    board: np.ndarray, rng: Generator, start: np.ndarray, end: np.ndarray, ink: int, width: int
) -> None:
    """A slightly shaky pen stroke."""
    steps = max(3, int(np.linalg.norm(end - start) / 6))
    along = np.linspace(0, 1, steps)[:, None]
    bend = np.sin(along * np.pi) * rng.normal(0, 0.12) * (end - start)[::-1] * [-1, 1]
    points = start + (end - start) * along + bend + rng.normal(0, 0.7, (steps, 2))
    cv2.polylines(board, [np.round(points).astype(np.int32)], False, ink, width)
