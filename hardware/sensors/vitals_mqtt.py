"""Wearables over MQTT 5: JSON messages on one topic per device, handed on as they come.

    vitals/<device>

The device is named by the topic, which the broker's access rules can guard.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from paho.mqtt.client import MQTTMessage

from common.config import setting
from common.telemetry.mqtt_client import connection_of, listens
from hardware.sensors.subscriber import left, subscribed

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
        if self.topic.split("/").count("+") != 1 or set("#$") & set(self.topic):
            raise ValueError("topic needs exactly one level + for the device, and no # or $")
        connection_of(self)  # the uplink's rules between keys are ours


class VitalsMqtt:
    """A subscriber that connects, and reconnects, by itself."""

    def __init__(self, settings: VitalsMqttSettings, take: Take) -> None:
        self.name = f"wearables' broker {settings.host}:{settings.port}"
        self._wrong = "not connected yet"
        self._take, self._level = take, settings.topic.split("/").index("+")
        self._client = subscribed(
            "lineside-vitals", connection_of(settings), settings.topic, self._away,
            self._came, settings.reconnect_max_s,
        )  # fmt: skip

    @property
    def wrong(self) -> str:
        """Why nothing is heard; empty while it is."""
        return self._wrong if listens(self._client) else "the listener has ended"

    def close(self) -> None:
        """Leave the broker."""
        left(self._client)

    def _away(self, why: str) -> None:
        self._wrong = why

    def _came(self, message: MQTTMessage) -> None:
        self._take(message.topic.split("/")[self._level], bytes(message.payload))
