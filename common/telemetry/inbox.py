"""What comes to a station over MQTT: receipts, and commands from afar. Nothing else does.

Whoever can write to these topics can send anything, so nothing here raises: what is broken
is counted and told in a line now and then, and the station goes on.
"""

import logging
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from common.errors import LinesideError
from common.telemetry.mqtt_client import publish_properties
from common.telemetry.notices import Notice
from common.telemetry.receipt import decode_receipt
from common.telemetry.remote_desk import Call, RemoteDesk
from common.telemetry.sender import Sender
from common.telemetry.topics import Identity

COMPLAIN_S = 60.0
"""Between two lines on what was broken."""
MOST_CORRELATION_BYTES, MOST_TOPIC = 256, 500
log = logging.getLogger("lineside.telemetry")


class Inbox:
    """Passes receipts to the sender at once and commands to the desk."""

    def __init__(
        self, identity: Identity, sender: Sender, desk: RemoteDesk, *, receipts: bool
    ) -> None:
        self._sender, self._desk, self._receipts = sender, desk, receipts
        self._ack, self._resp = identity.topic("ack"), identity.topic("resp")
        self._commands = identity.topic("cmd/")
        self._broken, self._complain_at = 0, 0.0
        self._subscription = 0
        self.trouble = ""
        """Why nothing can arrive, where the broker refuses that."""

    @property
    def refused(self) -> int:
        """Receipts and commands that were not taken since the start."""
        return self._broken + self._desk.refused

    @property
    def topics(self) -> list[str]:
        """What the station listens to."""
        return [self._commands + "+", *([self._ack] if self._receipts else [])]

    def subscribe(self, client: Client) -> None:
        """Ask for both; at each connection, for the broker may have lost the session.

        Retained messages are left where they are: a command is for once.
        """
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        result, mid = client.subscribe([(topic, options) for topic in self.topics])
        self._subscription = mid or 0 if result == MQTTErrorCode.MQTT_ERR_SUCCESS else 0

    def granted(self, mid: int, codes: list[ReasonCode]) -> None:
        """The broker's answer to `subscribe`."""
        if mid != self._subscription:
            return
        self.trouble = next(
            (
                f"the broker refuses to let this station hear {topic}: {code}"
                for topic, code in zip(reversed(self.topics), reversed(codes), strict=False)
                if code.value >= 0x80
            ),
            "",
        )

    def take(self, message: MQTTMessage) -> None:
        """A message has come; never raises."""
        try:
            self._sort(message)
        except (LinesideError, ValueError) as error:
            self._complain(str(error))
        except Exception:
            log.exception("uplink: a bug in reading what came in; going on")
            self._complain("what came in could not be read")

    def _sort(self, message: MQTTMessage) -> None:
        if message.retain:
            raise ValueError("a retained message is no receipt and no command")
        if message.topic == self._ack:
            if self._receipts:
                self._sender.receipted(decode_receipt(bytes(message.payload)))
        elif message.topic.startswith(self._commands):
            self._desk.offer(self._call(message))
        else:
            raise ValueError("a message on a topic that was not asked for")

    def _call(self, message: MQTTMessage) -> Call:
        properties: Any = message.properties
        answer_to = getattr(properties, "ResponseTopic", "")
        correlation = bytes(getattr(properties, "CorrelationData", b""))
        ours = answer_to == self._resp or answer_to.startswith(self._resp + "/")
        unfit = len(answer_to) > MOST_TOPIC or any(c in answer_to for c in "+#\0")
        if answer_to and (not ours or unfit):
            raise ValueError(f"a command's Response Topic must be {self._resp} or below it")
        if len(correlation) > MOST_CORRELATION_BYTES:
            raise ValueError("a command's Correlation Data is too long")
        name = message.topic.removeprefix(self._commands)
        return Call(name, message.topic, bytes(message.payload), answer_to, correlation)

    def _complain(self, text: str) -> None:
        self._broken += 1
        now = time.monotonic()
        if now >= self._complain_at:
            self._complain_at = now + COMPLAIN_S
            log.warning("uplink: ignored: %s (%d so far)", text[:200], self._broken)

    def hand_over(self) -> None:
        """Pass on what the desk has made ready."""
        while self._desk.replays:
            self._sender.replay(self._desk.replays.popleft())
        while self._desk.answers:
            answer = self._desk.answers.popleft()
            properties = publish_properties("application/json", correlation=answer.correlation)
            self._sender.notices.add(Notice(answer.topic, answer.body, properties))
