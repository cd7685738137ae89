"""How a camera sees the floor: a pinhole at a place, looking at a spot."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.domain import Point

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pinhole:
    """A camera; metres, x to the right, y into the shop, z up."""

    place: tuple[float, float, float]
    target: tuple[float, float, float]
    focal_px: float
    width: int = 640
    height: int = 480
    plane_m: float = 0.0
    """Height of the plane that people are placed on: 0 for feet, the head's from above."""

    @cached_property
    def axes(self) -> Floats:
        """[3, 3] right, down and forward of the camera in the shop."""
        forward = np.subtract(self.target, self.place)
        forward = forward / np.linalg.norm(forward)
        up = np.array([0.0, 1.0, 0.0]) if abs(forward[2]) > 0.99 else np.array([0.0, 0.0, 1.0])
        right = np.cross(forward, up)
        right = right / np.linalg.norm(right)
        return np.array([right, np.cross(forward, right), forward])

    def depths(self, points: Floats) -> Floats:
        """How far [n] points [n, 3] are in front of the camera."""
        return np.asarray((points - np.array(self.place)) @ self.axes[2])

    def project(self, points: Floats) -> Floats:
        """Points [n, 3] in m to px [n, 2]; what is behind the camera lands far outside."""
        seen = (points - np.array(self.place)) @ self.axes.T
        depth = np.maximum(seen[:, 2], 0.05)
        middle = np.array([self.width, self.height]) / 2
        return np.asarray(seen[:, :2] / depth[:, None] * self.focal_px + middle)

    def on_plane(self, spots: list[tuple[float, float]]) -> list[Point]:
        """Places on the floor to px, at the height that people are placed at."""
        points = np.array([[x, y, self.plane_m] for x, y in spots])
        return [(float(x), float(y)) for x, y in self.project(points)]

    def body(self, spot: Floats, height_m: float) -> tuple[float, float, float, float]:
        """The box around a person's body, in px."""
        angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        ring = np.column_stack([np.cos(angles), np.sin(angles)])
        levels = ((0.02, 0.14), (0.5, 0.24), (0.8, 0.24), (1.0, 0.1))
        rings = [
            np.column_stack([spot + ring * radius, np.full(8, level * height_m)])
            for level, radius in levels
            if not self.plane_m or level >= 0.8
        ]
        points = self.project(np.vstack(rings))
        (left, top), (right, bottom) = points.min(0), points.max(0)
        return float(left), float(top), float(right), float(bottom)


CORNER = Pinhole((-0.8, -2.2, 4.2), (5.6, 4.0, 0.3), 380.0)
ABOVE = Pinhole((5.0, 1.2, 4.2), (5.0, 1.2, 0.0), 330.0, plane_m=1.5)
LOW = Pinhole((5.0, -4.2, 3.0), (5.0, 3.0, 0.5), 420.0)
SIDE = Pinhole((-1.2, -0.6, 2.8), (5.2, 2.6, 0.5), 430.0)
BACK = Pinhole((3.2, 8.6, 3.0), (5.2, 2.2, 0.5), 430.0)
