"""Run on motion only: whether anything moved, told by a picture of 160 × 120 grey values.

A cell has changed when its value lies outside what it and its neighbours had before: so a
camera that trembles on its bracket moves no edges, and noise is averaged out of a cell.
Where nothing moves the network would say what it said before, so it is not asked, and what
it said before holds. "Not looked" is never "nobody": the view that holds is marked as held,
and a beat of full runs makes sure that somebody who stands still is not lost and that a
change too small to be seen here is found out.
"""

import cv2
import numpy as np

from common.inference.duty import Duty

SMALL = (160, 120)
NEIGHBOURS = np.ones((3, 3), np.uint8)


class MotionGate:
    """Says picture by picture of one camera whether the network has to run."""

    def __init__(self, settings: Duty) -> None:
        self._settings = settings
        self._reference: tuple[np.ndarray, np.ndarray] | None = None
        """Least and greatest value about each cell in the last full run's picture.

        What creeps adds up against it.
        """
        self._moved_at = self._ran_at = 0.0
        self.looked = self.held = 0
        """Pictures that were looked at, and those for which the last view held."""

    def look(self, frame: np.ndarray, now: float, *, restless: bool = False) -> bool:
        """True: run the network on `frame`, uint8 [H, W] or [H, W, 3], taken at `now`, s.

        `restless`: what was seen last is not settled (somebody is not sure yet, or was
        expected and not seen), so it may not hold.
        """
        if not self._settings.on_motion_only:
            return True
        small = _small(frame)
        if restless or self._moved(small):
            self._moved_at = now
        run = (
            self._reference is None
            or now - self._moved_at <= self._settings.linger_s
            or now - self._ran_at >= self._settings.beat_s
        )
        if run:
            self._reference = cv2.erode(small, NEIGHBOURS), cv2.dilate(small, NEIGHBOURS)
            self._ran_at = now
        self.looked += run
        self.held += not run
        return run

    def restart(self) -> None:
        """The last view is worth nothing: the next picture is looked at."""
        self._reference = None

    def document(self) -> dict[str, float | int | bool]:
        """For the snapshot."""
        seen = self.looked + self.held
        return {
            "on_motion_only": self._settings.on_motion_only,
            "held": self.held,
            "held_share": round(self.held / seen, 3) if seen else 0.0,
        }

    def _moved(self, small: np.ndarray) -> bool:
        if self._reference is None:
            return True
        least, greatest = self._reference
        change = cv2.max(cv2.subtract(least, small), cv2.subtract(small, greatest))
        changed = cv2.compare(change, self._settings.step, cv2.CMP_GE)
        return int(cv2.countNonZero(changed)) >= self._settings.cells


def _small(frame: np.ndarray) -> np.ndarray:
    grey = frame if frame.ndim == 2 else cv2.extractChannel(frame, frame.shape[2] // 2)
    return np.asarray(cv2.resize(grey, SMALL, interpolation=cv2.INTER_AREA))
