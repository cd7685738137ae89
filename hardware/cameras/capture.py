"""OpenCV's VideoCapture as a Stream: what USB, RTSP and OpenCV's GStreamer have in common."""

from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used here."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Could the source be opened?"""

    def grab(self) -> bool:
        """Wait for the next frame; False when there is none."""

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the frame last grabbed."""

    def set(self, prop: int, value: float) -> bool:
        """Set a property; False when the device does not have it."""

    def get(self, prop: int) -> float:
        """A property; 0 when the device does not have it."""

    def release(self) -> None:
        """Close the source."""


OpenCapture = Callable[[Any, int, list[int]], Capture]
"""cv2.VideoCapture, or what stands in for it: (source, backend, parameters)."""


class CaptureStream:
    """An opened cv2.VideoCapture as a Stream."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def grab(self) -> float | None:
        """Wait for the next frame; its time stamp in seconds, None when it has none."""
        if not self._capture.grab():
            raise OSError("the stream ended; check cable, power and network")
        milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return milliseconds / 1000 if milliseconds > 0 else None

    def retrieve(self) -> np.ndarray:
        """The frame last grabbed."""
        ok, frame = self._capture.retrieve()
        if not ok or frame is None:
            raise OSError("a frame could not be decoded")
        return np.asarray(frame)

    def close(self) -> None:
        """Release the device."""
        self._capture.release()
