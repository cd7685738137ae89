"""People, shelves and light as a camera's picture: drawn, so nobody is in it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.shop.people import FLOOR_M, SHELVES, TILL, Person
from apps.retail_analytics.shop.view import Pinhole

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
STRIDE_M = 0.75
GRAIN_ROOM = 64  # px that the grain of a picture is moved about, so that it is never the same
LIMBS = (  # name, from (side, forward, up), to, thickness in m; up in shares of the height
    ("leg", (0.09, 0.0, 0.50), (0.09, 1.0, 0.03), 0.13),
    ("leg", (-0.09, 0.0, 0.50), (-0.09, -1.0, 0.03), 0.13),
    ("torso", (0.0, 0.0, 0.52), (0.0, 0.0, 0.80), 0.34),
    ("arm", (0.21, 0.0, 0.80), (0.21, -0.8, 0.47), 0.09),
    ("arm", (-0.21, 0.0, 0.80), (-0.21, 0.8, 0.47), 0.09),
)


class Painter:
    """One camera's pictures of the shop."""

    def __init__(self, view: Pinhole, seed: int = 7, shake_px: float = 0.6) -> None:
        self._view, self._shake = view, shake_px
        self._random = np.random.default_rng(seed)
        self._empty = self._floor()
        grain = self._random.integers(-6, 7, [n + GRAIN_ROOM for n in self._empty.shape[:2]])
        self._grain = cv2.merge([grain.astype(np.int16)] * 3)

    def picture(self, people: list[Person], now: float) -> Picture:
        """uint8 [H, W, 3] BGR at time `now`, in changing light, by a camera that shakes."""
        canvas = self._empty.copy()
        spots = np.array([[*p.spot, 1.0] for p in people]).reshape(-1, 3)
        for index in np.argsort(-self._view.depths(spots)):
            self._person(canvas, people[int(index)])
        dx, dy = self._random.normal(0, self._shake, 2)
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
        for x, y in (*SHELVES, TILL):
            colour = (70, 90, 130) if (x, y) != TILL else (60, 60, 70)
            self._block(canvas, (x + 0.5, y + 0.2), (0.35, 0.35, 1.1), colour)
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

    def _block(
        self,
        canvas: Picture,
        spot: tuple[float, float],
        size: tuple[float, float, float],
        colour: Colour,
    ) -> None:
        (x, y), (wide, deep, high) = spot, size
        points = np.array(
            [
                [x + a * wide, y + b * deep, c]
                for a in (-1, 1)
                for b in (-1, 1)
                for c in (0.0, high)
            ]
        )
        if (self._view.depths(points) < 0.1).any():
            return
        hull = cv2.convexHull(self._view.project(points).round().astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, colour)

    def _person(self, canvas: Picture, person: Person) -> None:
        spot = np.array([[*person.spot, 0.5 * person.height_m]])
        depth = float(self._view.depths(spot)[0])
        if depth < 0.4:
            return
        scale = self._view.focal_px / depth
        shirt, trousers = _clothes(person)
        swing = 0.28 * np.sin(2 * np.pi * person.walked_m / STRIDE_M)
        for name, start, end, thick in LIMBS:
            colour = {"leg": trousers, "torso": shirt, "arm": shirt}[name]
            ends = [self._joint(person, joint, swing) for joint in (start, end)]
            self._line(
                canvas, ends[0], ends[1], colour, round(thick * scale * person.height_m / 1.75)
            )
        if person.kind == "trolley":
            ahead = np.array([np.cos(person.heading), np.sin(person.heading)]) * 0.7
            x, y = person.spot + ahead
            self._block(canvas, (float(x), float(y)), (0.3, 0.4, 0.9), (170, 170, 175))
        head = self._view.project(np.array([[*person.spot, 0.93 * person.height_m]]))[0]
        if np.abs(head).max() < 4000:
            place = tuple(head.round().astype(int).tolist())
            skin = (90 + person.colours[2] // 3, 120 + person.colours[2] // 4, 180)
            cv2.circle(canvas, place, max(2, round(0.11 * scale)), skin, -1)

    def _joint(
        self, person: Person, joint: tuple[float, float, float], swing: float
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
