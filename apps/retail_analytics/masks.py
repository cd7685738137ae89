"""What a camera may never show, burnt into the pixels as soon as a picture exists.

What masks cover exists nowhere downstream: not in the ring, not before the network, not on
the set-up page.
"""

import cv2
import numpy as np

from apps.retail_analytics.camera import CameraSettings, as_points
from common.inference.images import PAD_GREY


class Masks:
    """The masks of one camera."""

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
        if frame.dtype != np.uint8 or (frame.ndim != 2 and frame.shape[2:] != (3,)):
            frame[:] = 0
            return "size: not a picture of 8-bit values, grey or with three colours"
        size = (frame.shape[1], frame.shape[0])
        if size != self._size:
            frame[:] = PAD_GREY
            wanted = "×".join(map(str, self._size))
            return f"size: {size[0]}×{size[1]} px; masks and lines are drawn for {wanted}"
        for polygon in self._polygons:  # one by one: together, overlapping ones would open
            cv2.fillPoly(frame, [polygon], (PAD_GREY,) * 3)
        return ""

    def unmasked(self) -> np.ndarray:
        """[height, width] uint8: 255 where something is shown, 0 under a mask."""
        shown = np.full(self._size[::-1], 255, np.uint8)
        for polygon in self._polygons:
            cv2.fillPoly(shown, [polygon], (0,))
        return shown
