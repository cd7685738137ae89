"""The outbox leaves over MQTT 5, beside the station: it can fail, it can never stop it.

One thread connects, has the sender publish and the inbox listen while the connection
stands, and comes back with full jitter when it breaks. `state()` says how it fares, in words
for a screen.
"""

import logging
import threading
import time

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import LogLevel, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.errors import LinesideError
from common.store import Store
from common.telemetry.back_off import BackOff
from common.telemetry.drain import Drain, SinkState
from common.telemetry.inbox import Inbox
from common.telemetry.mqtt_client import (
    RECEIPT,
    UplinkSettings,
    acknowledge_quickly,
    greet,
    hang_up,
    make_client,
    status_notice,
)
from common.telemetry.mqtt_reasons import MESSAGE_TO_BLAME, explain, refusal, unanswered
from common.telemetry.outbox import MQTT
from common.telemetry.remote_desk import OnCommand, RemoteDesk
from common.telemetry.sender import NoLongerFits, Sender
from common.telemetry.standing import LOOK_S, Standing
from common.telemetry.topics import Identity

STABLE_S = 10.0
"""A connection that lasted so long was a good one: the next back-off starts anew."""
RESCAN_S = 10.0
"""How often an idle uplink looks through the outbox from the front, e.g. for the revived."""
POLL_S = 0.05
"""Between looks for something new to send."""
FAREWELL_S = 2.0
log = logging.getLogger("lineside.telemetry")


class Uplink:
    """One station's connection to its broker; raises ConfigError for unusable TLS or key files.

    Commands from afar that the settings allow go to `on_command`. The timers run on the
    process's own time: a network does not follow a held clock.
    """

    def __init__(
        self,
        store: Store,
        identity: Identity,
        settings: UplinkSettings,
        on_command: OnCommand | None = None,
    ) -> None:
        self._identity, self._settings, self._clock = identity, settings, store.clock
        self._drain = Drain(store, MQTT)
        self._sender = Sender(self._drain, identity, settings)
        self._desk = RemoteDesk(store, settings.commands, on_command)
        receipts = settings.durable_on == RECEIPT
        self._inbox = Inbox(identity, self._sender, self._desk, receipts=receipts)
        self._client, self._clean_start = self._new_client(), False
        self._connected_at: float | None = None
        self._lost_because, self._blamed, self._logged = "", 0, ""
        self._back_off = BackOff(settings.back_off_base_s, settings.back_off_cap_s)
        self._rescan_at = 0.0
        self._standing = Standing(self._clock, self._drain, self._sender, self._inbox)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Begin to connect and send, in a thread of its own."""
        self._desk.start()
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Say goodbye and end the thread; to be called before the store is closed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            self._desk.stop()

    def state(self) -> SinkState:
        """How the uplink fares; at most a second or so old."""
        return self._standing.state

    def _new_client(self) -> Client:
        client = make_client(self._identity.client_id, self._settings)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _client, _data, mid, code, _properties: (
            self._sender.answered(mid, code, time.monotonic())
        )
        client.on_subscribe = lambda _client, _data, mid, codes, _properties: (
            self._inbox.granted(mid, codes)
        )
        client.on_message = lambda _client, _data, message: self._inbox.take(message)
        return client

    # The thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._once()
            except Exception:  # whatever it is, the station goes on and so do we
                log.exception("uplink: a bug; going on")
                self._stopping.wait(LOOK_S)
        self._drain.close()
        self._client.reinitialise()  # the only way to close the sockets paho wakes itself by

    def _once(self) -> None:
        self._connected_at = None
        reason = self._attempt()
        if self._blamed in MESSAGE_TO_BLAME:
            self._renew(self._blamed)
        if self._connected_at and time.monotonic() - self._connected_at >= STABLE_S:
            self._back_off.reset()
        self._standing.say(online=False, reason=reason)
        self._wait(self._back_off.next())

    def _attempt(self) -> str:
        """Connect, serve until the connection ends, and say why it did."""
        where = f"broker {self._settings.host}:{self._settings.port}"
        try:
            return f"{where}: {self._session()}"
        except NoLongerFits as error:
            self._renew(None)
            return f"{where}: {error}"
        except LinesideError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - said in the state; the station goes on
            return f"{where}: {explain(error)}"
        finally:
            hang_up(self._client, by_intent=self._stopping.is_set())

    def _session(self) -> str:
        self._lost_because, self._blamed, self._logged = "", 0, ""
        self._client.on_log = self._on_log
        greet(self._client, self._identity, self._settings, clean_start=self._clean_start)
        deadline = time.monotonic() + self._settings.connect_timeout_s
        while not self._stopping.is_set():
            if self._client.loop(POLL_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return self._lost_because or "connection lost"
            now = time.monotonic()
            if self._connected_at is None:
                if now > deadline:
                    return "it takes the connection, but does not answer"
            elif self._sender.overdue(now):
                return f"no acknowledgement for {self._settings.ack_timeout_s:g} s"
            else:
                acknowledge_quickly(self._client)
                self._turn(now)
        if self._connected_at is not None:
            self._farewell()
        return "stopped"

    def _turn(self, now: float) -> None:
        if not self._standing.state.online:
            # Only here, after paho has sent again what was under way: the newest status
            # is the last one.
            self._standing.say(online=True)
            self._status(online=True)
        self._inbox.hand_over()
        self._drain.settle(now)
        self._sender.pump(self._client, now)
        self._standing.look(now)
        if self._drain.idle and self._standing.state.queued and now >= self._rescan_at:
            self._drain.restart(live_lane=True)
            self._rescan_at = now + RESCAN_S

    def _status(self, *, online: bool) -> None:
        wall_time = self._clock.wall()
        self._sender.notices.add(
            status_notice(self._identity, online=online, wall_time=wall_time)
        )

    def _wait(self, delay_s: float) -> None:
        end = time.monotonic() + delay_s
        while (left := end - time.monotonic()) > 0 and not self._stopping.wait(
            min(left, LOOK_S)
        ):
            self._drain.settle(time.monotonic())
            self._standing.look(time.monotonic())

    def _farewell(self) -> None:
        """Settle what is under way, and tell others that the station went by intent."""
        self._status(online=False)
        end = time.monotonic() + FAREWELL_S
        while time.monotonic() < end and not self._sender.quiet:
            self._sender.post(self._client)
            if self._client.loop(POLL_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        self._drain.settle(time.monotonic())

    def _renew(self, code: int | None) -> None:
        """Begin with a new client and a new session: the old one holds what cannot be sent."""
        self._sender.ground(code)
        hang_up(self._client, by_intent=False)
        self._client, self._clean_start = self._new_client(), True

    # paho's callbacks; they run in our thread, inside loop().

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._lost_because = refusal(code)
            return
        self._client.on_log = None  # from now on it would only cost time
        self._sender.begin(properties, time.monotonic())
        self._inbox.subscribe(self._client)
        self._clean_start, self._connected_at = False, time.monotonic()

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._lost_because:  # a refusal has been explained already
            return
        if flags.is_disconnect_packet_from_server:
            self._lost_because = refusal(code)
            self._blamed = code.value
        elif self._connected_at is None:
            self._lost_because = unanswered(self._logged, tls=self._settings.tls)

    def _on_log(self, _client: Client, _userdata: object, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:  # where paho keeps why a connection broke
            self._logged = text
