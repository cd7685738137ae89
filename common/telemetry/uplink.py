"""The outbox leaves over MQTT 5, beside the station: it can fail, it can never stop it.

One thread connects, has the sender publish while the connection stands, and comes back
with full jitter when it breaks. `state()` says how it fares, in words for a screen.
"""

import logging
import sqlite3
import threading
import time

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.errors import LinesideError
from common.store import Store
from common.telemetry.back_off import BackOff
from common.telemetry.drain import Drain, SinkState, sink_state
from common.telemetry.mqtt_client import (
    MESSAGE_TO_BLAME,
    UplinkSettings,
    explain,
    greet,
    hang_up,
    make_client,
    publish_status,
    refusal,
)
from common.telemetry.outbox import MQTT
from common.telemetry.sender import NoLongerFits, Sender
from common.telemetry.topics import Identity

STABLE_S = 10.0
"""A connection that lasted so long was a good one: the next back-off starts anew."""
RESCAN_S = 10.0
"""How often an idle uplink looks through the outbox from the front, e.g. for the revived."""
LOOK_S = 1.0
"""Between readings of the backlog."""
POLL_S = 0.05
"""Between looks for something new to send."""
FAREWELL_S = 2.0
log = logging.getLogger("lineside.telemetry")


class Uplink:
    """One station's connection to its broker; raises ConfigError for unusable TLS files.

    Its timers run on the process's own time: a network does not follow a held clock.
    """

    def __init__(self, store: Store, identity: Identity, settings: UplinkSettings) -> None:
        self._identity, self._settings, self._clock = identity, settings, store.clock
        self._drain = Drain(store, MQTT)
        self._sender = Sender(self._drain, identity, settings)
        self._client, self._clean_start = self._new_client(), False
        self._connected_at: float | None = None
        self._lost_because, self._blamed = "", 0
        self._back_off = BackOff(settings.back_off_base_s, settings.back_off_cap_s)
        self._look_at = self._rescan_at = 0.0
        self._state = SinkState(
            online=False, since=self._clock.wall(), reason="connecting",
            queued=0, oldest_age_s=None, dead=0, sent=0,
        )  # fmt: skip
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Begin to connect and send, in a thread of its own."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Say goodbye and end the thread; to be called before the store is closed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def state(self) -> SinkState:
        """How the uplink fares; at most a second or so old."""
        return self._state

    def _new_client(self) -> Client:
        client = make_client(self._identity.client_id, self._settings)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
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

    def _once(self) -> None:
        self._connected_at = None
        reason = self._attempt()
        if self._blamed in MESSAGE_TO_BLAME:
            self._renew(self._blamed)
        if self._connected_at and time.monotonic() - self._connected_at >= STABLE_S:
            self._back_off.reset()
        self._say(online=False, reason=reason)
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
        self._lost_because, self._blamed = "", 0
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
                self._turn(now)
        if self._connected_at is not None:
            self._farewell()
        return "stopped"

    def _turn(self, now: float) -> None:
        if not self._state.online:
            # Only here, after paho has sent again what was under way: the newest status
            # is the last one.
            self._say(online=True, reason="")
            self._status(online=True)
        self._drain.settle(now)
        self._sender.pump(self._client, now)
        self._look(now)
        if self._drain.idle and self._state.queued and now >= self._rescan_at:
            self._drain.restart(live_lane=True)
            self._rescan_at = now + RESCAN_S

    def _status(self, *, online: bool) -> MQTTMessageInfo:
        wall = self._clock.wall()
        return publish_status(self._client, self._identity, online=online, wall_time=wall)

    def _wait(self, delay_s: float) -> None:
        end = time.monotonic() + delay_s
        while (left := end - time.monotonic()) > 0 and not self._stopping.wait(
            min(left, LOOK_S)
        ):
            self._drain.settle(time.monotonic())
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        self._say(online=self._state.online, reason=self._state.reason)

    def _say(self, *, online: bool, reason: str) -> None:
        try:
            self._drain.look()
        except (sqlite3.Error, LinesideError) as error:
            log.warning("uplink: the backlog cannot be read: %s", error)
        old = self._state
        if online != old.online or (reason != old.reason and not online):
            log.info("uplink %s %s", "online" if online else "offline", reason)
        since = old.since if online == old.online else self._clock.wall()
        text = self._sender.trouble if online else reason
        self._state = sink_state(
            self._clock, self._drain, online=online, since=since, reason=text
        )

    def _farewell(self) -> None:
        """Settle what is under way, and tell others that the station went by intent."""
        info = self._status(online=False)
        end = time.monotonic() + FAREWELL_S
        while time.monotonic() < end and (self._sender.under_way or not info.is_published()):
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
        self._sender.begin(properties, time.monotonic())
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
            self._lost_because = "it closed the connection without an answer (TLS? MQTT 5?)"

    def _on_publish(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        code: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._sender.answered(mid, code, time.monotonic())
