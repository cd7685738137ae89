"""What tracking and counting cost in the plain library pipeline, on the same boxes."""

from itertools import cycle
from typing import Any

import numpy as np

from apps.retail_analytics.bench_chain import FPS, busy_camera
from apps.retail_analytics.evaluation.library import missing
from common.inference.benchmark import timed_ms
from common.inference.images import Detections
from common.pipeline import percentiles


def cost(found: list[Detections], rounds: int) -> dict[str, Any] | None:
    """Per picture, of `trackers` ByteTrack and `supervision` LineZone; None: not here."""
    if missing():
        return None
    work = _work(found)
    return {
        "track_and_count_ms": percentiles([timed_ms(lambda: next(work)) for _ in range(rounds)])
    }


def _work(found: list[Detections]) -> Any:
    import supervision  # noqa: PLC0415 - optional, and slow to import
    import trackers  # noqa: PLC0415

    tracker = trackers.ByteTrackTracker(frame_rate=FPS)
    zones = [
        supervision.LineZone(
            start=supervision.Point(*line.points[0]), end=supervision.Point(*line.points[1]),
            triggering_anchors=(supervision.Position.BOTTOM_CENTER,),
        )
        for line in busy_camera().line
    ]  # fmt: skip
    for one in cycle(found):
        people = supervision.Detections(
            xyxy=one.boxes, confidence=one.scores, class_id=np.zeros(len(one.boxes), int)
        )
        tracked = tracker.update(people)
        yield [zone.trigger(tracked) for zone in zones]
