"""People, shelves and light as a camera's picture: drawn, so nobody is in it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.shop.people import FLOOR_M, SHELVES, TILL, Person
from apps.retail_analytics.shop.view import Pinhole

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
STRIDE_M = 0.75
FURNITURE_M = (0.35, 0.35, 1.1)
"""Half the width and depth of a shelf's block, and its height."""
BLOCKS = tuple((x + 0.5, y + 0.2) for x, y in (*SHELVES, TILL))
"""Where on the floor they stand; people come to the shelf or till beside them."""
GRAIN_ROOM = 64  # px that the grain of a picture is moved about, so that it is never the same
SHAKE_PX = 0.6  # standard deviation of where the camera looks, from picture to picture
LIMBS = (  # name, from (side, forward, up), to, thickness in m; up in shares of the height
    ("leg", (0.09, 0.0, 0.50), (0.09, 1.0, 0.03), 0.13),
    ("leg", (-0.09, 0.0, 0.50), (-0.09, -1.0, 0.03), 0.13),
    ("torso", (0.0, 0.0, 0.52), (0.0, 0.0, 0.80), 0.34),
    ("arm", (0.21, 0.0, 0.80), (0.21, -0.8, 0.47), 0.09),
    ("arm", (-0.21, 0.0, 0.80), (-0.21, 0.8, 0.47), 0.09),
)


class Painter:
    """One camera's pictures of the shop."""

    def __init__(self, view: Pinhole, seed: int = 7) -> None:
        self._view = view
        self._random = np.random.default_rng(seed)
        self._empty = self._floor()
        grain = self._random.integers(-6, 7, [n + GRAIN_ROOM for n in self._empty.shape[:2]])
        self._grain = cv2.merge([grain.astype(np.int16)] * 3)

    def picture(self, people: list[Person], now: float) -> Picture:
        """uint8 [H, W, 3] BGR at time `now`, in changing light, by a camera that shakes."""
        canvas = self._empty.copy()
        for index in far_first(self._view, people):
            if index < len(people):
                self._person(canvas, people[index])
            else:
                self._shelf(canvas, index - len(people))
        dx, dy = self._random.normal(0, SHAKE_PX, 2)
        matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        size = (self._view.width, self._view.height)
        canvas = cv2.warpAffine(canvas, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        light = 1.0 + 0.2 * np.sin(now / 40) - 0.3 * (90 < now % 180 < 100)
        lit = cv2.convertScaleAbs(canvas, alpha=float(light))
        top, left = self._random.integers(0, GRAIN_ROOM, 2)
        grain = self._grain[top : top + canvas.shape[0], left : left + canvas.shape[1]]
        return np.asarray(cv2.add(lit, grain, dtype=cv2.CV_8U))

    def _floor(self) -> Picture:
        view = self._view
        canvas = np.full((view.height, view.width, 3), (96, 104, 110), np.uint8)
        corners = np.array([[x, y, 0.0] for x, y in ((0, -2), (10, -2), (10, 8), (0, 8))])
        cv2.fillPoly(canvas, [view.project(corners).round().astype(np.int32)], (150, 158, 160))
        for column in range(int(FLOOR_M[0]) + 1):  # tiles: edges that tell a turned camera
            self._line(canvas, (column, -2.0, 0.0), (column, 8.0, 0.0), (135, 142, 145), 1)
        for row in range(-2, 9):
            self._line(canvas, (0.0, row, 0.0), (10.0, row, 0.0), (135, 142, 145), 1)
        return canvas

    def _line(
        self,
        canvas: Picture,
        start: tuple[float, ...],
        end: tuple[float, ...],
        colour: Colour,
        width: int,
    ) -> None:
        points = np.array([start, end], np.float64)
        if (self._view.depths(points) < 0.1).any():
            return
        ends = self._view.project(points).clip(-4000, 4000).round().astype(int)
        cv2.line(
            canvas, tuple(ends[0].tolist()), tuple(ends[1].tolist()), colour, max(1, width)
        )

    def _shelf(self, canvas: Picture, index: int) -> None:
        colour = (70, 90, 130) if index < len(SHELVES) else (60, 60, 70)
        self._block(canvas, BLOCKS[index], FURNITURE_M, colour)

    def _block(
        self,
        canvas: Picture,
        spot: tuple[float, float],
        size: tuple[float, float, float],
        colour: Colour,
    ) -> None:
        outline = block(self._view, spot, size)
        if outline is not None:
            cv2.fillConvexPoly(canvas, outline, colour)

    def _person(self, canvas: Picture, person: Person) -> None:
        strokes = figure(self._view, person)
        shirt, trousers = _clothes(person)
        skin = (90 + person.colours[2] // 3, 120 + person.colours[2] // 4, 180)
        colours = {"leg": trousers, "torso": shirt, "arm": shirt, "head": skin}
        for stroke in strokes:
            if stroke.name == "head" and person.kind == "trolley":
                self._trolley(canvas, person)
            stroke.draw(canvas, colours[stroke.name])

    def _trolley(self, canvas: Picture, person: Person) -> None:
        ahead = np.array([np.cos(person.heading), np.sin(person.heading)]) * 0.7
        x, y = person.spot + ahead
        self._block(canvas, (float(x), float(y)), (0.3, 0.4, 0.9), (170, 170, 175))


def far_first(view: Pinhole, people: list[Person]) -> list[int]:
    """In the order in which they hide each other: people by their place in the list, then
    `BLOCKS` by theirs. From straight above no shelf hides a head.
    """
    spots = [(float(p.spot[0]), float(p.spot[1])) for p in people] + list(BLOCKS)
    depths = view.depths(np.array([[x, y, 0.8] for x, y in spots]))
    if view.plane_m:
        depths[len(people) :] = np.inf
    return [int(index) for index in np.argsort(-depths)]


def block(
    view: Pinhole, spot: tuple[float, float], size: tuple[float, float, float]
) -> NDArray[np.int32] | None:
    """The outline in px of a block on the floor; None when the camera stands in it."""
    (x, y), (wide, deep, high) = spot, size
    points = np.array(
        [[x + a * wide, y + b * deep, c] for a in (-1, 1) for b in (-1, 1) for c in (0.0, high)]
    )
    if (view.depths(points) < 0.1).any():
        return None
    return np.asarray(cv2.convexHull(view.project(points).round().astype(np.int32)))


@dataclass(frozen=True, slots=True)
class Stroke:
    """One limb in px; a head is a dot."""

    name: str
    start: tuple[int, int]
    end: tuple[int, int]
    width: int
    """Of a limb; of a head, its radius."""

    def draw(self, canvas: Picture, colour: Colour | int, left: int = 0, top: int = 0) -> None:
        """Draw it; `canvas` begins at `left` and `top` of the picture."""
        start = (self.start[0] - left, self.start[1] - top)
        if self.name == "head":
            cv2.circle(canvas, start, self.width, colour, -1)
            return
        end = (self.end[0] - left, self.end[1] - top)
        cv2.line(canvas, start, end, colour, self.width)


def figure(view: Pinhole, person: Person) -> list[Stroke]:
    """A person as strokes, the head last; nothing of who is too near."""
    depth = float(view.depths(np.array([[*person.spot, 0.5 * person.height_m]]))[0])
    if depth < 0.4:
        return []
    scale = view.focal_px / depth
    swing = 0.28 * np.sin(2 * np.pi * person.walked_m / STRIDE_M)
    strokes = []
    for name, start, end, thick in LIMBS:
        joints = np.array([_joint(person, joint, swing) for joint in (start, end)])
        if (view.depths(joints) >= 0.1).all():
            ends = view.project(joints).clip(-4000, 4000).round().astype(int)
            one, other = (tuple(place.tolist()) for place in ends)
            width = max(1, round(thick * scale * person.height_m / 1.75))
            strokes.append(Stroke(name, one, other, width))
    head = view.project(np.array([[*person.spot, 0.93 * person.height_m]]))[0]
    if np.abs(head).max() < 4000:
        place = tuple(head.round().astype(int).tolist())
        strokes.append(Stroke("head", place, place, max(2, round(0.11 * scale))))
    return strokes


def _joint(
    person: Person, joint: tuple[float, float, float], swing: float
) -> tuple[float, float, float]:
    side, forward, up = joint
    cos, sin = np.cos(person.heading), np.sin(person.heading)
    ahead = forward * swing
    x = person.spot[0] + cos * ahead - sin * side
    y = person.spot[1] + sin * ahead + cos * side
    return float(x), float(y), up * person.height_m


def _clothes(person: Person) -> tuple[Colour, Colour]:
    one, other, third = person.colours
    if person.kind == "staff":
        return (40, 140, 40), (30, 30, 30)
    return (one, other, third), (other // 2, third // 2, one // 2)
