"""One person as a camera's tracker knows them: a place, a speed, a body and how sure that is.

Places are px, uncertainties are shares of the person's own height, so the same figures hold
near the camera and far from it; time is seconds, so they hold at any frame rate.
"""

from dataclasses import dataclass

from apps.retail_analytics.domain import Box

NOBODYS = -1
"""In place of a detection's number: there was none."""


@dataclass(slots=True)
class Person:
    """One track. It changes from picture to picture, in plain numbers: see motion.py."""

    id: int
    x: float
    y: float
    """Of the feet, px."""
    width: float
    height: float
    """Of the whole body there, px."""
    share: float
    """Height beside the usual one at the same place (see stature.py)."""
    doubt: float
    """Of the height (1 s.d.), as a share of it."""
    hidden: bool
    """The feet were not seen in the last box."""
    place_var: float
    """Variance of the place, of each of x and y, in heights²."""
    speed_var: float
    """Of the speed, in heights²/s²."""
    born: float
    seen: float
    """When it was detected last, s."""
    source: int
    """Which detection of the last picture it took."""
    confirmed: bool = False
    hits: int = 1
    speed_x: float = 0.0
    speed_y: float = 0.0
    """In px/s."""
    covariance: float = 0.0
    """Of place and speed, in heights²/s."""

    @property
    def box(self) -> Box:
        """Around the whole body, smoothed; where not detected: expected."""
        half = self.width / 2
        return self.x - half, self.y - self.height, self.x + half, self.y
