"""The plain library pipeline, on the same detections: what most people would have built.

`trackers` ByteTrack and `supervision` LineZone as their documents show them, with the foot
of the box as trigger. Optional: neither is needed to run, and where they are missing the
comparison is left out and says so.
"""

import importlib.util
from typing import Any

import numpy as np

from apps.retail_analytics.domain import IN, OUT, Crossing
from apps.retail_analytics.evaluation.detections import Found
from apps.retail_analytics.evaluation.mot import Frame
from apps.retail_analytics.evaluation.truth import Recording

PACKAGES = ("trackers", "supervision")


def missing() -> str:
    """Which package is not here; "" when the comparison can run."""
    return ", ".join(name for name in PACKAGES if importlib.util.find_spec(name) is None)


def run(recording: Recording, found: Found) -> tuple[list[Crossing], list[Frame]]:
    """Crossings and tracks of the library's pipeline."""
    import supervision  # noqa: PLC0415 - optional, and slow to import
    import trackers  # noqa: PLC0415

    tracker = trackers.ByteTrackTracker(frame_rate=recording.fps)
    zones = [(line.name, _zone(supervision, line)) for line in recording.lines]
    crossings: list[Crossing] = []
    frames: list[Frame] = []
    for index, (boxes, scores) in enumerate(found):
        people = supervision.Detections(
            xyxy=boxes.astype(np.float32).reshape(-1, 4),
            confidence=scores.astype(np.float32),
            class_id=np.zeros(len(boxes), int),
        )
        tracked = tracker.update(people)
        now = index / recording.fps
        for name, zone in zones:
            crossings += _triggered(name, zone, tracked, now)
        frames.append(_frame(recording, index, tracked))
    return crossings, frames


def _zone(supervision: Any, line: Any) -> Any:
    """LineZone's positive side is the other one: its line runs from our end to our start."""
    start, end = (supervision.Point(x=float(x), y=float(y)) for x, y in (line.end, line.start))
    foot = (supervision.Position.BOTTOM_CENTER,)
    return supervision.LineZone(start=start, end=end, triggering_anchors=foot)


def _triggered(name: str, zone: Any, tracked: Any, now: float) -> list[Crossing]:
    if tracked.tracker_id is None:
        return []
    went_in, went_out = zone.trigger(tracked)
    ids = tracked.tracker_id
    return [
        Crossing(name, direction, int(ids[row]), now)
        for direction, went in ((IN, went_in), (OUT, went_out))
        for row in np.flatnonzero(went)
    ]


def _frame(recording: Recording, index: int, tracked: Any) -> Frame:
    real, boxes = recording.views[index] if index < len(recording.views) else _nobody()
    ids = np.zeros(0, np.int64) if tracked.tracker_id is None else tracked.tracker_id
    kept = ids >= 0
    return Frame(real, boxes, ids[kept], np.asarray(tracked.xyxy)[: len(ids)][kept])


def _nobody() -> tuple[Any, Any]:
    return np.zeros(0, np.int64), np.zeros((0, 4))
