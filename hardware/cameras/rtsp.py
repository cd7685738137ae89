"""A network camera over RTSP, through OpenCV's FFmpeg.

FFmpeg's options can only be set for a whole process (OPENCV_FFMPEG_CAPTURE_OPTIONS), and
"nobuffer" makes video files lose their last frame: so they are left alone. OpenCV prefers
TCP by itself, which matters: a lost UDP packet is a grey stripe that looks like a defect.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import cv2

from common.config import setting
from common.ports import Clock
from hardware.cameras.capture import CaptureStream, OpenCapture
from hardware.cameras.stream import StreamCamera, StreamSettings


@dataclass(frozen=True, kw_only=True)
class RtspSettings(StreamSettings):
    """Which network camera, and how to log in."""

    url: str = setting("rtsp://camera.local:554/stream1")
    """rtsp:// or rtsps://, best without the password."""
    user: str = setting("")
    password_file: Path | None = None
    """A file (mode 0600) with nothing but the password: app.toml is no place for it."""
    latency_ms: int = setting(300, low=0, high=5000, unit="ms")
    """Encoding, network and decoding included: see docs/hardware-cameras.md to measure it."""
    settle_ms: int = setting(1500, low=0, high=60_000, unit="ms")
    """FFmpeg collects frames while it finds out the format; they come out in a burst."""
    timeout_ms: int = setting(2000, low=10, high=60_000, unit="ms")
    """How long `capture` waits for its frame."""
    connect_timeout_ms: int = setting(5000, low=100, high=60_000, unit="ms")
    """To open the stream, and to notice that it has gone silent."""

    def __post_init__(self) -> None:
        if why := _wrong_with(self.url):
            raise ValueError(f"url {why}")


class RtspCamera(StreamCamera):
    """A network camera; its password appears in no name and in no message."""

    def __init__(
        self, settings: RtspSettings, clock: Clock | None = None, *, name: str = "",
        capture: OpenCapture = cv2.VideoCapture,
    ) -> None:  # fmt: skip
        super().__init__(
            name or f"RTSP camera {urlsplit(settings.url).hostname}",
            partial(_open, settings, capture), settings, clock,
        )  # fmt: skip


def _open(settings: RtspSettings, open_capture: OpenCapture) -> CaptureStream:
    timeouts = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, settings.connect_timeout_ms,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC, settings.connect_timeout_ms,
    ]  # fmt: skip
    capture = open_capture(_with_login(settings), cv2.CAP_FFMPEG, timeouts)
    if not capture.isOpened():
        capture.release()
        raise OSError(
            f"{_address(settings.url)} cannot be opened; check address, path, user, "
            "password and that the camera streams H.264 or H.265"
        )
    return CaptureStream(capture)


def _with_login(settings: RtspSettings) -> str:
    if not settings.user:
        return settings.url
    login = quote(settings.user, safe="")
    if settings.password_file is not None:
        login += ":" + quote(_password(settings.password_file), safe="")
    parts = urlsplit(settings.url)
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))


def _password(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except UnicodeError:
        raise OSError(f"{path} is no UTF-8 text: write the password anew") from None


def _wrong_with(url: str) -> str:
    """Empty when nothing is; quotes nothing, since a password may stand anywhere in it."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("rtsp", "rtsps"):
            return "must start with rtsp:// or rtsps://"
        if "@" in parts.path + parts.query + parts.fragment:
            return "has an @ behind its host: a password with / ? or # belongs in password_file"
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets, or a port that is no number
        whole = False
    return "" if whole else "must name a host, and a port only as a number"


def _address(url: str) -> str:
    """What of `url` may be shown: some cameras take the login in path or query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
