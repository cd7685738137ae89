"""The shop in software: pictures of it, and the truth of every way, crossing, stay and wait.

One seed gives one day. `Shop` moves the people, a `Pinhole` sees them from a corner or from
above, a `Painter` draws them; here they are brought together, as a camera for the station
and as a recording with truth for the evaluation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apps.retail_analytics.domain import IN, OUT, Crossing, Point
from apps.retail_analytics.evaluation.truth import Hidden, Recording, Views
from apps.retail_analytics.geometry import Floor, Line, Zone, fit_floor
from apps.retail_analytics.shop import hiding
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
from apps.retail_analytics.shop.view import ABOVE, BACK, CORNER, LOW, SIDE, Pinhole
from common.ports import Trigger

VIEWS = {"corner": CORNER, "above": ABOVE, "low": LOW, "side": SIDE, "back": BACK}
HIDING = ("low", "side", "back")
"""Views in which people and shelves hide people, and the picture's edge cuts them."""
DOOR, INNER, WEST = "door", "inner", "west"
ZONES = {"shelf": SHELF_ZONE, "queue": QUEUE_ZONE, "till": TILL_ZONE}
MEASURED_M = ((3.0, 0.0), (7.0, 0.0), (6.5, 2.4), (3.5, 2.4))
LEAST_SEEN = 0.6  # share of a body that must be in the picture to be in the truth
LEAST_CUT = 0.2  # the same where the picture's edge cuts people
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
    cut = view in HIDING
    lines, zones = floor_lines(view), floor_zones()
    boxes: Views = []
    hidden: Hidden = []
    watch = _Watch(lines, zones, fps)
    for index, people in enumerate(shop.played(fps, seconds)):
        watch.see(people, index / fps)
        there = _there(camera, people, LEAST_CUT if cut else LEAST_SEEN)
        boxes.append(_boxes(camera, there))
        if cut:
            hidden.append(_hidden(camera, people, there))
    truth = Truth(tuple(watch.crossings), watch.stays, tuple(shop.waits))
    drawn_zones = tuple(
        Zone(name, tuple(camera.on_plane(list(corners)))) for name, corners in ZONES.items()
    )
    person_m = HEAD_M if camera.plane_m else BODY_M
    return Recording(
        f"shop-{view}", fps, tuple(_drawn(camera, line) for line in lines),
        drawn_zones if view == "corner" else (), boxes, truth.crossings, None, person_m,
        (camera.width, camera.height), hidden=hidden,
    ), truth  # fmt: skip


def _drawn(camera: Pinhole, line: Line) -> Line:
    """A line on the floor as it is drawn in px, with the same direction."""
    start, end = camera.on_plane([line.start, line.end])
    if floor_of(camera).mirrored(start):  # drawn in px, "in" must stay into the shop
        start, end = end, start
    return Line(line.name, start, end)


def pictures(
    view: str, seconds: float, seed: int = 7, people_per_min: float = 8.0, fps: float = 15.0
) -> Iterator[tuple[Picture, list[Person]]]:
    """Pictures and who is in the shop, for training and for demos."""
    shop, painter = Shop(seed, people_per_min), Painter(VIEWS[view], seed)
    for people in shop.played(fps, seconds):
        yield painter.picture(people, shop.now), people


def floor_lines(view: str) -> tuple[Line, ...]:
    """The lines on the floor that a view sees: in is into the shop, and away from its west."""
    door = Line(DOOR, (DOOR_X[0], DOOR_Y), (DOOR_X[1], DOOR_Y))
    inner = Line(INNER, (2.6, 2.6), (7.8, 2.6))
    west = Line(WEST, (3.0, 7.0), (3.0, 2.0))
    return (door, inner, west) if view in HIDING else (door,)


def floor_zones() -> tuple[Zone, ...]:
    """The zones, on the floor."""
    return tuple(Zone(name, corners) for name, corners in ZONES.items())


class _Watch:
    """Takes down what really happens."""

    def __init__(self, lines: tuple[Line, ...], zones: tuple[Zone, ...], fps: float) -> None:
        self._lines, self._zones, self._step = lines, zones, 1.0 / fps
        self._last: dict[int, Point] = {}
        self.crossings: list[Crossing] = []
        self.stays: dict[str, dict[int, float]] = {zone.name: {} for zone in zones}

    def see(self, people: list[Person], now: float) -> None:
        """One step of time."""
        for person in people:
            here = (float(person.spot[0]), float(person.spot[1]))
            was = self._last.get(person.number)
            for line in self._lines:
                if was is not None and line.crossed(was, here):
                    direction = IN if line.distance(here) >= 0 else OUT
                    self.crossings.append(Crossing(line.name, direction, person.number, now))
            self._last[person.number] = here
            for zone in self._zones:
                if zone.holds(here):
                    inside = self.stays[zone.name]
                    inside[person.number] = inside.get(person.number, 0.0) + self._step


def _there(camera: Pinhole, people: list[Person], least: float) -> list[Person]:
    """Who is in the picture with at least that share of the body's box."""
    there = []
    for person in people:
        depth = camera.depths(np.array([[*person.spot, 0.5 * person.height_m]]))[0]
        left, top, right, bottom = camera.body(person.spot, person.height_m)
        wide, high = right - left, bottom - top
        inside = max(0.0, min(right, camera.width) - max(left, 0.0)) * max(
            0.0, min(bottom, camera.height) - max(top, 0.0)
        )
        if depth >= 0.5 and inside >= least * wide * high:
            there.append(person)
    return there


def _boxes(camera: Pinhole, people: list[Person]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and boxes of people; as heads where the camera looks down.

    From above a box's foot is put where the head is, which is what is placed on the floor.
    """
    boxes = []
    for person in people:
        left, top, right, bottom = camera.body(person.spot, person.height_m)
        if camera.plane_m:
            middle = (top + bottom) / 2
            top, bottom = top - (bottom - middle), middle
        boxes.append((left, top, right, bottom))
    numbers = np.array([person.number for person in people], np.int64)
    return numbers, np.array(boxes, np.float64).reshape(-1, 4)


def _hidden(
    camera: Pinhole, people: list[Person], there: list[Person]
) -> tuple[np.ndarray, np.ndarray]:
    """How much of each edge [n, 4] of those there is hidden, and how much of them is seen."""
    seen = dict(zip([p.number for p in people], hiding.seen(camera, people), strict=True))
    rows = [seen[person.number] for person in there]
    edges = np.array([sight.hidden for sight in rows], np.float64).reshape(-1, 4)
    return edges, np.array([sight.share for sight in rows], np.float64)
