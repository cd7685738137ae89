"""A real network stream through the real FFmpeg: MJPEG over HTTP on this machine.

It stands for RTSP, which needs a camera: same reader, same OpenCV backend, real sockets.
"""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from common.errors import CameraError
from common.ports import Trigger
from hardware.cameras.capture import CaptureStream
from hardware.cameras.stream import StreamCamera, StreamSettings

BITS = 24
PART = Trigger(part_id=1)


def picture_of(milliseconds):
    """A picture that shows the moment of its exposure, as black and white bars."""
    bars = [255 * (milliseconds >> bit & 1) for bit in range(BITS)]
    ok, jpeg = cv2.imencode(".jpg", np.repeat(np.uint8([bars]), 16, 1).repeat(32, 0))
    assert ok
    return jpeg.tobytes()


def exposed_at(frame):
    """The moment that a frame shows, in ms."""
    return sum(int(frame[16, 16 * bit + 8] > 128) << bit for bit in range(BITS))


def now_ms():
    return int(time.monotonic() * 1000) % (1 << BITS)


class MjpegCamera(BaseHTTPRequestHandler):
    """A hundred frames a second, while `running`."""

    running = threading.Event()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while self.running.is_set():
                jpeg = picture_of(now_ms())
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                time.sleep(0.01)
        except OSError:
            pass  # the reader has hung up


@pytest.fixture
def camera():
    MjpegCamera.running.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), MjpegCamera)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()

    def open_stream():
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 2000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 2000]
        url = f"http://127.0.0.1:{server.server_port}/"
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
        if not capture.isOpened():
            capture.release()
            raise OSError("the stream cannot be opened")
        return CaptureStream(capture)

    settings = StreamSettings(
        latency_ms=150, settle_ms=0, timeout_ms=10_000, retry_first_ms=10, retry_longest_ms=50
    )
    camera = StreamCamera("mjpeg", open_stream, settings)
    yield camera
    MjpegCamera.running.clear()
    camera.close()
    server.shutdown()
    serving.join()
    server.server_close()


def test_no_frame_is_older_than_its_trigger_and_the_stream_comes_back(camera):
    for _ in range(3):
        asked = now_ms()
        assert exposed_at(camera.capture(PART)) >= asked
    MjpegCamera.running.clear()
    with pytest.raises(CameraError, match="mjpeg: no picture of part 1: the stream"):
        [camera.capture(PART) for _ in range(100)]
    MjpegCamera.running.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert camera.capture(PART).shape == (32, 16 * BITS)
            break
        except CameraError:
            time.sleep(0.01)
    else:
        raise AssertionError("it did not come back")
