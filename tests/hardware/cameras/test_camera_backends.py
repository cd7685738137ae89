"""What is particular to one camera: how it is opened, and what it says when it cannot be."""

import re
import sys
import tomllib
from pathlib import Path

import cv2
import pytest

from common.clock import HeldClock
from common.config import from_table
from common.errors import BackendMissing, CameraError, ConfigError
from common.ports import Trigger
from hardware import catalog
from hardware.cameras.files import FilesSettings
from hardware.cameras.gstreamer import (
    JETSON_CSI,
    GstreamerCamera,
    GstreamerSettings,
    launch_command,
    opencv_has_gstreamer,
)
from hardware.cameras.rtsp import RtspCamera, RtspSettings, _with_login
from hardware.cameras.usb import UsbCamera, UsbSettings, _open


class Recorder:
    """A device that takes every setting but those it is told to refuse."""

    def __init__(self, refuse=(), opened=True, size=None):
        self.refuse, self.opened, self.size = refuse, opened, size
        self.properties, self.order, self.released = {}, [], False

    def __call__(self, source, backend, _):
        self.source, self.backend = source, backend
        return self

    def isOpened(self):  # noqa: N802
        return self.opened

    def set(self, prop, value):
        self.order.append(prop)
        self.properties[prop] = value
        return prop not in self.refuse

    def get(self, prop):
        wide = prop == cv2.CAP_PROP_FRAME_WIDTH
        return self.size[0 if wide else 1] if self.size else self.properties[prop]

    def release(self):
        self.released = True


class TestUsb:
    def test_exposure_is_set_by_hand_in_units_of_100_us(self):
        device = Recorder()
        _open(UsbSettings(exposure_us=2000, pixel_format="MJPG"), device)
        assert device.source == "/dev/video0"
        assert device.properties[cv2.CAP_PROP_AUTO_EXPOSURE] == 1
        assert device.properties[cv2.CAP_PROP_EXPOSURE] == 20
        assert device.order[0] == cv2.CAP_PROP_FOURCC, "sizes depend on the pixel format"

    def test_an_index_is_passed_as_a_number(self):
        device = Recorder()
        _open(UsbSettings(device="2"), device)
        assert device.source == 2

    def test_another_size_than_asked_for_is_an_error(self):
        device = Recorder(size=(1280, 720))
        with pytest.raises(OSError, match="1280×720 px instead of 640×640"):
            _open(UsbSettings(), device)
        assert device.released

    def test_an_exposure_that_cannot_be_set_is_an_error(self):
        with pytest.raises(OSError, match="exposure time cannot be set"):
            _open(UsbSettings(exposure_us=500), Recorder(refuse=(cv2.CAP_PROP_EXPOSURE,)))
        _open(UsbSettings(), Recorder(refuse=(cv2.CAP_PROP_AUTO_EXPOSURE,)))

    def test_a_device_that_is_busy_is_not_called_missing(self, tmp_path):
        (tmp_path / "video").touch()
        with pytest.raises(OSError, match="is another program using it"):
            _open(UsbSettings(device=str(tmp_path / "video")), Recorder(opened=False))

    def test_without_the_device_opencv_itself_leads_to_one_clear_line(self, tmp_path):
        camera = UsbCamera(UsbSettings(device=str(tmp_path / "none"), timeout_ms=20_000))
        with pytest.raises(CameraError, match=r"there is no .*none; check cable and power"):
            camera.capture(Trigger(part_id=1))
        camera.close()


class TestRtsp:
    def test_the_password_comes_from_its_file_and_shows_nowhere(self, tmp_path):
        secret = tmp_path / "password"
        secret.write_text("s3cret/@\n")
        url = "rtsp://127.0.0.1:9/stream"
        settings = RtspSettings(url=url, user="op", password_file=secret, timeout_ms=20_000)
        assert _with_login(settings) == "rtsp://op:s3cret%2F%40@127.0.0.1:9/stream"
        camera = RtspCamera(settings)  # the real FFmpeg: nothing listens on port 9
        with pytest.raises(CameraError, match=r"rtsp://127.0.0.1:9 cannot be opened") as caught:
            camera.capture(Trigger(part_id=1))
        camera.close()
        assert "s3cret" not in str(caught.value) + camera.name

    @pytest.mark.parametrize(
        "url",
        [
            "rtsp://op:s3cret@host:554/1",
            "rtsp://host:554/user=op&password=s3cret&channel=1.sdp",
            "rtsp://host:554/live?user=op&password=s3cret",
        ],
    )
    def test_a_password_inside_the_url_is_not_shown_either(self, url):
        settings = RtspSettings(url=url, timeout_ms=20_000)
        camera = RtspCamera(settings, capture=Recorder(opened=False))
        with pytest.raises(CameraError, match="rtsp://host:554 cannot be opened") as caught:
            camera.capture(Trigger(part_id=1))
        camera.close()
        assert "s3cret" not in str(caught.value) + camera.name

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("http://op:s3cret@host/", "must start with rtsp://"),
            ("op:s3cret@host/", "must start with rtsp://"),
            ("rtsp://op:s3/cret@host/", "has an @ behind its host"),
            ("rtsp://op:p@s3/cret@host/", "has an @ behind its host"),
            ("rtsp://op:s3?cret@host/", "has an @ behind its host"),
            ("rtsp://op:s3#cret@host/", "has an @ behind its host"),
            ("rtsp://op:s3cret", "must name a host"),
            ("rtsp://[s3cret/1", "must name a host"),
            ("rtsp:///s3cret", "must name a host"),
        ],
    )
    def test_an_url_that_cannot_be_right_is_refused_and_not_shown(self, url, said, tmp_path):
        with pytest.raises(ConfigError, match=said) as caught:
            from_table(RtspSettings, {"url": url}, tmp_path)
        assert "s3" not in str(caught.value).removeprefix(str(tmp_path))

    def test_a_password_file_in_another_code_is_one_clear_line(self, tmp_path):
        secret = tmp_path / "password"
        secret.write_bytes("gehe\xfcm".encode("latin-1"))
        settings = RtspSettings(user="op", password_file=secret)
        with pytest.raises(OSError, match="password is no UTF-8 text"):
            _with_login(settings)


class TestGStreamer:
    def test_the_documented_jetson_pipeline_becomes_a_list_of_words(self):
        command = launch_command(GstreamerSettings(), 7)
        assert command[:3] == ["gst-launch-1.0", "-q", "nvarguscamerasrc"]
        assert "video/x-raw(memory:NVMM),width=1280,height=720,framerate=60/1" in command
        assert "video/x-raw,format=GRAY8,width=1280,height=720" in command
        assert command[-3:] == ["fdsink", "fd=7", "sync=false"]
        assert GstreamerSettings().pipeline == JETSON_CSI

    def test_nothing_in_a_pipeline_reaches_a_shell(self):
        command = launch_command(
            GstreamerSettings(pipeline="src location='a b'; rm -rf $HOME"), 7
        )
        assert command[2:7] == ["src", "location=a b;", "rm", "-rf", "$HOME"]

    def test_a_missing_program_says_what_to_install(self):
        settings = GstreamerSettings(launcher="gst-launch-none", via="process")
        with pytest.raises(BackendMissing, match=r"apt install gstreamer1.0-tools"):
            GstreamerCamera(settings)

    @pytest.mark.skipif(opencv_has_gstreamer(), reason="this OpenCV has GStreamer")
    def test_an_opencv_without_gstreamer_is_refused_by_name(self):
        with pytest.raises(BackendMissing, match="built without GStreamer"):
            GstreamerCamera(GstreamerSettings(via="opencv"))

    def test_the_build_information_is_read_right(self):
        assert opencv_has_gstreamer("  Video I/O:\n    GStreamer:    YES (1.24.2)\n")
        assert not opencv_has_gstreamer("  Video I/O:\n    GStreamer:    NO\n")

    @pytest.mark.parametrize("pipeline", ["", "src name='open"])
    def test_a_broken_pipeline_text_is_a_configuration_error(self, pipeline, tmp_path):
        with pytest.raises(ConfigError):
            from_table(GstreamerSettings, {"pipeline": pipeline}, tmp_path)


OPTIONS = {
    "files": {"path": "."},
    "usb": {"device": "/dev/none"},
    "rtsp": {"url": "rtsp://127.0.0.1:9/"},
    "gstreamer": {"launcher": sys.executable, "via": "process"},
}


@pytest.mark.parametrize("name", catalog.CAMERAS)
def test_the_catalog_opens_every_camera_by_name(name, tmp_path):
    camera = catalog.open_camera(name, OPTIONS[name], tmp_path / "app.toml", HeldClock())
    assert camera.name
    camera.close()


def test_every_example_of_the_documentation_is_a_valid_configuration():
    page = Path(__file__).parents[3] / "docs" / "hardware-cameras.md"
    examples = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    kinds = [UsbSettings, RtspSettings, GstreamerSettings, GstreamerSettings, FilesSettings]
    for kind, example in zip(kinds, examples, strict=True):
        from_table(kind, tomllib.loads(example), page)
