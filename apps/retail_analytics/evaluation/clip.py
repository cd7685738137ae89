"""A clip's people, picture by picture; the pictures go no further than the detector."""

from dataclasses import replace

import cv2
import numpy as np

from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.evaluation.detections import Found
from apps.retail_analytics.evaluation.truth import USUAL_FPS, Recording, crossings_of
from common.errors import ConfigError


def read_clip(
    recording: Recording, detector: PersonDetector, threshold: float
) -> tuple[Recording, Found]:
    """The recording with the clip's own pace and size, and what was detected in it."""
    clip = cv2.VideoCapture(str(recording.clip))
    try:
        if not clip.isOpened():
            raise ConfigError(f"{recording.clip}: is no clip that can be read here")
        fps = recording.fps if recording.fps != USUAL_FPS else clip.get(cv2.CAP_PROP_FPS)
        fps = fps if 0.5 <= fps <= 240 else USUAL_FPS
        found: Found = []
        size = recording.size
        while True:
            there, picture = clip.read()
            if not there:
                break
            size = (picture.shape[1], picture.shape[0])
            people = detector.detect(np.asarray(picture), threshold)
            found.append((people.boxes.astype(np.float64), people.scores.astype(np.float64)))
    finally:
        clip.release()
    if not found:
        raise ConfigError(f"{recording.clip}: holds no pictures")
    truth = recording.crossings
    if recording.views:
        truth = crossings_of(recording.views, fps, recording.lines)
    return replace(recording, fps=fps, size=size, crossings=truth), found
