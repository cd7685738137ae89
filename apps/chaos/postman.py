"""Between broker and collector: delivers again what was delivered, late and in another order.

Batches and receipts alike: a true statement stays true however often and late it comes,
and both ends have to take it so.
"""

import random
import time
from collections import deque
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

KEPT = 200
"""Messages remembered; the oldest is forgotten."""
ROUND_S = 0.2
LEAVES = ("events", "telemetry", "ack")


class Postman:
    """Runs until its process is killed; comes back by itself when the broker does."""

    def __init__(self, port: int, seed: str) -> None:
        self._port, self._rng = port, random.Random(seed)  # noqa: S311 - to be repeated
        self._kept: deque[MQTTMessage] = deque(maxlen=KEPT)
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._keep

    def run(self) -> None:
        """Connect, keep, deliver again; for ever."""
        due = 0.0
        while True:
            if self._client.loop(0.05) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                time.sleep(0.05)
                with suppress(OSError):
                    self._client.connect("127.0.0.1", self._port)
            if time.monotonic() >= due:
                due = time.monotonic() + ROUND_S
                self._deliver_again()

    def _subscribe(self, *_: Any) -> None:
        # What it delivers itself must not come back to it, or it would never end.
        self._client.subscribe("v1/#", options=SubscribeOptions(qos=1, noLocal=True))

    def _keep(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if message.topic.rpartition("/")[2] in LEAVES:
            self._kept.append(message)

    def _deliver_again(self) -> None:
        chosen = self._rng.sample(list(self._kept), min(len(self._kept), 3))
        for message in chosen:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            for name in ("ContentType", "UserProperty"):
                if hasattr(message.properties, name):
                    setattr(properties, name, getattr(message.properties, name))
            self._client.publish(message.topic, message.payload, qos=1, properties=properties)


def run_postman(port: int, seed: str) -> None:
    """The body of the postman's process."""
    Postman(port, seed).run()
