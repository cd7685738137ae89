"""What goes back to the broker: receipts, requests, and after them the acknowledgements."""

import logging
from collections import deque
from collections.abc import Sequence

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.telemetry.collector.inbox import Token
from common.telemetry.collector.replay import Message

MOST_UNDER_WAY = 100
ACK_TIMEOUT_S = 60.0
"""A receipt unanswered for so long: the connection is taken for dead."""
REFUSED = 0x80
log = logging.getLogger("lineside.collector")


class Outgoing:
    """In order, and never more at once than the broker takes.

    `add` may be called from any thread, all else belongs to the link's. `now` is monotonic, s.
    """

    def __init__(self) -> None:
        self._waiting: deque[Message | Token] = deque()
        self._under_way: dict[int, float] = {}
        """Packet id → when it was sent, the oldest first."""
        self._window = MOST_UNDER_WAY
        self.trouble = ""
        """What the broker refuses of ours or does not answer; "" where it takes all."""

    def add(self, items: Sequence[Message | Token]) -> None:
        """To be sent when there is room."""
        self._waiting.extend(items)

    @property
    def quiet(self) -> bool:
        """Whether all is sent and answered."""
        return not self._waiting and not self._under_way

    def begin(self, properties: Properties | None, now: float) -> None:
        """A connection stands; its CONNACK says how many messages it takes at once.

        What is under way is sent again by paho.
        """
        self._under_way = dict.fromkeys(self._under_way, now)
        window = int(getattr(properties, "ReceiveMaximum", MOST_UNDER_WAY))
        self._window = max(1, min(window, MOST_UNDER_WAY))

    def silence(self, now: float) -> str:
        """Why the connection is taken for dead: the broker owes us an answer; "" if not."""
        if now - next(iter(self._under_way.values()), now) <= ACK_TIMEOUT_S:
            return ""
        self.trouble = f"the broker has acknowledged no receipt for {ACK_TIMEOUT_S:g} s"
        return self.trouble

    def pump(self, client: Client, connection: int, now: float) -> None:
        """Give paho what waits. A token of an older connection is void: its message comes
        again.
        """
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, Message):
                full = len(self._under_way) >= self._window
                if full or not self._publish(client, first, now):
                    return
            elif first.connection == connection:
                client.ack(first.mid, 1)
            self._waiting.popleft()

    def _publish(self, client: Client, message: Message, now: float) -> bool:
        info = client.publish(message.topic, message.body, qos=1, properties=message.properties)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # no packet id is free
            return False
        # Also when the connection just broke: paho sends it after the next CONNACK.
        self._under_way[info.mid] = now
        return True

    def answered(self, mid: int, code: ReasonCode) -> None:
        """The PUBACK of a message of ours. That nobody subscribes (0x10) is no refusal: the
        station is away, and will send again.
        """
        self._under_way.pop(mid, None)
        refused = code.value >= REFUSED
        trouble = f"the broker refuses receipts or requests ({code}): look at its ACL"
        if refused and not self.trouble:
            log.warning("link: %s", trouble)
        self.trouble = trouble if refused else ""
