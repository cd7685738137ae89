"""Wearables over MQTT 5: JSON messages on one topic per device, handed on as they come.

    vitals/<device>

The device is named by the topic, which the broker's access rules can guard.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from common.config import setting
from common.telemetry.mqtt_client import connection_of, listens, load_secrets, make_client

Take = Callable[[str, bytes], None]
"""Takes the device's name and its message; never raises."""


@dataclass(frozen=True)
class VitalsMqttSettings:
    """Which broker, and which topics are wearables'."""

    host: str = setting("127.0.0.1")
    port: int = setting(1883, low=1, high=65_535)
    topic: str = setting("vitals/+")
    """One + stands for the device's name."""
    tls: bool = setting(default=False)
    ca_file: Path | None = setting(None)
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    user: str = setting("")
    password_file: Path | None = setting(None)
    keepalive_s: int = setting(15, low=1, high=3600, unit="s")
    reconnect_max_s: int = setting(10, low=1, high=3600, unit="s")

    def __post_init__(self) -> None:
        if self.topic.split("/").count("+") != 1 or "#" in self.topic:
            raise ValueError("topic needs exactly one level + for the device, and no #")
        connection_of(self)  # the uplink's rules between keys are ours


class VitalsMqtt:
    """A subscriber that connects, and reconnects, by itself."""

    def __init__(self, settings: VitalsMqttSettings, take: Take) -> None:
        self.name = f"wearables' broker {settings.host}:{settings.port}"
        self._wrong = "not connected yet"
        self._settings, self._take = settings, take
        self._level = settings.topic.split("/").index("+")
        self._client = self._made()
        self._client.connect_async(settings.host, settings.port, settings.keepalive_s)
        self._client.loop_start()

    @property
    def wrong(self) -> str:
        """Why nothing is heard; empty while it is."""
        return self._wrong if listens(self._client) else "the listener has ended"

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _made(self) -> Client:
        connection = connection_of(self._settings)
        # An id of its own for each process: two gateways must not push each other out.
        name = f"lineside-vitals-{os.getpid()}-{id(self):x}"
        client = make_client(name, connection, reconnects=True)
        client.reconnect_delay_set(1, self._settings.reconnect_max_s)
        load_secrets(client, connection)
        client.on_connect = self._connected
        client.on_connect_fail = lambda *_: self._away("the broker does not answer")
        client.on_disconnect = lambda *_: self._away("the connection is lost")
        client.on_message = self._came
        return client

    def _away(self, why: str) -> None:
        self._wrong = why

    def _connected(self, client: Client, _user: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            self._away(f"the broker refuses us: {reason}")
            return
        client.subscribe(self._settings.topic, qos=1)
        self._away("")

    def _came(self, _client: Client, _user: Any, message: MQTTMessage) -> None:
        self._take(message.topic.split("/")[self._level], bytes(message.payload))
