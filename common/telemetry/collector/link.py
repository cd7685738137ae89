"""A collector's connection to its broker: it can break, and it comes back.

MQTT 5 with a session that outlives the connection. A message is acknowledged when it is in
the database, so the broker keeps what we have not kept, and its window (Receive Maximum)
holds back what we cannot take. All of paho runs in one thread, which others wake.
"""

import logging
import os
import select
import threading
import time
from contextlib import suppress

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.errors import LinesideError
from common.ports import Clock
from common.telemetry.back_off import BackOff
from common.telemetry.collector.checks import Arrival
from common.telemetry.collector.inbox import Delivery, Inbox, Token
from common.telemetry.collector.outgoing import Outgoing
from common.telemetry.collector.replay import MARK, Message
from common.telemetry.collector.settings import RESPONSE, BrokerSettings, CollectorSettings
from common.telemetry.mqtt_client import hang_up, load_secrets, make_client
from common.telemetry.mqtt_reasons import explain, refusal

POLL_S = 0.2
STABLE_S = 10.0
"""A connection that lasted so long was a good one: the next back-off starts anew."""
FAREWELL_S = 5.0
SHARED_UNKNOWN = 0x9E
log = logging.getLogger("lineside.collector")


class Link:
    """Brings messages to an inbox, takes acknowledgements and messages out."""

    def __init__(
        self, broker: BrokerSettings, settings: CollectorSettings, inbox: Inbox, clock: Clock
    ) -> None:
        self._broker, self._settings, self._inbox, self._clock = broker, settings, inbox, clock
        self._client = self._new_client()
        self._connection = 0
        self._connected_at: float | None = None
        self._refused = ""
        self._outgoing = Outgoing()
        self._back_off = BackOff(broker.back_off_base_s, broker.back_off_cap_s)
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self.online, self.reason = False, "connecting"

    @property
    def trouble(self) -> str:
        """What the broker refuses of ours or does not answer; "" where it takes all."""
        return self._outgoing.trouble

    def start(self) -> None:
        """Begin to connect, in a thread of its own."""
        self._thread.start()

    def send(self, messages: list[Message], tokens: list[Token]) -> None:
        """Publish, then acknowledge, in this order; from any thread."""
        self._outgoing.add([*messages, *tokens])
        self._wake()

    def stop(self) -> None:
        """Send what there is to be sent, say goodbye, end the thread; also a second time."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(2 * FAREWELL_S)
        if self._waker >= 0 and not self._thread.is_alive():
            woken, waker, self._woken, self._waker = self._woken, self._waker, -1, -1
            os.close(woken)
            os.close(waker)

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake
            os.write(self._waker, b"\0")

    def _new_client(self) -> Client:
        client = make_client(self._settings.client_id, self._broker.as_uplink())
        client.manual_ack_set(True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    # The thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._once()
            except Exception:  # whatever it is, the collector goes on
                log.exception("link: a bug; going on")
                self._stopping.wait(1.0)

    def _once(self) -> None:
        if self._inbox.full:  # a database that is away must not make us hold ever more
            self._stopping.wait(POLL_S)
            return
        reason = self._attempt()
        lasted = self._connected_at and time.monotonic() - self._connected_at >= STABLE_S
        self._connected_at = None
        if lasted:
            self._back_off.reset()
        self._say(online=False, reason=reason)
        self._stopping.wait(self._back_off.next())

    def _attempt(self) -> str:
        where = f"broker {self._broker.host}:{self._broker.port}"
        try:
            return f"{where}: {self._session()}"
        except LinesideError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - said in the state; the collector goes on
            return f"{where}: {_ours(explain(error))}"
        finally:
            hang_up(self._client, by_intent=True)

    def _session(self) -> str:
        self._refused = ""
        self._greet()
        poll = select.poll()
        sock = self._client.socket()
        if sock is None:
            return "connection lost"
        poll.register(self._woken, select.POLLIN)
        deadline = time.monotonic() + self._broker.connect_timeout_s
        while not self._stopping.is_set():
            if not self._turn(poll, sock):
                return self._refused or "connection lost"
            if self._refused:
                return self._refused
            now = time.monotonic()
            if not self.online and now > deadline:
                return "it takes the connection, but does not answer"
            if silence := self._outgoing.silence(now):
                return silence
        self._farewell(poll, sock)
        return "stopped"

    def _greet(self) -> None:
        load_secrets(self._client, self._broker.as_uplink())
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.SessionExpiryInterval = self._settings.session_expiry_s
        connect.ReceiveMaximum = self._settings.receive_maximum
        self._client.connect(
            self._broker.host, self._broker.port, self._broker.keepalive_s,
            clean_start=False, properties=connect,
        )  # fmt: skip

    def _turn(self, poll: "select.poll", sock: object) -> bool:
        """Wait for work on either side and do it; False when the connection is gone."""
        client = self._client
        if self.online:
            self._outgoing.pump(client, self._connection, time.monotonic())
        poll.register(
            sock,  # type: ignore[arg-type]
            select.POLLIN | (select.POLLOUT if client.want_write() else 0),
        )
        decrypted = getattr(sock, "pending", int)()  # TLS holds bytes that no poll sees
        ready = dict(poll.poll(0 if decrypted else POLL_S * 1000))
        if self._woken in ready:
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)
        rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        if decrypted or any(fd != self._woken for fd in ready):
            rc = client.loop_read()
        if rc == MQTTErrorCode.MQTT_ERR_SUCCESS and client.want_write():
            rc = client.loop_write()
        return rc == client.loop_misc() == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _farewell(self, poll: "select.poll", sock: object) -> None:
        end = time.monotonic() + FAREWELL_S
        while self.online and not self._outgoing.quiet and time.monotonic() < end:
            if not self._turn(poll, sock):
                return

    def _say(self, *, online: bool, reason: str) -> None:
        if online != self.online or reason != self.reason:
            log.info("link %s %s", "online" if online else "offline", reason)
        self.online, self.reason = online, reason

    # paho's callbacks; they run in our thread.

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._refused = _ours(refusal(code))
            return
        self._connection += 1
        self._connected_at = time.monotonic()
        if flags.session_present:
            self._inbox.forget_acknowledgeable()
        self._outgoing.begin(properties, self._connected_at)
        client.subscribe([(name, 1) for name in self._settings.filters])

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [code for code in codes if code.is_failure]
        if not refused:
            self._say(online=True, reason="")
        elif refused[0].value == SHARED_UNKNOWN:
            self._refused = 'it knows no shared subscriptions: set collector.group = ""'
        else:
            self._refused = f"it refuses the subscription ({refused[0]}): look at its ACL"

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._refused:
            return
        if flags.is_disconnect_packet_from_server:
            self._refused = _ours(refusal(code))
        elif self._connected_at is None:
            self._refused = "it closed the connection without an answer (TLS? MQTT 5?)"

    def _on_message(self, client: Client, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(not UTF-8)"
        properties = message.properties
        if (
            topic.endswith("/" + RESPONSE)
            and getattr(properties, "CorrelationData", b"") != MARK
        ):
            client.ack(message.mid, message.qos)  # an answer to somebody else
            return
        told = dict(getattr(properties, "UserProperty", []))
        arrival = Arrival(
            topic, bytes(message.payload), told.get("content-encoding", ""),
            message.retain or told.get("historical") == "true", self._clock.wall(),
        )  # fmt: skip
        token = Token(self._connection, message.mid) if message.qos else None
        self._inbox.put(Delivery(arrival, token))

    def _on_publish(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        code: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._outgoing.answered(mid, code)


def _ours(said: str) -> str:
    """The words for what a broker does to a station, said of a collector."""
    return said.replace("station", "collector")
