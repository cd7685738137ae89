"""Pictures of a folder, or the frames of a video file, as a camera: one for each trigger."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from common.config import setting
from common.errors import CameraError
from common.inference.decode import decode_image
from common.inference.limits import DecodeLimits
from common.ports import Clock, Trigger
from hardware.cameras.stream import as_frame

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True, kw_only=True)
class FilesSettings:
    """Which folder, picture or video."""

    path: Path
    """A folder (its pictures in the order of their names), one picture, or a video."""
    loop: bool = setting(False)
    """Start again at the end; otherwise the end is an error."""
    colour: str = setting("native", choices=("native", "grey", "bgr"))
    """What `capture` returns; "native" is what the file holds, BGR for a video."""
    decode: DecodeLimits = field(default_factory=DecodeLimits)
    """How large a picture may be, and whether 16 bits and alpha are converted."""


class FilesCamera:
    """A camera (see common.ports.Camera) that shows files; a bad one is an error once."""

    def __init__(
        self, settings: FilesSettings, clock: Clock | None = None, *, name: str = ""
    ) -> None:
        del clock  # taken as every camera takes it; a file is never late
        self.name = name or f"files camera {settings.path.name}"
        self._settings = settings
        self._pictures: _Pictures | None = None

    def capture(self, trigger: Trigger) -> np.ndarray:
        """The next picture; raises CameraError naming the file and what is wrong with it.

        After a bad picture the next call goes on with the one behind it.
        """
        try:
            return as_frame(self._next(), self._settings.colour)
        except (OSError, ValueError, cv2.error) as error:
            text = f"no picture of part {trigger.part_id}: {error}"
            raise CameraError(self.name, text) from error

    def close(self) -> None:
        """Close the video; the next `capture` starts from the beginning."""
        pictures, self._pictures = self._pictures, None
        if pictures is not None:
            pictures.close()

    def _next(self) -> np.ndarray:
        if self._pictures is None:
            self._pictures = _open(self._settings)
        picture = self._pictures.next()
        if picture is None and self._settings.loop:
            self.close()
            self._pictures = _open(self._settings)
            picture = self._pictures.next()
        if picture is None:
            raise OSError(f"{self._settings.path} is at its end; set loop = true to go round")
        return picture


class _Folder:
    """Pictures in the order of their names."""

    def __init__(self, settings: FilesSettings) -> None:
        self._limits = settings.decode
        self._paths = self._list(settings.path)

    def next(self) -> np.ndarray | None:
        path = next(self._paths, None)
        if path is None:
            return None
        if path.stat().st_size > self._limits.max_bytes:  # before it is read into memory
            raise ValueError(f"{path}: more than {self._limits.max_bytes} bytes")
        try:
            return decode_image(path.read_bytes(), self._limits)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def close(self) -> None:
        """Nothing stays open."""

    @staticmethod
    def _list(path: Path) -> Iterator[Path]:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        paths = [p for p in inside if p.suffix.lower() in PICTURES and p.name[0] != "."]
        if not paths:
            raise OSError(f"{path} holds no pictures ({', '.join(sorted(PICTURES))})")
        return iter(paths)


class _Video:
    """The frames of a video file, in order."""

    def __init__(self, settings: FilesSettings) -> None:
        self._path = settings.path
        if not self._path.stat().st_size:
            raise OSError(f"{self._path}: the video is empty (0 bytes)")
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        self._shown = 0
        if not self._capture.isOpened():
            raise OSError(f"{self._path}: cannot be read as a video, nor is it a picture")

    def next(self) -> np.ndarray | None:
        ok, frame = self._capture.read()
        if ok:
            self._shown += 1
            return np.asarray(frame)
        promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if self._shown < 0.9 * promised:  # the count is an estimate in some containers
            raise OSError(
                f"{self._path}: the video is cut short, {self._shown} of {promised} frames"
            )
        return None

    def close(self) -> None:
        self._capture.release()


_Pictures = _Folder | _Video


def _open(settings: FilesSettings) -> _Pictures:
    path = settings.path
    if not path.exists():
        raise OSError(f"{path} does not exist")
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return _Folder(settings)
    return _Video(settings)
