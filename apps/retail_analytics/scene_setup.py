"""What an engineer has drawn over the cameras: checked, kept in a file, laid over app.toml.

The file stands beside the station's store and is written whole or not at all. Drawings in it
win over those of app.toml; deleting it goes back to app.toml.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from apps.retail_analytics.camera import (
    CameraSettings,
    HomographySettings,
    LineSettings,
    MaskSettings,
    ZoneSettings,
)
from common.canonical import read_object
from common.config import from_table
from common.errors import ConfigError
from common.whole_file import write_whole

FILE = "setup.json"
DRAWN = ("lines", "zones", "masks", "homography")


@dataclass(frozen=True)
class Drawing:
    """Everything that is drawn over one camera's picture."""

    lines: tuple[LineSettings, ...] = ()
    zones: tuple[ZoneSettings, ...] = ()
    masks: tuple[MaskSettings, ...] = ()
    homography: HomographySettings | None = None


@dataclass(frozen=True)
class Setup:
    """What is in force instead of app.toml."""

    version: int = 0
    """How often it was changed; 0: never."""
    changed: float | None = None
    """UTC, s."""
    by: str = ""
    reason: str = ""
    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Camera → its drawing, as `drawing_of` gives it."""


def drawing_of(camera: CameraSettings) -> dict[str, Any]:
    """What is drawn over a camera, as JSON values."""
    drawing = Drawing(camera.line, camera.zone, camera.mask, camera.homography)
    plain: dict[str, Any] = json.loads(json.dumps(asdict(drawing)))
    return plain


def redrawn(camera: CameraSettings, drawing: Mapping[str, Any]) -> CameraSettings:
    """The camera with another drawing; raises ConfigError or ValueError in one line."""
    table = {name: value for name, value in drawing.items() if value is not None}
    new = from_table(Drawing, table, Path("set-up"), camera.name)
    return replace(
        camera, line=new.lines, zone=new.zones, mask=new.masks, homography=new.homography
    )


def read_setup(folder: Path) -> Setup:
    """The set-up in a station's folder; raises ConfigError for a file that cannot be read."""
    path = folder / FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Setup()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    try:
        table = {name: value for name, value in read_object(text).items() if value is not None}
        return from_table(Setup, table, path)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is no set-up: {error}; delete it to draw anew") from error


def laid_over(
    cameras: tuple[CameraSettings, ...], setup: Setup, folder: Path
) -> tuple[CameraSettings, ...]:
    """The cameras of app.toml with their drawings; raises ConfigError."""
    try:
        return tuple(
            redrawn(one, setup.cameras[one.name]) if one.name in setup.cameras else one
            for one in cameras
        )
    except (ConfigError, ValueError) as error:
        raise ConfigError(
            f"{folder / FILE}: {error}; correct it, or delete it to go back to app.toml"
        ) from error


def write_setup(folder: Path, setup: Setup) -> None:
    """Keep it, whole or not at all; raises OSError."""
    text = json.dumps(asdict(setup), indent=1, sort_keys=True)
    write_whole(folder / FILE, text.encode())


def put_back(folder: Path, setup: Setup) -> None:
    """The file says again what is in force, where it does not; raises OSError."""
    with suppress(ConfigError):
        if read_setup(folder) == setup:
            return
    if setup.version:
        write_setup(folder, setup)
    else:
        (folder / FILE).unlink(missing_ok=True)
