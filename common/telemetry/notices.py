"""The station's own messages: its status, and answers to commands from afar.

One is under way at a time, so that with what the broker takes at once in view (its Receive
Maximum) a place kept for it is enough.
"""

import logging
from collections import deque
from dataclasses import dataclass

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

MOST = 100
log = logging.getLogger("lineside.telemetry")


@dataclass(frozen=True, slots=True)
class Notice:
    """One message, QoS 1."""

    topic: str
    body: bytes
    properties: Properties
    retain: bool = False


class Notices:
    """Waiting ones in order; the oldest go when nobody has taken a hundred."""

    def __init__(self) -> None:
        self._waiting: deque[Notice] = deque(maxlen=MOST)
        self._under_way: tuple[int, Notice] | None = None
        self.most_bytes = 0
        """Of a body that the broker takes; 0 before there is one."""

    def add(self, notice: Notice) -> None:
        """To be sent when there is a place."""
        self._waiting.append(notice)

    @property
    def under_way(self) -> int:
        """How many places are taken: none or one."""
        return int(self._under_way is not None)

    @property
    def quiet(self) -> bool:
        """Whether all has been sent and answered."""
        return not self._waiting and self._under_way is None

    def send(self, client: Client) -> None:
        """Send the next one that the broker takes, if none is under way."""
        while self._waiting and 0 < self.most_bytes < (size := len(self._waiting[0].body)):
            left_out = self._waiting.popleft().topic
            log.warning(
                "uplink: %s: %d bytes, the broker takes %d: not sent",
                left_out, size, self.most_bytes,
            )  # fmt: skip
        if self._under_way is not None or not self._waiting:
            return
        notice = self._waiting[0]
        info = client.publish(
            notice.topic, notice.body, qos=1, retain=notice.retain, properties=notice.properties
        )
        if info.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # else no packet id is free
            self._under_way = (info.mid, self._waiting.popleft())

    def answered(self, mid: int, code: ReasonCode) -> bool:
        """Whether the PUBACK of `mid` is ours; a refusal is logged, nothing hangs on it."""
        if self._under_way is None or self._under_way[0] != mid:
            return False
        if code.value >= 0x80:
            log.warning("uplink: the broker refuses %s (%s)", self._under_way[1].topic, code)
        self._under_way = None
        return True

    def ground(self) -> None:
        """The client is replaced by another: what it had is sent by that one."""
        if self._under_way is not None:
            self._waiting.appendleft(self._under_way[1])
            self._under_way = None
