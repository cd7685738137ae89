"""Picture arithmetic before and after a network: binarise, letterbox, boxes.

Pure functions on arrays; the same code serves every runtime, so a golden result is
golden everywhere.
"""

import cv2
import numpy as np


def binarise(frame: np.ndarray) -> np.ndarray:
    """Grey frame uint8 [H, W] to black (conductor, 0) and white (255), by Otsu's threshold.

    The light's slow fall-off over the frame is divided out first (its brightest
    neighbourhood tells how much light a place gets), so one threshold serves all of it.
    """
    small = cv2.resize(frame, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(cv2.dilate(small, np.ones((9, 9), np.uint8)), (0, 0), 4)
    light = cv2.resize(light, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    flat = cv2.divide(frame, light, scale=200)
    _, binary = cv2.threshold(flat, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return binary
