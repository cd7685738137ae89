"""A clip's people, picture by picture; the pictures go no further than the detector."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.domain import Point
from apps.retail_analytics.evaluation.detections import Found
from apps.retail_analytics.evaluation.score import SAME_EVENT_S
from apps.retail_analytics.evaluation.truth import USUAL_FPS, Recording, crossings_of
from common.errors import ConfigError


def read_clip(
    recording: Recording, detector: PersonDetector, threshold: float
) -> tuple[Recording, Found]:
    """The recording with the clip's own pace and size, and what was detected in it.

    Raises ConfigError for a clip that cannot be read, or that scene and truth are not of.
    """
    clip = cv2.VideoCapture(str(recording.clip))
    found: Found = []
    times: list[float] = []
    size = recording.size
    try:
        if not clip.isOpened():
            raise ConfigError(f"{recording.clip}: is no clip that can be read here")
        fps = recording.fps or clip.get(cv2.CAP_PROP_FPS)
        fps = fps if 0.5 <= fps <= 240 else USUAL_FPS
        while True:
            there, picture = clip.read()
            if not there:
                break
            if not found:
                size = _size(recording, picture)
            times.append(clip.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            people = detector.detect(np.asarray(picture), threshold)
            found.append((people.boxes.astype(np.float64), people.scores.astype(np.float64)))
    finally:
        clip.release()
    if not found:
        raise ConfigError(f"{recording.clip}: holds no pictures")
    seen = replace(recording, fps=fps, size=size)
    if recording.views:
        return _by_frames(seen, len(found)), found
    _check_times(seen, times, said=recording.fps > 0)
    return seen, found


def _size(recording: Recording, picture: np.ndarray) -> tuple[int, int]:
    """The picture's, where all that was drawn is drawn over such a picture."""
    size = width, height = picture.shape[1], picture.shape[0]
    shown = f"{recording.clip}: shows {width}×{height} px"
    if any(said not in (0, is_) for said, is_ in zip(recording.size, size, strict=True)):
        drawn = "{}×{}".format(*recording.size)
        raise ConfigError(f"{shown}, but was drawn over as a picture of {drawn} px")
    shapes: list[tuple[str, tuple[Point, ...]]]
    shapes = [(f"line {line.name}", (line.start, line.end)) for line in recording.lines]
    shapes += [(f"zone {zone.name}", zone.polygon) for zone in recording.zones]
    for name, points in shapes:
        if min(x for x, _ in points) > width or min(y for _, y in points) > height:
            raise ConfigError(f"{shown}: {name} lies outside")
    return size


def _by_frames(recording: Recording, pictures: int) -> Recording:
    """The truth of the pictures that there are; a decoder may leave a few last ones out."""
    views = recording.views
    if len(views) > pictures + recording.fps:
        raise ConfigError(
            f"{recording.clip}: has {pictures} pictures, its truth goes on to frame "
            f"{len(views)}"
        )
    views = views[:pictures]
    crossings = crossings_of(views, recording.fps, recording.lines)
    return replace(recording, views=views, crossings=crossings)


def _check_times(recording: Recording, times: Sequence[float], *, said: bool) -> None:
    """Times of a truth mean the clip's: raise ConfigError where these are others."""
    end = len(times) / recording.fps
    last = max((crossing.monotonic for crossing in recording.crossings), default=0.0)
    if last > end + SAME_EVENT_S:
        raise ConfigError(
            f"{recording.clip}: ends after {end:.1f} s, its truth has a crossing at {last:g} s"
        )
    for index, time in enumerate(times):
        even = index / recording.fps
        if not said and time > 0 and abs(time - even) > SAME_EVENT_S / 2:
            raise ConfigError(
                f"{recording.clip}: its pictures come unevenly (number {index + 1} at "
                f"{time:.1f} s, by its {recording.fps:g} a second at {even:.1f} s): encode it "
                "at an even pace"
            )
