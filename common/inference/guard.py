"""The input guard: is this camera frame fit to be judged at all?

It looks at the raw frame, before any preprocessing, and says BAD with a reason; it never
gives a verdict on the part. A dead light, a covered or unfocused lens and a camera that
repeats itself all look like "no defect found" to a network.
"""

import cv2
import numpy as np

from common.inference.limits import FrameLimits
from common.quality import Quality

__all__ = ["FrameGuard", "FrameLimits", "LastFrame", "halved", "sharpness"]


class LastFrame:
    """A copy of a camera's last frame, for all the guards that look at this camera."""

    def __init__(self) -> None:
        self.frame: np.ndarray | None = None


class FrameGuard:
    """Checks frame after frame of one camera."""

    def __init__(self, limits: FrameLimits, last: LastFrame | None = None) -> None:
        """Guards of one camera share `last`, so that a camera is frozen under each of them."""
        self.limits, self._last = limits, last or LastFrame()

    def check(self, frame: np.ndarray) -> tuple[Quality, str]:
        """GOOD and "", or BAD and the reason, for a frame [H, W] or [H, W, 3]; never raises.

        Its budget is 0.5 ms for a 640×640 grey frame on one core: it runs for every part.
        """
        reason = self._wrong_form(frame) or self._frozen(frame) or self._unusable(frame)
        return (Quality.BAD, reason) if reason else (Quality.GOOD, "")

    def _wrong_form(self, frame: np.ndarray) -> str:
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
            found = getattr(frame, "dtype", type(frame).__name__)
            return f"wrong kind of frame: {found} instead of 8-bit values"
        channels = frame.shape[2] if frame.ndim == 3 else 1
        if frame.ndim not in (2, 3) or channels not in (1, 3) or min(frame.shape[:2]) < 4:
            return f"wrong form of frame: {_times(frame.shape)} is no grey or BGR picture"
        found = (frame.shape[1], frame.shape[0], channels)
        expected = (self.limits.width, self.limits.height, self.limits.channels)
        if any(want not in (0, have) for want, have in zip(expected, found, strict=True)):
            wanted = "×".join(str(v or "any") for v in expected)
            return f"wrong size of frame: {_times(found)}, expected {wanted} (w×h×channels)"
        return ""

    def _frozen(self, frame: np.ndarray) -> str:
        if not self.limits.detect_frozen:
            return ""
        last = self._last.frame
        # a few rows settle it for almost every frame; only equal ones are compared in full
        if (
            last is not None
            and np.array_equal(frame[::16], last[::16])
            and np.array_equal(frame, last)
        ):
            return "frozen: equal to the frame before in every pixel; the camera repeats itself"
        if last is not None and last.shape == frame.shape:
            np.copyto(last, frame)  # into memory that the caches know
        else:
            self._last.frame = frame.copy()
        return ""

    def _unusable(self, frame: np.ndarray) -> str:
        grey = frame if frame.ndim == 2 else cv2.extractChannel(frame, frame.shape[2] // 2)
        limits, half = self.limits, halved(grey)
        mean, deviation = (float(v[0, 0]) for v in cv2.meanStdDev(half))
        if mean < limits.mean_low:
            return f"black: mean grey {mean:.0f} of 255; light off or lens covered"
        blank = deviation < limits.min_contrast
        if limits.accept_blank and (blank or mean > limits.mean_high):
            return ""
        if mean > limits.mean_high:
            return f"over-exposed: mean grey {mean:.0f} of 255; exposure or light too strong"
        if blank:
            return (
                f"no contrast: grey values differ by {deviation:.1f} only "
                f"(at least {limits.min_contrast:g}); nothing in view, fog or a covered lens"
            )
        if limits.min_sharpness and (found := sharpness(half)) < limits.min_sharpness:
            return (
                f"out of focus: edge sharpness {found:.2f} (at least "
                f"{limits.min_sharpness:g}); check focus, distance and dirt on the lens"
            )
        return ""


def halved(grey: np.ndarray) -> np.ndarray:
    """Each four pixels as one: a quarter of the work, and half of the sensor's noise."""
    return np.asarray(cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def sharpness(half: np.ndarray) -> float:
    """Steepness of the steepest edges of a halved picture: grey range per 2 px, 0 … 1.

    The 99.95th percentile of the step between neighbours, over the grey range: a share of
    the contrast and not a sum, so that a board with three thin tracks is as sharp as a full
    one. Steps are those of every second row; the range, which is the same everywhere, is
    found on every fourth pixel.
    """
    low = half[1::2, :-1]
    row = half[: 2 * len(low) : 2]
    across, down = cv2.absdiff(row[:, 1:], row[:, :-1]), cv2.absdiff(low, row[:, :-1])
    steps = _grey_at(cv2.max(across, down), 0.9995)[0]
    dark, bright = _grey_at(np.ascontiguousarray(half[::2, ::2]), 0.001, 0.999)
    return steps / max(bright - dark, 1)


def _grey_at(grey: np.ndarray, *shares: float) -> list[int]:
    """Percentiles by histogram: a sort of the pixels would cost ten times as much."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().cumsum()
    return [int(np.searchsorted(counts, counts[-1] * share)) for share in shares]


def _times(numbers: tuple[int, ...]) -> str:
    return "×".join(str(number) for number in numbers)
