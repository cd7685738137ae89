"""A camera through GStreamer: CSI cameras of a Jetson or a Pi, line cameras, anything else.

OpenCV's wheels are built without GStreamer, the OpenCV of JetPack and of Debian with it.
Where it is missing, gst-launch-1.0 runs as a child process and pipes raw frames here.
"""

import re
import shlex
import shutil
from dataclasses import dataclass
from functools import partial

import cv2

from common.config import setting
from common.errors import BackendMissing
from common.ports import Clock
from hardware.cameras.capture import CaptureStream, OpenCapture
from hardware.cameras.child import ChildStream, RawFormat, without_login
from hardware.cameras.stream import Stream, StreamCamera, StreamSettings

JETSON_CSI = (
    "nvarguscamerasrc sensor-id=0 ! "
    "video/x-raw(memory:NVMM),width=1280,height=720,framerate=60/1 ! nvvidconv"
)


@dataclass(frozen=True, kw_only=True)
class GstreamerSettings(StreamSettings):
    """The pipeline up to, and without, its sink."""

    pipeline: str = setting(JETSON_CSI)
    """As for gst-launch-1.0; conversion to `colour` is added."""
    width: int = setting(1280, low=16, high=20_000, unit="px")
    """Of the frames that come out of the pipeline: another size is an error."""
    height: int = setting(720, low=16, high=20_000, unit="px")
    via: str = setting("auto", choices=("auto", "opencv", "process"))
    """"auto" takes OpenCV where it was built with GStreamer, else the child process."""
    launcher: str = setting("gst-launch-1.0")
    """The program of the child process: a name on the path, or a full path."""
    stall_ms: int = setting(5000, low=10, high=60_000, unit="ms")
    """A child that is silent for so long is restarted; Argus needs 3 s to start."""

    def __post_init__(self) -> None:
        if not shlex.split(self.pipeline):  # ValueError too when a quote is not closed
            raise ValueError("pipeline is empty")


class GstreamerCamera(StreamCamera):
    """A camera behind a GStreamer pipeline; raises BackendMissing where there is none."""

    def __init__(
        self, settings: GstreamerSettings, clock: Clock | None = None, *, name: str = "",
        capture: OpenCapture = cv2.VideoCapture,
    ) -> None:  # fmt: skip
        first = without_login(shlex.split(settings.pipeline)[0])
        name = name or f"GStreamer camera {first}"
        super().__init__(name, _opener(settings, capture), settings, clock)


def opencv_has_gstreamer(build_information: str | None = None) -> bool:
    """Was the installed OpenCV built with GStreamer?"""
    text = cv2.getBuildInformation() if build_information is None else build_information
    return re.search(r"^\s*GStreamer:\s+YES", text, re.MULTILINE) is not None


def launch_command(settings: GstreamerSettings, descriptor: int) -> list[str]:
    """The child process, which writes raw frames to `descriptor`."""
    return [settings.launcher, "-q", *shlex.split(settings.pipeline), *_tail(settings),
            "!", "fdsink", f"fd={descriptor}", "sync=false"]  # fmt: skip


def _tail(settings: GstreamerSettings) -> list[str]:
    pixels = "GRAY8" if settings.colour == "grey" else "BGR"
    caps = f"video/x-raw,format={pixels},width={settings.width},height={settings.height}"
    newest = ["queue", "leaky=downstream", "max-size-buffers=1"]
    # no videoscale: a size that does not fit must fail, not change what a pixel is worth
    return ["!", "videoconvert", "!", caps, "!", *newest]


def _opener(settings: GstreamerSettings, capture: OpenCapture) -> partial[Stream]:
    inside = opencv_has_gstreamer()
    if settings.via == "opencv" or (settings.via == "auto" and inside):
        if inside:
            return partial(_open_capture, settings, capture)
        raise BackendMissing(
            "this OpenCV was built without GStreamer: set via to process, or use the system's "
            "OpenCV (JetPack's, or apt install python3-opencv)"
        )
    if shutil.which(settings.launcher) is None:
        raise BackendMissing(
            f"{settings.launcher} was not found: sudo apt install gstreamer1.0-tools "
            "gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
        )
    return partial(_open_child, settings)


def _open_capture(settings: GstreamerSettings, open_capture: OpenCapture) -> Stream:
    sink = "appsink drop=true max-buffers=1 sync=false"
    line = " ".join([settings.pipeline, *_tail(settings), "!", sink])
    capture = open_capture(line, cv2.CAP_GSTREAMER, [])
    if not capture.isOpened():
        capture.release()
        raise OSError("the pipeline does not start; try it with gst-launch-1.0 … ! fakesink")
    return CaptureStream(capture)


def _open_child(settings: GstreamerSettings) -> Stream:
    channels = 1 if settings.colour == "grey" else 3
    form = RawFormat(settings.width, settings.height, channels)
    return ChildStream(partial(launch_command, settings), form, settings.stall_ms / 1000)
