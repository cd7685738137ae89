"""A USB camera (UVC) through OpenCV and V4L2."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from common.config import setting
from common.ports import Clock
from hardware.cameras.capture import Capture, CaptureStream, OpenCapture
from hardware.cameras.stream import StreamCamera, StreamSettings

MANUAL, AUTOMATIC = 1, 3  # V4L2_EXPOSURE_MANUAL, V4L2_EXPOSURE_APERTURE_PRIORITY
EXPOSURE_UNIT_US = 100  # of V4L2_CID_EXPOSURE_ABSOLUTE


@dataclass(frozen=True, kw_only=True)
class UsbSettings(StreamSettings):
    """Which USB camera, and how it shall expose."""

    device: str = setting("/dev/video0")
    """Better /dev/v4l/by-id/…: numbers change when cables are moved. "0" is an index."""
    width: int = setting(640, low=16, high=20_000, unit="px")
    height: int = setting(640, low=16, high=20_000, unit="px")
    fps: int = setting(30, low=1, high=1000, unit="frames/s")
    pixel_format: str = setting("", choices=("", "GREY", "YUYV", "MJPG"))
    """Empty is the driver's choice; MJPG compresses, GREY does not."""
    exposure_us: int = setting(0, low=0, high=1_000_000, unit="µs")
    """0 is automatic, which drifts with the part: set it for inspection."""


class UsbCamera(StreamCamera):
    """A UVC camera; unplugged and plugged in again it comes back by itself."""

    def __init__(
        self, settings: UsbSettings, clock: Clock | None = None, *, name: str = "",
        capture: OpenCapture = cv2.VideoCapture,
    ) -> None:  # fmt: skip
        super().__init__(
            name or f"USB camera {settings.device}",
            partial(_open, settings, capture), settings, clock,
        )  # fmt: skip


def _open(settings: UsbSettings, open_capture: OpenCapture) -> CaptureStream:
    source = int(settings.device) if settings.device.isdigit() else settings.device
    capture = open_capture(source, cv2.CAP_V4L2 if os.name == "posix" else cv2.CAP_ANY, [])
    try:
        _configure(capture, settings)
    except (OSError, cv2.error):
        capture.release()
        raise
    return CaptureStream(capture)


def _configure(capture: Capture, settings: UsbSettings) -> None:
    if not capture.isOpened():
        raise OSError(_why_closed(settings.device))
    if settings.pixel_format:  # first: the sizes on offer depend on it
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.pixel_format))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
    capture.set(cv2.CAP_PROP_FPS, settings.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where it is ignored, the reader still drains
    capture.set(cv2.CAP_PROP_AUTOFOCUS, 0)  # a moving focus is a moving scale
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if (width, height) != (settings.width, settings.height):
        raise OSError(
            f"it gives {width}×{height} px instead of {settings.width}×{settings.height}; "
            f"v4l2-ctl -d {settings.device} --list-formats-ext shows what it can"
        )
    if not _expose(capture, settings.exposure_us) and settings.exposure_us:
        raise OSError("its exposure time cannot be set; set exposure_us = 0")


def _expose(capture: Capture, exposure_us: int) -> bool:
    if not exposure_us:
        return capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, AUTOMATIC)
    manual = capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL)
    units = max(1, round(exposure_us / EXPOSURE_UNIT_US))
    return manual and capture.set(cv2.CAP_PROP_EXPOSURE, units)


def _why_closed(device: str) -> str:
    path = Path(f"/dev/video{device}" if device.isdigit() else device)
    if not path.exists():
        return f"there is no {path}; check cable and power, and ls /dev/v4l/by-id"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"{path} may not be opened; add this user to the group video"
    return f"{path} cannot be opened; is another program using it?"
