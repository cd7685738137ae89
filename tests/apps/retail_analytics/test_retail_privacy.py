"""The proof: a real station under load, a marked picture, and no trace of it anywhere.

The station runs as a process of its own on pictures from a folder that bear a mark; people
walk in them and are counted. Its events go to a real broker, its API is asked all the time,
an engineer fetches the mosaic, and then it is made to crash. Every byte that went into a
socket, every file that was written, the log and the crash's output are searched.
"""

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import cv2
import paho.mqtt.client as mqtt
import pytest
import zstandard

from apps.demo import broker
from apps.retail_analytics.bench_chain import drawn

from .retail_traces import Finder, marked
from .retail_watched import ROOT, Api, Watched, free_port

MODEL = ROOT / "apps" / "retail_analytics" / "models" / "person"
APP = """
[station]
name = "watched"
api_port = {port}
[model]
bundle = "{model}"
[privacy]
interval_min = 1
k = 3
usable_share = 0.2
[telemetry]
enabled = {telemetry}
host = "127.0.0.1"
port = {broker}
durable_on = "puback"
[webhook]
enabled = false
url = "http://127.0.0.1:9"
"""
CAMERA = """
[[camera]]
name = "{name}"
fps = 8.0
device.backend = "files"
device.options = {{ path = "{pictures}", loop = true, colour = "bgr" }}
[camera.limits]
least_fps = 0.5
[[camera.line]]
name = "aisle"
points = [[440, 40], [440, 470]]
door = true
[[camera.line]]
name = "across"
points = [[230, 320], [630, 320]]
[[camera.zone]]
name = "floor"
polygon = [[240, 60], [630, 60], [630, 470], [240, 470]]
"""
TO_THE_BORDER_S = 45.0  # from the start to the first border of an interval
LOAD_S = 8.0
INTERVAL = b"lineside.retail.interval.v1"


class Scene:
    """The station, its broker and its cameras' pictures."""

    def __init__(self, folder: Path, broker_port: int | None) -> None:
        self.pictures = marked(drawn(75))
        shown = folder / "pictures"
        shown.mkdir()
        for number, picture in enumerate(self.pictures):
            cv2.imwrite(str(shown / f"{number:03}.png"), picture)
        self.port, self.broker_port = free_port(), broker_port
        text = APP.format(
            port=self.port, model=MODEL,
            telemetry="true" if broker_port else "false", broker=broker_port or 1883,
        )  # fmt: skip
        text += "".join(CAMERA.format(name=name, pictures=shown) for name in ("door", "floor"))
        (folder / "app.toml").write_text(text)
        shift = 60.0 - time.time() % 60.0 - TO_THE_BORDER_S
        self.station = Watched(folder, folder / "app.toml", shift)
        self.api = Api(self.port)
        self.events: list[bytes] = []
        """What the broker was sent and handed on, unpacked."""

    def listen(self) -> mqtt.Client | None:
        """Somebody who subscribes to all the broker has; without one, events wait."""
        if self.broker_port is None:
            return None
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.on_message = lambda *came: self.events.append(_unpacked(came[2].payload))
        client.connect("127.0.0.1", self.broker_port)
        client.subscribe("#", qos=1)
        client.loop_start()
        return client

    def told(self) -> bool:
        """An interval has left through the broker, where there is one."""
        return self.broker_port is None or any(INTERVAL in event for event in self.events)

    def counted(self) -> bool:
        """Somebody was found, followed and counted, and that is published: the load is real.

        In a usable interval no number is not 0 either: somebody crossed, too few to tell.
        """
        self.api.get("/metrics")
        self.api.get("/state")
        return any(row["in"] != 0 or row["out"] != 0 for row in self._lines())

    def _lines(self) -> list[dict]:
        uri = f"file:{self.station.folder / 'var' / 'watched' / 'station.sqlite'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute("SELECT body FROM retail_intervals").fetchall()
        bodies = [json.loads(body) for (body,) in rows]
        return [line for body in bodies if body["usable"] for line in body["lines"]]


@pytest.fixture
def finder():
    return Finder(marked(drawn(75))[0])


@pytest.mark.timeout(600)
def test_no_trace_of_any_picture_leaves_the_process(tmp_path, finder):
    with broker(tmp_path) as broker_port:
        scene = Scene(tmp_path, broker_port)
        listener = scene.listen()
        try:
            _watch(scene, finder)
        finally:
            scene.station.close()
            scene.api.close()
            if listener is not None:
                listener.disconnect()
                listener.loop_stop()


def _watch(scene: Scene, finder: Finder) -> None:
    station, api = scene.station, scene.api
    station.wait_until(api.up, 90)
    station.wait_until(scene.counted, 200)
    station.wait_until(scene.told, 60)
    mosaic = _mosaic(scene)
    assert any(finder.traces(mosaic)), "the finder must see the mosaic it is shown"
    _keep_asking(scene, LOAD_S)
    allowed = {scene.port, scene.broker_port}
    peers = station.peers()
    assert all(allowed & set(ports) for ports in peers), peers
    limits = Path(f"/proc/{station.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]

    ended = station.end(signal.SIGABRT)
    # Python's own crash report may not fit its stack while a network uses wide registers
    assert ended.code in (-signal.SIGABRT, -signal.SIGSEGV)
    assert not ended.core
    if ended.code == -signal.SIGABRT:
        assert b"Fatal Python error: Aborted" in ended.said
    _search(scene, finder, mosaic, ended.said)


def _mosaic(scene: Scene) -> bytes:
    """What the engineer, and nobody else, is shown; kept nowhere."""
    user = ("engineer", scene.station.password())
    asked = {"camera": "door", "reason": "drawing lines"}
    answer = scene.api.command("setup.mosaic", asked, user)
    assert answer.status_code == 200, answer.text
    assert scene.api.command("setup.mosaic", asked, ("engineer", "no")).status_code == 401
    again = scene.api.command("setup.mosaic", asked, user)
    assert again.status_code == 422, "a second one at once is a step towards a video"
    return answer.content


def _keep_asking(scene: Scene, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in ("/state", "/metrics", "/health"):
            scene.api.get(path)
        time.sleep(0.3)


def _search(scene: Scene, finder: Finder, mosaic: bytes, said: bytes) -> None:
    station = scene.station
    sent = b"".join(station.sent())
    for answer in scene.api.got:  # what was received was written down when it was sent
        assert answer in sent
    unpacked = b"".join(_unpacked(part) for part in station.sent())
    for event in scene.events:
        assert event in unpacked or event in sent
        assert list(finder.traces(event)) == []
    assert sent.count(mosaic) == 1
    sent = sent.replace(mosaic, b"")
    assert list(finder.traces(sent)) == []
    assert list(finder.traces(said)) == []
    files = station.files()
    names = {path.name for path in files}
    assert {"station.sqlite", "users.json"} <= names
    for path, data in files.items():
        assert list(finder.traces(data)) == [], path
    var = station.folder / "var"
    strange = {path for path in station.opened() if not path.is_relative_to(var)}
    assert not {path for path in strange if path.exists() and path != Path("/dev/null")}


def _unpacked(data: bytes) -> bytes:
    """The packed batch in it, or what it is."""
    at = data.find(b"\x28\xb5\x2f\xfd")
    if at < 0:
        return data
    return zstandard.ZstdDecompressor().decompressobj().decompress(data[at:])
