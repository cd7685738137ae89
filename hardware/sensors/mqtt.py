"""Vibration records over MQTT 5: one topic per machine, binary or JSON (see payload.py).

    vibration/<asset>/record

The machine is named by the topic, which the broker's access rules can guard, never by the
payload.
"""

from dataclasses import dataclass
from pathlib import Path

from paho.mqtt.client import MQTTMessage

from common.config import setting
from common.ports import Clock, VibrationReading
from common.telemetry.mqtt_client import connection_of, listens
from hardware.sensors.payload import MOST_BYTES, broken, decode
from hardware.sensors.subscriber import left, subscribed
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
        if self.topic.split("/").count("+") != 1 or set("#$") & set(self.topic):
            raise ValueError("topic needs exactly one level + for the machine, and no # or $")
        connection_of(self)  # the uplink's rules between keys are ours


class MqttSource:
    """common.ports.VibrationSource over a broker; connects, and reconnects, by itself."""

    def __init__(self, settings: MqttSensorSettings, clock: Clock) -> None:
        del clock  # taken as every source takes it
        self.name = f"broker {settings.host}:{settings.port}"
        self._level = settings.topic.split("/").index("+")
        self._waiting = Waiting(self.name, settings.most_waiting)
        self._client = subscribed(
            "lineside-vibration", connection_of(settings), settings.topic, self._waiting.away,
            self._came, settings.reconnect_max_s,
        )  # fmt: skip

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
        left(self._client)

    def _came(self, message: MQTTMessage) -> None:
        asset = message.topic.split("/")[self._level]
        if len(message.payload) > MOST_BYTES:
            reading = broken(asset, f"{len(message.payload)} bytes; {MOST_BYTES} at most")
        else:
            reading = decode(asset, bytes(message.payload))
        self._waiting.put(reading)
