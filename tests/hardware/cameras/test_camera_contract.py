"""One contract, every camera that can run here."""

import stat
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import CameraError
from common.ports import Trigger
from hardware.cameras.child import ChildStream, RawFormat
from hardware.cameras.files import FilesCamera, FilesSettings
from hardware.cameras.gstreamer import GstreamerCamera, GstreamerSettings
from hardware.cameras.rtsp import RtspCamera, RtspSettings
from hardware.cameras.usb import UsbCamera, UsbSettings

WIDTH, HEIGHT = 66, 48  # 66: GStreamer pads such rows
FAST = {"latency_ms": 0, "settle_ms": 0, "timeout_ms": 5000, "retry_first_ms": 10}


class FakeCapture:
    """Stands in for cv2.VideoCapture: frame n is filled with n; `failing` unplugs it."""

    def __init__(self):
        self.failing = threading.Event()
        self.opened, self.shown, self.properties = [], 0, {}

    def __call__(self, source, backend, parameters):
        self.opened.append((source, backend, parameters))
        return self

    def isOpened(self):  # noqa: N802
        return not self.failing.is_set()

    def grab(self):
        time.sleep(0.002)  # a device that paces its reader, as real ones do
        self.shown += 1
        return not self.failing.is_set()

    def retrieve(self):
        return True, np.full((HEIGHT, WIDTH, 3), self.shown % 256, np.uint8)

    def set(self, prop, value):
        self.properties[prop] = value
        return True

    def get(self, prop):
        return self.properties.get(prop, 0)

    def release(self):
        pass


LAUNCHER = """#!{python} -IS
import sys, time
words = " ".join(sys.argv)
print("GST_ARGUS: Creating output stream", flush=True)
if "mode=die" in words:
    print("WARNING: nothing", file=sys.stderr)
    print("ERROR: no element nvarguscamerasrc for rtsp://op:s3cret@h/", file=sys.stderr)
    sys.exit(1)
if "mode=hang" in words:
    time.sleep(60)
assert "fdsink" in words and "-q" in sys.argv
frames = open(int(words.split(" fd=")[1].split()[0]), "wb", 0)
row = ({width} * (1 if "GRAY8" in words else 3) + 3) // 4 * 4
number = 0
try:
    while True:
        number += 1
        pixels = bytearray([number % 256]) * (row * {height})
        for at in range(0, len(pixels), row):
            pixels[at + row - 1] = 255  # the padding, which must not be seen
        frames.write(pixels)
        time.sleep(0.002)
except BrokenPipeError:
    sys.stderr.close()
"""


@pytest.fixture
def launcher(tmp_path):
    """A real little program that speaks like gst-launch-1.0."""
    path = tmp_path / "launcher"
    path.write_text(LAUNCHER.format(python=sys.executable, width=WIDTH, height=HEIGHT))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def gstreamer(launcher, mode, **settings):
    return GstreamerCamera(
        GstreamerSettings(
            pipeline=f"testsrc mode={mode}", width=WIDTH, height=HEIGHT,
            launcher=launcher, via="process", **{**FAST, **settings},
        )
    )  # fmt: skip


def folder_camera(tmp_path):
    for number in range(1, 4):
        picture = np.full((HEIGHT, WIDTH), number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    return FilesCamera(FilesSettings(path=tmp_path, loop=True, colour="grey"))


def video_camera(tmp_path):
    path = tmp_path / "video.avi"
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, 25, (WIDTH, HEIGHT))
    for number in range(1, 4):
        writer.write(np.full((HEIGHT, WIDTH, 3), 40 * number, np.uint8))
    writer.release()
    return FilesCamera(FilesSettings(path=path, loop=True, colour="grey"))


def usb_camera(_, capture=None):
    settings = UsbSettings(width=WIDTH, height=HEIGHT, **FAST)
    return UsbCamera(settings, capture=capture or FakeCapture())


def rtsp_camera(_, capture=None):
    return RtspCamera(RtspSettings(**FAST), capture=capture or FakeCapture())


CAMERAS = {
    "folder": folder_camera,
    "video": video_camera,
    "usb": usb_camera,
    "rtsp": rtsp_camera,
    "gstreamer": None,
}


class TestCameraContract:
    @pytest.fixture(params=CAMERAS)
    def camera(self, request, tmp_path, launcher):
        make = CAMERAS[request.param]
        pictures = tmp_path / "pictures"
        pictures.mkdir()
        camera = make(pictures) if make else gstreamer(launcher, "stream")
        yield camera
        camera.close()

    def test_it_has_a_name(self, camera):
        assert camera.name

    def test_capture_gives_an_8_bit_picture_of_the_right_size(self, camera):
        frame = camera.capture(Trigger(part_id=1))
        assert frame.dtype == np.uint8
        assert frame.shape == (HEIGHT, WIDTH)
        assert np.ptp(frame.astype(int)) <= 2, "one flat colour, no padding in it"

    def test_every_part_gets_a_picture_of_its_own(self, camera):
        frames = [camera.capture(Trigger(part_id=n)) for n in (1, 2, 3)]
        assert len({int(frame[0, 0]) for frame in frames}) == 3
        assert not np.shares_memory(frames[0], frames[1])

    def test_close_may_be_called_twice(self, camera):
        camera.close()
        camera.close()


class TestStreamsThatDie:
    """USB and RTSP on a device that goes away and comes back."""

    @pytest.fixture(params=[usb_camera, rtsp_camera])
    def pair(self, request):
        capture = FakeCapture()
        camera = request.param(None, capture)
        yield camera, capture
        camera.close()

    def test_errors_name_camera_part_and_remedy_until_it_is_back(self, pair):
        camera, capture = pair
        camera.capture(Trigger(part_id=1))
        capture.failing.set()
        with pytest.raises(CameraError) as caught:
            camera.capture(Trigger(part_id=2))
        text = str(caught.value)
        assert text.startswith(f"{camera.name}: no picture of part 2: ")
        assert "next try in" in text
        assert "\n" not in text
        capture.failing.clear()
        assert self.first_frame(camera).dtype == np.uint8

    def test_a_closed_camera_says_so(self, pair):
        camera, _ = pair
        camera.close()
        with pytest.raises(CameraError, match="it is closed"):
            camera.capture(Trigger(part_id=1))

    @staticmethod
    def first_frame(camera):
        for _ in range(100):
            try:
                return camera.capture(Trigger(part_id=3))
            except CameraError:
                time.sleep(0.01)  # its back-off: 10 ms, then 20 ms
        raise AssertionError("it did not come back")


class TestGStreamerChild:
    def test_a_pipeline_that_ends_gives_its_last_words(self, launcher):
        camera = gstreamer(launcher, "die")
        with pytest.raises(
            CameraError, match=r"exit code 1\): ERROR: no element nvargus"
        ) as told:
            camera.capture(Trigger(part_id=1))
        camera.close()
        assert "rtsp://…@h/" in str(told.value)

    def test_a_login_in_a_pipeline_is_in_no_name(self, launcher):
        settings = GstreamerSettings(
            pipeline="rtsp://op:s3cret@h/1 ! decodebin", launcher=launcher, via="process"
        )
        camera = GstreamerCamera(settings)
        camera.close()
        assert camera.name == "GStreamer camera rtsp://…@h/1"

    def test_a_start_that_fails_keeps_nothing_open(self, monkeypatch):
        def none_left(_):
            raise RuntimeError("can't start new thread")

        before = sorted(Path("/proc/self/fd").iterdir())
        monkeypatch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="can't start"):
            ChildStream(lambda _: ["sleep", "60"], RawFormat(4, 4, 1), 1.0)
        assert sorted(Path("/proc/self/fd").iterdir()) == before

    def test_a_silent_pipeline_is_an_error_and_is_ended(self, launcher):
        camera = gstreamer(launcher, "hang", stall_ms=20)
        with pytest.raises(CameraError, match=r"the pipeline gave no frame for 0.02 s"):
            camera.capture(Trigger(part_id=1))
        camera.close()

    def test_colour_frames_have_three_channels(self, launcher):
        camera = gstreamer(launcher, "stream", colour="bgr")
        frame = camera.capture(Trigger(part_id=1))
        assert frame.shape == (HEIGHT, WIDTH, 3)
        assert np.ptp(frame.astype(int)) == 0
        camera.close()
