"""A broker, a station made by hand, and events: what the collector's tests share."""

import getpass
import json
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from common.telemetry.collector.archive import parse_url
from common.telemetry.collector.checks import Arrival
from common.telemetry.collector.rows import EventRow
from common.telemetry.event import BATCH_TYPE, Encoded, Event, encode_batch, iso_time
from common.telemetry.ranges import Range, merged
from common.telemetry.receipt import decode_receipt
from common.telemetry.topics import Identity

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
NO_MOSQUITTO = "mosquitto is not installed"
WAIT_S = 30.0
STATION = Identity("acme", "plant1", "line2", "cam01", "inspection")
NOW = 1_767_225_600.0
EPOCH = "e1"


NO_THREE = {
    "sqlite": (
        "CREATE TRIGGER no_three BEFORE INSERT ON events WHEN new.sequence = 3"
        " BEGIN SELECT RAISE(ABORT, 'no three'); END",
        "DROP TRIGGER no_three",
    ),
    "postgresql": (
        "ALTER TABLE events ADD CONSTRAINT no_three CHECK (sequence <> 3)",
        "ALTER TABLE events DROP CONSTRAINT no_three",
    ),
}
"""By kind of database: how to make it refuse event 3, and how to end that."""


def until(condition: Callable[[], Any], seconds: float = WAIT_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def event(sequence: int, epoch: str = EPOCH, station: Identity = STATION, **more: Any) -> Event:
    facts = {
        "type": "lineside.test.v1",
        "subject": f"part/{sequence}",
        "time": NOW,
        "recorded_time": NOW + 0.02,
        "boot_id": "b-1",
        "clock_quality": "ntp",
        "data": {"n": sequence},
    }
    return Event(epoch=epoch, sequence=sequence, source=station.source, **{**facts, **more})


def body(events: Iterable[Event]) -> Encoded:
    return encode_batch([one.encode() for one in events])


def arrival(
    *events: Event | dict[str, Any], received: float = NOW + 0.1, **more: Any
) -> Arrival:
    """A message with these events; a dict stands for an event that is wrong."""
    values = [
        one.encode() if isinstance(one, Event) else json.dumps(one).encode() for one in events
    ]
    facts = {"topic": STATION.topic("events"), "historical": False, "received": received}
    return Arrival(**{"body": b"[" + b",".join(values) + b"]", "encoding": "", **facts, **more})


def raw(one: Event, **changes: Any) -> dict[str, Any]:
    """An event as JSON values, with some of them other; None takes one away."""
    values = {**json.loads(one.encode()), **changes}
    return {name: value for name, value in values.items() if value is not None}


def row(
    sequence: int, epoch: str = EPOCH, source: str = STATION.source, **more: Any
) -> EventRow:
    text = iso_time(NOW)
    plain = EventRow(
        source, epoch, sequence, "lineside.test.v1", f"part/{sequence}",
        text, text, text, text, "", "b-1", "ntp", f'{{"n":{sequence}}}',
    )  # fmt: skip
    return plain._replace(**more)


def query(url: str, statement: str) -> list[Any]:
    """What a statement gives from the archive at `url`; it may also change it."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(parse_url(url)[1])) as connection, connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


class Broker:
    """A real mosquitto on a port of its own; `extra` is added to its configuration."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true") -> None:
        folder.mkdir(exist_ok=True)
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\n"
            f"max_queued_messages 0\n{extra}\n"
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


class Station:
    """A station made by hand: sends batches, keeps receipts and commands."""

    def __init__(self, port: int, identity: Identity = STATION) -> None:
        self.identity = identity
        self.receipts: list[dict[str, list[Range]]] = []
        self.commands: list[MQTTMessage] = []
        self._subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=identity.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.max_inflight_messages = 20  # as many as mosquitto takes at once
        self._client.on_connect = lambda *_: self._client.subscribe(
            [(identity.topic("ack"), 1), (identity.topic("cmd/#"), 1)]
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _c, _u, message: self._take(message)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def _take(self, message: MQTTMessage) -> None:
        if message.topic == self.identity.topic("ack"):
            self.receipts.append(decode_receipt(message.payload))
        else:
            self.commands.append(message)

    def send(
        self, *events: Event, leaf: str = "events", backlog: bool = False, topic: str = ""
    ) -> None:
        self.publish(topic or self.identity.topic(leaf), body(events), backlog=backlog)

    def publish(self, topic: str, encoded: Encoded, *, backlog: bool = False) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = BATCH_TYPE
        if encoded.encoding:
            properties.UserProperty = ("content-encoding", encoded.encoding)
        if backlog:
            properties.UserProperty = ("historical", "true")
        self._client.publish(topic, encoded.body, qos=1, properties=properties)

    def answer(self, command: MQTTMessage, answer: dict[str, Any]) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = command.properties.CorrelationData
        topic = command.properties.ResponseTopic
        self._client.publish(topic, json.dumps(answer), qos=1, properties=properties)

    def receipted(self, epoch: str = EPOCH) -> list[Range]:
        return merged(one for receipt in list(self.receipts) for one in receipt.get(epoch, []))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
