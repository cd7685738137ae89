"""Our own tracking and rules over a recording's detections, as the station runs them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from apps.retail_analytics.config import Counting, Tracking
from apps.retail_analytics.decide import CameraState, Rules, Scene
from apps.retail_analytics.domain import Crossing, View, Visit
from apps.retail_analytics.evaluation.detections import Found
from apps.retail_analytics.evaluation.mot import Frame
from apps.retail_analytics.evaluation.truth import Recording
from apps.retail_analytics.geometry import Floor
from apps.retail_analytics.perceive import to_tracks
from apps.retail_analytics.tracking import MotionTracker, Tracked


@dataclass
class Counted:
    """What was counted on one recording."""

    crossings: list[Crossing] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    lengths: dict[str, list[int]] = field(default_factory=dict)
    """Per zone, how many were in it at each picture."""


def run(recording: Recording, found: Found, tracking: Tracking, counting: Counting) -> Counted:
    """Count on the detections of each picture."""
    tracker = MotionTracker(tracking, recording.person_m, recording.size)
    rules = Rules(Scene(recording.name, recording.lines, recording.zones), counting)
    state, counted, floor = CameraState(), Counted(), Floor(nadir=recording.nadir)
    for index, (boxes, scores) in enumerate(found):
        now = index / recording.fps
        tracked = tracker.update(boxes, scores, now)
        tracks = to_tracks(tracked, floor, recording.person_m)
        state, decision = rules(state, View(recording.name, now, tracks))
        counted.crossings += decision.crossings
        counted.visits += decision.visits
        for name, present in (decision.present or {}).items():
            counted.lengths.setdefault(name, []).append(len(present))
        counted.frames.append(_frame(recording, index, tracked, boxes))
    return counted


def _frame(
    recording: Recording, index: int, tracked: Iterable[Tracked], boxes: np.ndarray
) -> Frame:
    shown = [one for one in tracked if one.confirmed and one.detected]
    ids = np.array([one.id for one in shown], np.int64)
    found = boxes[np.array([one.source for one in shown], np.int64)]
    if index < len(recording.views):
        real, real_boxes = recording.views[index]
    else:
        real, real_boxes = np.zeros(0, np.int64), np.zeros((0, 4))
    return Frame(real, real_boxes, ids, found)
