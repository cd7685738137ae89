"""The shop in software: pictures of it, and the truth of every way, crossing, stay and wait.

One seed gives one day. `Shop` moves the people, a `Pinhole` sees them from a corner or from
above, a `Painter` draws them; here they are brought together, as a camera for the station
and as a recording with truth for the evaluation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apps.retail_analytics.domain import Crossing, Point
from apps.retail_analytics.evaluation.truth import Recording, Views
from apps.retail_analytics.geometry import Floor, Line, Zone, fit_floor
from apps.retail_analytics.shop.figures import Painter, Picture
from apps.retail_analytics.shop.people import (
    DOOR_X,
    DOOR_Y,
    QUEUE_ZONE,
    SHELF_ZONE,
    TILL_ZONE,
    Person,
    Shop,
    TrueWait,
)
from apps.retail_analytics.shop.view import ABOVE, CORNER, Pinhole
from common.ports import Trigger

VIEWS = {"corner": CORNER, "above": ABOVE}
ZONES = {"shelf": SHELF_ZONE, "queue": QUEUE_ZONE, "till": TILL_ZONE}
MEASURED_M = ((3.0, 0.0), (7.0, 0.0), (6.5, 2.4), (3.5, 2.4))
LEAST_SEEN = 0.6  # share of a body that must be in the picture to be in the truth
HEAD_M, BODY_M = 0.5, 1.7
STEP_S = 0.1  # of the time that nobody watches


@dataclass(frozen=True)
class Truth:
    """What happened, apart from any camera."""

    crossings: tuple[Crossing, ...]
    stays: dict[str, dict[int, float]]
    """Zone → person → s inside."""
    waits: tuple[TrueWait, ...]


class ShopCamera:
    """A camera (see common.ports.Camera) in the simulated shop; whoever asks sets the pace."""

    def __init__(
        self, view: str, seed: int = 7, people_per_min: float = 8.0, fps: float = 15.0,
        open_s: float = 0.0,
    ) -> None:  # fmt: skip
        """The shop has been open for `open_s` when the first picture is taken."""
        self.name = f"simulated shop, {view}"
        self.shop = Shop(seed, people_per_min)
        self._painter, self._fps = Painter(VIEWS[view], seed), fps
        for _ in range(round(open_s / STEP_S)):
            self.shop.step(STEP_S)

    def capture(self, trigger: Trigger | None = None) -> Picture:
        """The next picture, 1/fps later in the shop's own time."""
        del trigger
        self.shop.step(1.0 / self._fps)
        return self._painter.picture(self.shop.people, self.shop.now)

    def close(self) -> None:
        """Nothing stays open."""


def floor_of(view: Pinhole) -> Floor:
    """The homography that an engineer would set for this camera."""
    return fit_floor(view.on_plane(list(MEASURED_M)), MEASURED_M)


def recording(
    view: str, seconds: float, seed: int = 7, people_per_min: float = 8.0, fps: float = 15.0
) -> tuple[Recording, Truth]:
    """A recording without pictures, and its truth."""
    camera, shop = VIEWS[view], Shop(seed, people_per_min)
    line, zones = door(), floor_zones()
    boxes: Views = []
    watch = _Watch(line, zones, fps)
    for index, people in enumerate(shop.played(fps, seconds)):
        watch.see(people, index / fps)
        boxes.append(_seen(camera, people))
    truth = Truth(tuple(watch.crossings), watch.stays, tuple(shop.waits))
    start, end = camera.on_plane([line.start, line.end])
    if floor_of(camera).mirrored(start):  # drawn in px, "in" must stay into the shop
        start, end = end, start
    drawn = (Line("door", start, end),)
    drawn_zones = tuple(
        Zone(name, tuple(camera.on_plane(list(corners)))) for name, corners in ZONES.items()
    )
    size = (camera.width, camera.height)
    person_m = HEAD_M if camera.plane_m else BODY_M
    return Recording(
        f"shop-{view}", fps, drawn, drawn_zones if view == "corner" else (), boxes,
        truth.crossings, None, person_m, size,
    ), truth  # fmt: skip


def pictures(
    view: str, seconds: float, seed: int = 7, people_per_min: float = 8.0, fps: float = 15.0
) -> Iterator[tuple[Picture, list[Person]]]:
    """Pictures and who is in the shop, for training and for demos."""
    shop, painter = Shop(seed, people_per_min), Painter(VIEWS[view], seed)
    for people in shop.played(fps, seconds):
        yield painter.picture(people, shop.now), people


def door() -> Line:
    """The line in the door, on the floor: in is into the shop."""
    return Line("door", (DOOR_X[0], DOOR_Y), (DOOR_X[1], DOOR_Y))


def floor_zones() -> tuple[Zone, ...]:
    """The zones, on the floor."""
    return tuple(Zone(name, corners) for name, corners in ZONES.items())


class _Watch:
    """Takes down what really happens."""

    def __init__(self, line: Line, zones: tuple[Zone, ...], fps: float) -> None:
        self._line, self._zones, self._step = line, zones, 1.0 / fps
        self._last: dict[int, Point] = {}
        self.crossings: list[Crossing] = []
        self.stays: dict[str, dict[int, float]] = {zone.name: {} for zone in zones}

    def see(self, people: list[Person], now: float) -> None:
        """One step of time."""
        for person in people:
            here = (float(person.spot[0]), float(person.spot[1]))
            was = self._last.get(person.number)
            if was is not None and self._line.crossed(was, here):
                direction = "in" if self._line.distance(here) >= 0 else "out"
                self.crossings.append(Crossing("door", direction, person.number, now))
            self._last[person.number] = here
            for zone in self._zones:
                if zone.holds(here):
                    inside = self.stays[zone.name]
                    inside[person.number] = inside.get(person.number, 0.0) + self._step


def _seen(camera: Pinhole, people: list[Person]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and boxes of who is in the picture; as heads where the camera looks down.

    From above a box's foot is put where the head is, which is what is placed on the floor.
    """
    numbers, boxes = [], []
    for person in people:
        depth = camera.depths(np.array([[*person.spot, 0.5 * person.height_m]]))[0]
        left, top, right, bottom = camera.body(person.spot, person.height_m)
        wide, high = right - left, bottom - top
        inside = max(0.0, min(right, camera.width) - max(left, 0.0)) * max(
            0.0, min(bottom, camera.height) - max(top, 0.0)
        )
        if depth < 0.5 or inside < LEAST_SEEN * wide * high:
            continue
        if camera.plane_m:
            middle = (top + bottom) / 2
            top, bottom = top - (bottom - middle), middle
        numbers.append(person.number)
        boxes.append((left, top, right, bottom))
    return np.array(numbers, np.int64), np.array(boxes, np.float64).reshape(-1, 4)
