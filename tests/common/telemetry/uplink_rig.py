"""A real broker, somebody who listens there, and a station's uplink: for tests over MQTT."""

import getpass
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from common.storage.queries import open_readonly
from common.store import Store
from common.telemetry import outbox_rows as rows
from common.telemetry.event import decode_batch
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.outbox import MQTT, Message, Outbox
from common.telemetry.remote_desk import OnCommand
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
NO_MOSQUITTO = "mosquitto is not installed"
WAIT_S = 15.0
SELF = Identity("acme", "plant1", "line2", "cam01", "inspection")
BASE = "v1/acme/plant1/line2/cam01/inspection"


class Broker:
    """A real mosquitto on a port of its own; `extra` is added to its configuration."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true") -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\n{extra}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(MOSQUITTO), "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(WAIT_S)
            self.process = None


class Listener:
    """A subscriber that keeps what arrives."""

    def __init__(self, port: int, topic: str = f"{BASE}/#", **auth: str) -> None:
        self.messages: list[MQTTMessage] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if auth:
            self._client.username_pw_set(**auth)
        self._client.on_connect = lambda *_: self._client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _c, _u, message: self.messages.append(message)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)
        self._subscribed.clear()

    def await_subscription(self) -> None:
        assert self._subscribed.wait(WAIT_S)

    def events(self, leaf: str = "events") -> list[int]:
        """Sequences of the events that arrived, in order of arrival."""
        found = []
        for message in list(self.messages):
            if message.topic == f"{BASE}/{leaf}":
                encoding = dict(getattr(message.properties, "UserProperty", []))
                batch = decode_batch(message.payload, encoding.get("content-encoding", ""))
                found += [event.sequence for event in batch]
        return found

    def statuses(self) -> list[dict[str, object]]:
        return [json.loads(m.payload) for m in self.messages if m.topic == f"{BASE}/status"]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def a_broker(folder: Path, stack: ExitStack, extra: str = "allow_anonymous true") -> Broker:
    broker = Broker(folder, extra)
    stack.callback(broker.kill)
    broker.start()
    return broker


def listen(broker: Broker, stack: ExitStack, **more: str) -> Listener:
    return stack.enter_context(closing(Listener(broker.port, **more)))


def send(
    store: Store,
    broker: Any,
    stack: ExitStack,
    *,
    on_command: OnCommand | None = None,
    **settings: Any,
) -> Uplink:
    """An uplink to whatever has a `port`; quick, and content with the broker's word."""
    facts = {"host": "127.0.0.1", "port": broker.port, "will_delay_s": 0}
    fast = {"back_off_base_s": 0.05, "back_off_cap_s": 0.2, "batch_rows": 40}
    chosen = {"durable_on": "puback", **facts, **fast, **settings}
    uplink = Uplink(store, SELF, UplinkSettings(**chosen), on_command)
    uplink.start()
    stack.callback(uplink.stop)
    return uplink


def tell(store: Store, count: int, of_class: str = "verdict", text: str = "") -> list[int]:
    outbox = Outbox(source=SELF.source, epoch="e", boot_id=store.boot_id, clock=store.clock)
    message = Message(of_class, "lineside.test.v1", "part/1", {"text": text}, 1.0)
    futures = [store.submit(lambda c: outbox.append(c, message)) for _ in range(count)]
    return [int(future.result(WAIT_S).rpartition("-")[2]) for future in futures]


def waiting(store: Store) -> rows.Backlog:
    with closing(open_readonly(store.path)) as connection:
        return rows.backlog(connection, MQTT)


def cut(uplink: Uplink) -> None:
    """A pulled cable, as the broker sees it: no DISCONNECT."""
    connection = uplink._client.socket()
    if isinstance(connection, socket.socket):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
