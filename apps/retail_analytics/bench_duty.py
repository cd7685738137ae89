"""What resting where nothing moves saves, and what it costs: an empty shop, and a busy one.

Both ways see the same pictures, fifteen a second of the shop's own time. What counts is
processor time for a second of one camera, drawing left out, and whether the same people were
counted over the same lines.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Settings
from apps.retail_analytics.decide import CameraState, Rules, scene_of
from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.domain import Glance
from apps.retail_analytics.perceive import Perceive
from apps.retail_analytics.shop.figures import Painter, Picture
from apps.retail_analytics.simulate import VIEWS, ShopCamera
from common.inference.bundle import Model
from common.inference.duty import Duty
from common.ports import Sample

FPS = 15.0
SHOPS = {"empty": None, "quiet": 2.0, "busy": 20.0}
"""Customers per minute beside the staff; None: nobody is there at all."""
SECONDS, QUICK_SECONDS = 20.0, 4.0
FILL_S = 30.0
"""Until a shop has as many people in it as it will have."""


def duty(settings: Settings, model: Model, *, quick: bool = False) -> dict[str, Any]:
    """By shop: with and without rest, processor share, runs of the network, crossings."""
    seconds = QUICK_SECONDS if quick else SECONDS
    return {name: _shop(settings, model, rate, seconds) for name, rate in SHOPS.items()}


def _shop(
    settings: Settings, model: Model, people: float | None, seconds: float
) -> dict[str, Any]:
    always, resting = replace(settings.duty, on_motion_only=False), replace(
        settings.duty, on_motion_only=True
    )  # fmt: skip
    ways = {
        "always": _Way(settings, model, always),
        "on_motion": _Way(settings, model, resting),
    }
    for camera in settings.camera:
        view = str(camera.device.options.get("view", "corner"))
        watched = [way.eyes(camera) for way in ways.values()]
        pictures = _pictures(view, settings.simulation.seed, people, round(seconds * FPS))
        for number, picture in enumerate(pictures, 1):
            for eyes in watched:
                eyes.see(picture.copy(), number)
    watched_s = seconds * len(settings.camera)
    figures: dict[str, Any] = {name: way.told(watched_s) for name, way in ways.items()}
    saved = 1 - ways["on_motion"].cpu_s / ways["always"].cpu_s
    return {**figures, "people_per_min": people, "saved_share": round(saved, 3)}


def _pictures(view: str, seed: int, people: float | None, count: int) -> Iterator[Picture]:
    if people is None:
        painter = Painter(VIEWS[view], seed)
        yield from (painter.picture([], number / FPS) for number in range(count))
        return
    shop = ShopCamera(view, seed, people, FPS)
    for _ in range(round(FILL_S * FPS)):
        shop.shop.step(1.0 / FPS)
    yield from (shop.capture() for _ in range(count))


@dataclass
class _Way:
    """All cameras of a shop, looked at in one way."""

    settings: Settings
    model: Model
    duty: Duty
    cpu_s: float = 0.0
    pictures: int = 0
    held: int = 0
    crossings: int = 0
    detector: PersonDetector = field(init=False)

    def __post_init__(self) -> None:
        self.detector = PersonDetector(self.model)

    def eyes(self, camera: CameraSettings) -> "_Eyes":
        """One camera's."""
        return _Eyes(self, camera)

    def told(self, watched_s: float) -> dict[str, Any]:
        """Figures for a second of one camera."""
        return {
            "cpu_share_per_camera": round(self.cpu_s / watched_s, 4),
            "network_runs_per_s": round((self.pictures - self.held) / watched_s, 2),
            "held_share": round(self.held / self.pictures, 3),
            "crossings": self.crossings,
        }


class _Eyes:
    """From picture to crossings for one camera, with the processor's time taken."""

    def __init__(self, way: _Way, camera: CameraSettings) -> None:
        settings = way.settings
        self._way, self._name = way, camera.name
        self._perceive = Perceive(camera, way.detector, settings.tracking, way.duty)
        self._rules = Rules(scene_of(camera), settings.counting, settings.queue)
        self._state = CameraState()

    def see(self, picture: Picture, number: int) -> None:
        """The next picture of the shop's time."""
        now = number / FPS
        sample = Sample(str(number), Glance(self._name, picture), number, now, now)
        began = time.process_time()
        view = self._perceive(sample)
        self._state, decision = self._rules(self._state, view)
        self._way.cpu_s += time.process_time() - began
        self._way.pictures += 1
        self._way.held += view.held
        self._way.crossings += len(decision.crossings)
