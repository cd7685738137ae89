"""Vibration records over MQTT 5: one topic per machine, binary or JSON (see payload.py).

    vibration/<asset>/record

The machine is named by the topic, which the broker's access rules can guard, never by the
payload.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from common.config import setting
from common.ports import Clock, VibrationReading
from common.telemetry.mqtt_client import connection_of, listens, load_secrets, make_client
from hardware.sensors.payload import MOST_BYTES, broken, decode
from hardware.sensors.waiting import Waiting


@dataclass(frozen=True)
class MqttSensorSettings:
    """Which broker, and which topics are records."""

    host: str = setting("127.0.0.1")
    port: int = setting(1883, low=1, high=65_535)
    topic: str = setting("vibration/+/record")
    """One + stands for the machine's name."""
    tls: bool = setting(default=False)
    ca_file: Path | None = setting(None)
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    user: str = setting("")
    password_file: Path | None = setting(None)
    keepalive_s: int = setting(30, low=1, high=3600, unit="s")
    reconnect_max_s: int = setting(30, low=1, high=3600, unit="s")
    most_waiting: int = setting(500, low=1, high=100_000)
    """Records held until the loop fetches them; 3 axes × 25.6 kHz × 1 s are 0.3 MB."""

    def __post_init__(self) -> None:
        if self.topic.split("/").count("+") != 1 or "#" in self.topic:
            raise ValueError("topic needs exactly one level + for the machine, and no #")
        connection_of(self)  # the uplink's rules between keys are ours


class MqttSource:
    """common.ports.VibrationSource over a broker; connects, and reconnects, by itself."""

    def __init__(self, settings: MqttSensorSettings, clock: Clock) -> None:
        del clock  # taken as every source takes it
        self.name = f"broker {settings.host}:{settings.port}"
        self._settings, self._level = settings, settings.topic.split("/").index("+")
        self._waiting = Waiting(self.name, settings.most_waiting)
        self._client = self._made()
        self._client.connect_async(
            settings.host, settings.port, settings.keepalive_s, properties=_session()
        )
        self._client.loop_start()

    @property
    def dropped(self) -> int:
        """Records lost because nobody fetched them in time."""
        return self._waiting.dropped

    def poll(self, timeout_s: float) -> list[VibrationReading]:
        """What came; raises SensorError while the broker is away."""
        if not listens(self._client):
            self._waiting.away("the listener has ended")
        return self._waiting.fetch(timeout_s)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _made(self) -> Client:
        # An id of its own for each process: two stations must not push each other out.
        name = f"lineside-vibration-{os.getpid()}-{id(self):x}"
        client = make_client(name, connection_of(self._settings), reconnects=True)
        client.reconnect_delay_set(1, self._settings.reconnect_max_s)
        load_secrets(client, connection_of(self._settings))
        client.on_connect = self._connected
        client.on_connect_fail = lambda *_: self._waiting.away("the broker does not answer")
        client.on_disconnect = lambda *_: self._waiting.away("the connection is lost")
        client.on_message = self._came
        return client

    def _connected(self, client: Client, _user: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            self._waiting.away(f"the broker refuses us: {reason}")
            return
        client.subscribe(self._settings.topic, qos=1)
        self._waiting.away("")

    def _came(self, _client: Client, _user: Any, message: MQTTMessage) -> None:
        asset = message.topic.split("/")[self._level]
        if len(message.payload) > MOST_BYTES:
            reading = broken(asset, f"{len(message.payload)} bytes; {MOST_BYTES} at most")
        else:
            reading = decode(asset, bytes(message.payload))
        self._waiting.put(reading)


def _session() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = 100
    return properties
