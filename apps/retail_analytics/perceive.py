"""From a picture to people on the floor: masks first, then the view's health, then people.

The masks are burnt into the pixels before anything else looks at them, so what they cover
exists nowhere downstream. A picture of another size than the masks were drawn for is not
looked at at all. What comes out is boxes, numbers and places; no picture leaves this file.
"""

import cv2
import numpy as np

from apps.retail_analytics.config import CameraSettings, Tracking, as_points
from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.domain import Glance, Track, View
from apps.retail_analytics.geometry import Floor
from apps.retail_analytics.sight import Sight
from apps.retail_analytics.tracking import MotionTracker, Tracked
from common.inference.images import PAD_GREY
from common.ports import Sample
from common.quality import Quality


class Masks:
    """What one camera may never show."""

    def __init__(self, camera: CameraSettings) -> None:
        self._size = (camera.width, camera.height)
        self._polygons = [
            np.array(as_points(mask.polygon, mask.name), np.float64).round().astype(np.int32)
            for mask in camera.mask
        ]

    def burn(self, frame: np.ndarray) -> str:
        """Grey out the masked parts of `frame` itself; returns why it cannot be, or "".

        A frame that is refused is grey all over: nobody can look at it by mistake.
        """
        if frame.dtype != np.uint8 or frame.ndim not in (2, 3):
            return "not a picture of 8-bit values"
        size = (frame.shape[1], frame.shape[0])
        if size != self._size:
            frame[:] = PAD_GREY
            wanted = "×".join(map(str, self._size))
            return f"picture of {size[0]}×{size[1]} px: masks and lines are drawn for {wanted}"
        for polygon in self._polygons:  # one by one: together, overlapping ones would open
            cv2.fillPoly(frame, [polygon], (PAD_GREY,) * 3)
        return ""


class Perceive:
    """Glance → View for one camera; raises RuntimeFailure when inference fails."""

    def __init__(
        self, camera: CameraSettings, detector: PersonDetector, tracking: Tracking
    ) -> None:
        self._camera, self._detector, self._tracking = camera, detector, tracking
        self._masks, self._sight = Masks(camera), Sight(camera.limits)
        self._tracker = MotionTracker(tracking, camera.person_m, (camera.width, camera.height))
        self._floor = camera.floor()

    def __call__(self, sample: Sample[Glance]) -> View:
        """Who is where; a view that shows nothing of the shop says so instead."""
        name, frame, now = self._camera.name, sample.data.frame, sample.monotonic
        reason = self._masks.burn(frame) or self._sight.check(frame, now)
        if not reason and sample.quality is not Quality.GOOD:
            reason = sample.reason or sample.quality.value
        if reason:
            return View(name, now, (), Quality.BAD, reason)
        found = self._detector.detect(frame, self._tracking.low_score)
        boxes = found.boxes.astype(np.float64)
        if self._camera.anchor == "centre" and len(boxes):  # the spot is the box's middle
            middle = (boxes[:, 1] + boxes[:, 3]) / 2
            boxes[:, 1], boxes[:, 3] = boxes[:, 1] - (boxes[:, 3] - middle), middle
        tracked = self._tracker.update(boxes, found.scores.astype(np.float64), now)
        return View(name, now, to_tracks(tracked, self._floor, self._camera.person_m))


def to_tracks(tracked: Tracked, floor: Floor, person_m: float) -> tuple[Track, ...]:
    """Tracks in px to people on the floor."""
    if not len(tracked.ids):
        return ()
    boxes = tracked.boxes
    feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    spots = floor.project(feet)
    metres = floor.metres(boxes[:, 3] - boxes[:, 1], person_m)
    return tuple(
        Track(number, (box[0], box[1], box[2], box[3]), (x, y), metre, sure, seen)
        for number, box, (x, y), metre, sure, seen in zip(
            tracked.ids.tolist(), boxes.tolist(), spots.tolist(), metres.tolist(),
            tracked.confirmed.tolist(), tracked.detected.tolist(), strict=True,
        )
    )  # fmt: skip
