"""From a picture to people on the floor: masks first, then the view's health, then people.

The masks are in the pixels before anything looks at them, so what they cover exists nowhere
downstream. A picture of another size than the masks were drawn for is not looked at at all.
What comes out is boxes, numbers and places; no picture leaves this file.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Tracking
from apps.retail_analytics.domain import Glance, Track, View
from apps.retail_analytics.geometry import Floor
from apps.retail_analytics.masks import Masks
from apps.retail_analytics.sight import Sight
from apps.retail_analytics.tracking import MotionTracker, Tracked
from common.errors import RuntimeFailure
from common.inference.duty import Duty
from common.inference.images import PAD_GREY, Detections
from common.inference.motion_gate import MotionGate
from common.ports import Sample
from common.quality import Quality


class Detector(Protocol):
    """Finds people in a picture."""

    def begin(self, picture: np.ndarray, threshold: float) -> Callable[[], Detections]:
        """Ask for people with at least `threshold`; what it returns waits for the answer.

        That raises RuntimeFailure.
        """

    def close(self) -> None:
        """End what is under way."""


NO_REST = Duty()
WIPES = 9  # as many inputs as a network reuses at most: one more than model.depth may be


class Perceive:
    """Glance → View for one camera; raises RuntimeFailure when inference fails."""

    def __init__(
        self, camera: CameraSettings, detector: Detector, tracking: Tracking,
        duty: Duty = NO_REST,
    ) -> None:  # fmt: skip
        self._camera, self._detector, self._tracking = camera, detector, tracking
        self._masks = Masks(camera)
        self._sight = Sight(camera.limits, self._masks.unmasked())
        self._tracker = MotionTracker(tracking, camera.person_m, (camera.width, camera.height))
        self._floor = camera.floor()
        self.motion = MotionGate(duty)
        self._last: View | None = None
        """The last view that was looked at; None: there is none that may hold."""
        self._traces = 0
        """Inputs of the network, and of its driver, that may still hold what was seen here."""

    def __call__(self, sample: Sample[Glance]) -> View:
        """Who is where; a view that shows nothing of the shop says so instead."""
        return self.begin(sample)()

    def begin(self, sample: Sample[Glance]) -> Callable[[], View]:
        """Ask the network; what it returns waits for the answer. In the order of time."""
        name, frame, now = self._camera.name, sample.data.frame, sample.monotonic
        if frame is None:
            return self._bad(now, sample.reason or "gone: no picture")
        # sense has burnt them in; once more costs nothing and spares trusting whoever calls
        reason = self._masks.burn(frame) or self._sight.check(frame, now)
        if not reason and sample.quality is not Quality.GOOD:
            reason = sample.reason or sample.quality.value
        if reason:
            return self._bad(now, reason)
        if not self.motion.look(frame, now, restless=not self._settled()):
            return partial(self._hold, now)
        self._traces = WIPES
        answer = self._detector.begin(frame, self._tracking.low_score)
        return partial(self._finish, name, now, answer)

    def _finish(self, name: str, now: float, answer: Callable[[], Detections]) -> View:
        self._last = None  # until this one is known
        found = answer()
        boxes = found.boxes.astype(np.float64)
        if self._camera.anchor == "centre" and len(boxes):  # the spot is the box's middle
            middle = (boxes[:, 1] + boxes[:, 3]) / 2
            boxes[:, 1], boxes[:, 3] = boxes[:, 1] - (boxes[:, 3] - middle), middle
        tracked = self._tracker.update(boxes, found.scores.astype(np.float64), now)
        tracks = to_tracks(tracked, self._floor, self._camera.person_m)
        self._last = View(name, now, tracks)
        return self._last

    def _hold(self, now: float) -> View:
        """Nothing moved: the last view holds. The tracker is not told: it saw nothing."""
        if self._last is None:
            return self.blind(now, "model: no view that could hold")
        return replace(self._last, monotonic=now, held=True)

    def _settled(self) -> bool:
        """Whether all that was seen last is sure: somebody expected may be gone."""
        last = self._last
        return last is not None and all(t.confirmed and t.detected for t in last.tracks)

    def _bad(self, now: float, reason: str) -> Callable[[], View]:
        self._last = None
        self.motion.restart()
        if not self._traces:
            return partial(self.blind, now, reason)
        self._traces -= 1
        grey = np.full((self._camera.height, self._camera.width, 3), PAD_GREY, np.uint8)
        return partial(self._wipe, self._detector.begin(grey, 1.0), now, reason)

    def _wipe(self, answer: Callable[[], Detections], now: float, reason: str) -> View:
        """The network is shown grey: else it would keep the last picture all night."""
        answer()
        return self.blind(now, reason)

    def blind(self, now: float, reason: str) -> View:
        """A view that shows nothing; who was seen before is not remembered through it."""
        self._tracker.forget(now)
        return View(self._camera.name, now, (), Quality.BAD, reason)


class Eyes:
    """Glance of any camera → View. A network that fails makes a blind view, never a zero."""

    def __init__(
        self, cameras: Iterable[CameraSettings], detector: Detector, tracking: Tracking,
        duty: Duty = NO_REST,
    ) -> None:  # fmt: skip
        self._detector, self._tracking, self._duty = detector, tracking, duty
        self._eyes = {camera.name: self._eye(camera) for camera in cameras}
        self.failure = ""
        """Why the network gave nothing at the last picture; empty while it works."""

    def __call__(self, sample: Sample[Glance]) -> View:
        """Who is where in the picture of one camera."""
        return self.begin(sample)()

    def begin(self, sample: Sample[Glance]) -> Callable[[], View]:
        """Ask the network; what it returns waits for the answer. In the order of time."""
        try:
            finish = self._eyes[sample.data.camera].begin(sample)
        except RuntimeFailure as error:
            return partial(self._failed, sample, error)
        return partial(self._finish, sample, finish)

    def _finish(self, sample: Sample[Glance], finish: Callable[[], View]) -> View:
        try:
            view = finish()
        except RuntimeFailure as error:
            return self._failed(sample, error)
        if view.quality is Quality.GOOD:
            self.failure = ""
        return view

    def _failed(self, sample: Sample[Glance], error: RuntimeFailure) -> View:
        self.failure = str(error)
        return self._eyes[sample.data.camera].blind(sample.monotonic, f"model: {error}")

    def change(self, camera: CameraSettings) -> None:
        """Look at one camera by a new set-up: its people so far are forgotten."""
        self._eyes[camera.name] = self._eye(camera)

    def close(self) -> None:
        """Ask the network no more."""
        self._detector.close()

    def _eye(self, camera: CameraSettings) -> Perceive:
        return Perceive(camera, self._detector, self._tracking, self._duty)


def to_tracks(tracked: Iterable[Tracked], floor: Floor, person_m: float) -> tuple[Track, ...]:
    """Tracks in px to people on the floor."""
    return tuple(_track(one, floor, person_m) for one in tracked)


def _track(tracked: Tracked, floor: Floor, person_m: float) -> Track:
    number, box, confirmed, detected, _, unsure = tracked
    foot = floor.foot(box)
    spot, off = floor.project(foot), (0.0, 0.0)
    if unsure:
        x, y = floor.project((foot[0], foot[1] + unsure))
        off = x - spot[0], y - spot[1]
    metre = floor.metre(box[3] - box[1], person_m)
    return Track(number, spot, metre, confirmed, detected, off)
