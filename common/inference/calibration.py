"""From pixels to millimetres: calibration from one picture of a target of known pitch.

The target lies where the parts lie. The map is affine, so the camera must look straight
down; a tilted view is refused rather than corrected, because a tilt also spoils focus and
edge position. Lens distortion is not modelled: it shows as residual.
"""

import hashlib
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from common import config
from common.config import setting
from common.errors import LinesideError
from common.whole_file import write_whole


class CalibrationRefused(LinesideError):
    """No calibration can be had from this picture; the text says what to change."""


@dataclass(frozen=True)
class Target:
    """The calibration target and how good a picture of it must be."""

    kind: str = setting("chessboard", choices=("chessboard", "dots"))
    """"dots" is a square grid of equal discs, dark on bright or bright on dark."""
    columns: int = setting(9, low=3, high=100)
    """Inner corners, or dots, along one direction."""
    rows: int = setting(6, low=3, high=100)
    """Inner corners, or dots, along the other."""
    pitch_mm: float = setting(5.0, low=0.01, high=1000, unit="mm")
    """From one corner or dot centre to the next."""
    max_residual_px: float = setting(0.3, low=0.001, high=10, unit="px")
    """RMS distance between the found points and the straight grid."""
    max_tilt_percent: float = setting(1.0, low=0.01, high=20, unit="%")
    """How much the scale may change from one end of the target to the other."""
    max_skew_deg: float = setting(0.5, low=0.01, high=10, unit="°")
    """How far the picture's axes may be from a right angle on the target."""

    def __str__(self) -> str:
        return f"{self.kind} {self.columns}×{self.rows}, pitch {self.pitch_mm:g} mm"


@dataclass(frozen=True)
class Calibration:
    """What a pixel is worth; valid for one camera, lens setting and working distance."""

    mm_per_px_x: float = setting(low=1e-9, unit="mm/px")
    """Along the rows of the picture."""
    mm_per_px_y: float = setting(low=1e-9, unit="mm/px")
    """Down its columns; differs from x where pixels are not square (line cameras)."""
    rotation_deg: float = setting(low=-45, high=45, unit="°")
    """Of the target's grid against the picture, clockwise as one sees it."""
    residual_px: float = setting(low=0, unit="px")
    """RMS distance between the found points and the fitted grid."""
    target: str = setting()
    """The target used, in words."""
    made_at: str = setting()
    """UTC, ISO 8601."""

    @property
    def id(self) -> str:
        """12 hex digits of the SHA-256 of all values: what trace records carry."""
        return hashlib.sha256(self.as_toml().encode()).hexdigest()[:12]

    def size_mm(self, width_px: float, height_px: float) -> tuple[float, float]:
        """Width and height in mm of a box along the picture's axes."""
        return width_px * self.mm_per_px_x, height_px * self.mm_per_px_y

    def area_mm2(self, pixels: float) -> float:
        """Area in mm² of a number of pixels."""
        return pixels * self.mm_per_px_x * self.mm_per_px_y

    def as_toml(self) -> str:
        """The values as TOML, exactly: floats keep all digits."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return "".join(f"{name} = {_toml(value)}\n" for name, value in pairs)


def calibrate(picture: np.ndarray, target: Target, made_at: float) -> Calibration:
    """The calibration from `picture`, uint8 [H, W] or BGR [H, W, 3], of `target`.

    `made_at` is wall time, seconds since 1970. Raises CalibrationRefused.
    """
    found = _find(picture, target)
    grid = np.indices((target.rows, target.columns)).reshape(2, -1).T[:, ::-1]
    return fit(grid * target.pitch_mm, found, target, made_at)


def load(path: Path) -> Calibration:
    """The calibration in a TOML file; raises ConfigError naming what is wrong."""
    return config.load(Calibration, path)


def save(calibration: Calibration, path: Path) -> None:
    """Write the TOML file whole or not at all; raises OSError."""
    text = f"# px → mm calibration {calibration.id}\n{calibration.as_toml()}"
    write_whole(path, text.encode(), 0o644)


def _toml(value: float | str) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(float(value))


def _find(picture: np.ndarray, target: Target) -> np.ndarray:
    """Point positions [N, 2] in px, row by row of the target."""
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    size = (target.columns, target.rows)
    if target.kind == "chessboard":
        found, points = cv2.findChessboardCornersSB(grey, size, flags=cv2.CALIB_CB_ACCURACY)
    else:
        found, points = _find_dots(grey, size)
    if not found or points is None or len(points) != target.columns * target.rows:
        raise CalibrationRefused(
            f"no {target} found in the picture: show the whole target, lit evenly, with a "
            "white border, and check columns and rows (inner corners, or dots)"
        )
    return np.asarray(points, np.float64).reshape(-1, 2)


def _find_dots(grey: np.ndarray, size: tuple[int, int]) -> tuple[bool, np.ndarray | None]:
    parameters = cv2.SimpleBlobDetector.Params()
    parameters.minArea = 20.0
    parameters.maxArea = grey.size / (size[0] * size[1])  # OpenCV's 5000 px is for webcams
    parameters.minDistBetweenBlobs = 4.0
    detector = cv2.SimpleBlobDetector.create(parameters)
    found, points = False, None
    for picture in (grey, 255 - grey):  # the detector looks for dark discs
        if not found:
            found, points = cv2.findCirclesGrid(
                picture, size, flags=cv2.CALIB_CB_SYMMETRIC_GRID, blobDetector=detector
            )
    return found, points


def fit(grid: np.ndarray, found: np.ndarray, target: Target, made_at: float) -> Calibration:
    """Fit px = affine(mm) to points [N, 2] of the target in mm, found at [N, 2] in px."""
    _require_square_view(grid, found, target)
    design = np.column_stack([grid, np.ones(len(grid))])
    solution = np.linalg.lstsq(design, found, rcond=None)[0]
    residual = float(np.sqrt(((design @ solution - found) ** 2).sum(axis=1).mean()))
    if residual > target.max_residual_px:
        raise CalibrationRefused(
            f"residual {residual:.2f} px is over {target.max_residual_px:g}: lens distortion, "
            "a bent target or a blurred picture"
        )
    px_per_mm = solution[:2].T
    x, y = (1 / float(v) for v in np.linalg.norm(px_per_mm, axis=1))
    made = datetime.fromtimestamp(made_at, UTC).isoformat(timespec="seconds")
    return Calibration(x, y, _rotation(px_per_mm), residual, str(target), made)


def _require_square_view(grid: np.ndarray, found: np.ndarray, target: Target) -> None:
    """Raise when the camera does not look at the target straight on.

    In a homography scaled to h33 = 1 in the target's middle, the third row is the relative
    change of depth, and so of scale, per mm; over the target's diagonal it is the tilt.
    """
    centred = grid - grid.mean(axis=0)
    homography, _ = cv2.findHomography(centred, found)
    if homography is None:
        raise CalibrationRefused(f"the points found form no grid: is it a {target}?")
    tilt = 100 * float(np.linalg.norm(homography[2, :2]) * np.linalg.norm(np.ptp(grid, axis=0)))
    if tilt > target.max_tilt_percent:
        raise CalibrationRefused(
            f"the view is tilted: scale changes by {tilt:.1f} % over the target, "
            f"{target.max_tilt_percent:g} % is allowed; set the camera square to it"
        )
    middle = homography[:2, :2] - np.outer(homography[:2, 2], homography[2, :2])
    right, down = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    skew = abs(float(np.degrees(np.arcsin(np.clip(right @ down, -1, 1)))))
    if skew > target.max_skew_deg:
        raise CalibrationRefused(
            f"the view is skewed by {skew:.1f}°, {target.max_skew_deg:g}° is allowed; set the "
            "camera square to the target"
        )


def _rotation(px_per_mm: np.ndarray) -> float:
    """Angle in −45 … 45° of the grid, from the map [2, 2] of mm to px.

    Its rows are the picture's axes in the target and stay at right angles when pixels are
    not square. A plain grid looks the same after a quarter turn and in a mirror, so no more
    than this can be known.
    """
    mirrored = np.linalg.det(px_per_mm) < 0
    right, down = px_per_mm * [1, -1 if mirrored else 1]
    right, down = right / np.linalg.norm(right), down / np.linalg.norm(down)
    angle = np.degrees(np.arctan2(down[0] - right[1], right[0] + down[1]))
    return float((angle + 45) % 90 - 45)
