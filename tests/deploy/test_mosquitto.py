"""The plant's broker as shipped: real certificates, a real mosquitto, and who may do what."""

import getpass
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from common.clock import SystemClock
from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.collector import Collector
from common.telemetry.collector.settings import BrokerSettings, CollectorSettings, Settings
from common.telemetry.receipt import decode_receipt
from tests.common.telemetry.collector.rig import (
    EPOCH,
    MOSQUITTO,
    NO_MOSQUITTO,
    STATION,
    WAIT_S,
    Broker,
    event,
    until,
)

DEPLOY = Path(__file__).parents[2] / "deploy"
OPENSSL = shutil.which("openssl")
OURS, OTHERS = "acme/plant1/line2/cam01/inspection", "acme/plant1/line2/cam02/inspection"
DENIED, OK = 0x87, (0x00, 0x10)

pytestmark = [
    pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO),
    pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed"),
]


class Authority:
    """Signs certificates for a test's broker and its clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=authority", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt",
        )  # fmt: skip

    def _openssl(self, *words: str) -> None:
        subprocess.run([OPENSSL, *words], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name: str, common_name: str) -> tuple[Path, Path]:
        """The files of a certificate and its key."""
        subject = "/CN=" + re.sub(r"([/+])", r"\\\1", common_name)
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", subject, "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", f"{name}.key", "-out", f"{name}.csr",
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", f"{name}.crt",
        )  # fmt: skip
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"


class Shipped(Broker):
    """mosquitto with the configuration under deploy/, other paths and another port."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        acl, text = folder / "lineside.acl", (DEPLOY / "mosquitto.conf").read_text()
        shutil.copy(DEPLOY / "lineside.acl", acl)
        acl.chmod(0o600)
        adapted = (
            text.replace("/etc/mosquitto/certs", str(folder))
            .replace("/etc/mosquitto/lineside.acl", str(acl))
            .replace("/var/lib/mosquitto/", f"{folder}/")
            .replace("listener 8883", f"listener {self.port} 127.0.0.1")
        )
        assert "/etc/" not in adapted.replace("under /etc/", "")
        self._config.write_text(f"user {getpass.getuser()}\n{adapted}")


class Somebody:
    """A client with a certificate; knows what it was told and what it was refused."""

    def __init__(self, port: int, ca: Path, files: tuple[Path, Path], client_id: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._codes: dict[int, int] = {}
        self._ready = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.tls_set(str(ca), str(files[0]), str(files[1]))
        self._client.on_connect = lambda *_: self._ready.set()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _u, m: self.heard.append((m.topic, m.payload))
        self._client.on_publish = lambda _c, _u, mid, code, _p: self._codes.update(
            {mid: code.value}
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(WAIT_S)

    def publish(self, topic: str, payload: bytes = b"x") -> int:
        """The reason code of its PUBACK."""
        mid = self._client.publish(topic, payload, qos=1).mid
        until(lambda: mid in self._codes)
        return self._codes[mid]

    def subscribe(self, topic: str) -> None:
        self._ready.clear()
        self._client.subscribe(topic, qos=1)
        assert self._ready.wait(WAIT_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def plant(tmp_path, stack):
    """A function that gives somebody of this common name, connected to the broker."""
    folder = tmp_path / "broker"
    broker = Shipped(folder)
    authority = Authority(folder)
    authority.sign("broker", "127.0.0.1")
    stack.callback(broker.kill)
    broker.start()

    def connect(common_name: str, client_id: str = "") -> Somebody:
        name = re.sub(r"\W", "-", common_name)
        somebody = Somebody(
            broker.port, folder / "ca.crt", authority.sign(name, common_name), client_id or name
        )
        return stack.enter_context(closing(somebody))

    connect.port, connect.folder, connect.authority = broker.port, folder, authority
    return connect


def test_a_station_writes_its_own_leaves_and_nothing_else(plant):
    station = plant(OURS)
    for leaf in ("events", "telemetry", "status", "resp"):
        assert station.publish(f"v1/{OURS}/{leaf}") in OK, leaf
    for topic in (
        *(f"v1/{OTHERS}/{leaf}" for leaf in ("events", "telemetry", "status", "resp", "ack")),
        f"v1/{OURS}/ack", f"v1/{OURS}/cmd/replay", f"v1/{OURS}/cmd/acknowledge",
        f"v1/{OURS}/state", f"v1/{OURS}/events/more", "v1/acme/plant1/line2/cam01/other/events",
        f"v2/{OURS}/events", "events", "$SYS/x",
    ):  # fmt: skip
        assert station.publish(topic) == DENIED, topic


def test_a_station_hears_what_is_for_it_alone(plant):
    station, other, collector = plant(OURS), plant(OTHERS), plant("collector")
    station.subscribe("#")
    for leaf in ("ack", "cmd/replay"):
        for path in (OURS, OTHERS):
            assert collector.publish(f"v1/{path}/{leaf}", path.encode()) in OK
    assert other.publish(f"v1/{OTHERS}/events") in OK
    until(lambda: len(station.heard) >= 2)
    assert sorted(station.heard) == [
        (f"v1/{OURS}/ack", OURS.encode()),
        (f"v1/{OURS}/cmd/replay", OURS.encode()),
    ]


def test_a_collector_hears_all_and_writes_receipts_and_requests_only(plant):
    station, other, collector = plant(OURS), plant(OTHERS), plant("collector")
    collector.subscribe("$share/lineside/v1/+/+/+/+/+/events")
    collector.subscribe("$share/lineside/v1/+/+/+/+/+/resp")
    for who, path in ((station, OURS), (other, OTHERS)):
        for leaf in ("events", "resp"):
            assert who.publish(f"v1/{path}/{leaf}") in OK
    until(lambda: len(collector.heard) == 4)
    for topic in (
        f"v1/{OURS}/events", f"v1/{OURS}/status", f"v1/{OURS}/resp",
        f"v1/{OURS}/cmd/acknowledge", f"v1/{OURS}/cmd/update", "v1/x/ack",
    ):  # fmt: skip
        assert collector.publish(topic) == DENIED, topic


def test_a_control_room_may_acknowledge_and_no_more(plant):
    room = plant("control-room")
    assert room.publish(f"v1/{OURS}/cmd/acknowledge") in OK
    for leaf in ("cmd/replay", "ack", "events"):
        assert room.publish(f"v1/{OURS}/{leaf}") == DENIED


@pytest.mark.parametrize("name", ["nobody", "+/+/+/+/+", "#", "acme/plant1/line2/cam01"])
def test_other_names_may_write_nothing_of_a_stations(plant, name):
    somebody = plant(name, client_id="somebody")
    assert somebody.publish(f"v1/{OURS}/events") == DENIED
    assert somebody.publish(f"v1/{OURS}/ack") == DENIED


def test_without_a_certificate_of_the_authority_nobody_gets_in(plant, tmp_path):
    (tmp_path / "foreign").mkdir()
    crt, key = Authority(tmp_path / "foreign").sign("station", OURS)
    context = ssl.create_default_context(cafile=plant.folder / "ca.crt")
    assert answered(plant.port, context) is False, "no certificate"
    context.load_cert_chain(crt, key)
    assert answered(plant.port, context) is False, "one of another authority"
    assert answered(plant.port, None) is False, "no TLS"
    context.load_cert_chain(*plant.authority.sign("station", OURS))
    assert answered(plant.port, context) is True


def answered(port: int, context: ssl.SSLContext | None) -> bool:
    """Whether a CONNECT is answered at all."""
    connect = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc"
    with ExitStack() as opened, suppress(OSError):
        link = opened.enter_context(socket.create_connection(("127.0.0.1", port), WAIT_S))
        if context is not None:
            link = opened.enter_context(context.wrap_socket(link, server_hostname="127.0.0.1"))
        link.sendall(connect)
        return link.recv(100)[:1] == b"\x20"
    return False


def test_a_real_collector_works_through_it(plant, tmp_path, stack):
    crt, key = plant.authority.sign("collector", "collector")
    settings = Settings(
        BrokerSettings(
            host="127.0.0.1", port=plant.port, tls=True, ca_file=plant.folder / "ca.crt",
            cert_file=crt, key_file=key,
        ),
        CollectorSettings(name="c1", gap_patience_s=0.3),
    )  # fmt: skip
    archive = open_archive(f"sqlite:///{tmp_path / 'a.db'}", patience_s=0.3)
    collector = Collector(archive, settings, SystemClock())
    collector.start()
    stack.callback(collector.stop)
    until(lambda: collector.state()["online"])
    station = plant(OURS)
    station.subscribe(f"v1/{OURS}/#")
    assert STATION.topic("events") == f"v1/{OURS}/events"
    sent = b"[" + b",".join(event(n).encode() for n in (1, 2, 4)) + b"]"
    assert station.publish(STATION.topic("events"), sent) == 0
    until(lambda: (f"v1/{OURS}/cmd/replay", b'{"args":{"e1":[[3,3]]}}') in station.heard)
    receipts = [decode_receipt(text) for topic, text in station.heard if topic.endswith("/ack")]
    assert receipts == [{EPOCH: [(1, 2), (4, 4)]}]
    assert collector.state()["reason"] == ""
