"""`lineside calibrate PICTURE`: from a picture of a target, the two lines of a recipe.

A record carries the calibration's id, so that years later a size in mm can be followed to
the measurement behind it: the file that is kept here.
"""

import math
from pathlib import Path
from typing import Any

from common.clock import SystemClock
from common.config import from_table
from common.errors import ConfigError, LinesideError
from common.inference.calibration import (
    Calibration,
    CalibrationRefused,
    Target,
    calibrate,
    save,
)
from common.inference.decode import ImageRefused, decode_image

SQUARE_PERCENT = 0.5
"""How far a pixel's sides may differ: a recipe has one scale for both."""


def measured(picture: Path, asked: dict[str, Any], out: Path) -> Calibration:
    """The calibration, kept in `out`, by a target that is as `asked`.

    Raises LinesideError with what to change.
    """
    target = from_table(Target, asked, Path("calibrate"))
    try:
        seen = decode_image(picture.read_bytes())
    except OSError as error:
        raise ConfigError(f"{picture}: cannot be read ({error.strerror})") from error
    except ImageRefused as error:
        raise ConfigError(f"{picture}: {error}") from error
    found = calibrate(seen, target, SystemClock().wall())
    if (uneven := _uneven_percent(found)) > SQUARE_PERCENT:
        raise CalibrationRefused(
            f"a pixel's sides differ by {uneven:.1f} % ({found.mm_per_px_x:.6g} × "
            f"{found.mm_per_px_y:.6g} mm), a recipe has one scale for both: set a line "
            "camera's line rate to its speed"
        )
    try:
        save(found, out)
    except OSError as error:
        raise LinesideError(f"{out}: cannot be written ({error.strerror})") from error
    return found


def as_recipe(found: Calibration) -> str:
    """The lines for [recipes.N] in app.toml."""
    scale = math.sqrt(found.mm_per_px_x * found.mm_per_px_y)
    return (
        f"mm_per_px = {scale:.7g}  # {found.target}; {found.residual_px:.2f} px off a grid, "
        f"turned by {found.rotation_deg:.1f}°\n"
        f'calibration = "{found.id}"'
    )


def _uneven_percent(found: Calibration) -> float:
    return 100 * abs(found.mm_per_px_x / found.mm_per_px_y - 1)
