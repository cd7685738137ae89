"""An MQTT 5 client as the uplink needs it, and its settings."""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.canonical import canonical_json
from common.config import setting
from common.errors import ConfigError
from common.telemetry.event import iso_time
from common.telemetry.notices import Notice
from common.telemetry.receipt import MAX_BYTES
from common.telemetry.remote import CommandSettings
from common.telemetry.topics import Identity
from common.tls import LOCAL, check_files, client_context

PUBACK, RECEIPT = "puback", "receipt"
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it."""
INBOUND_AT_ONCE = 20
"""Messages to this station that the broker may have under way."""


@dataclass(frozen=True)
class UplinkSettings:
    """How to reach the broker, and how fast to send.

    Secrets stay in files: `password_file` holds the password alone.
    """

    host: str = setting("localhost")
    port: int = setting(1883, low=1, high=65_535)
    tls: bool = setting(default=False)
    ca_file: Path | None = setting(None)
    """Who signs the broker's certificate; None trusts what the system trusts."""
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    """With `cert_file` the station's own certificate, for mutual TLS."""
    user: str = setting("")
    password_file: Path | None = setting(None)
    keepalive_s: int = setting(30, low=1, high=3600, unit="s")
    connect_timeout_s: float = setting(10.0, low=0.1, high=120.0, unit="s")
    ack_timeout_s: float = setting(60.0, low=1.0, high=3600.0, unit="s")
    """A batch unanswered for so long: the connection is taken for dead."""
    session_expiry_s: int = setting(86_400, low=0, high=0xFFFFFFFF, unit="s")
    will_delay_s: int = setting(10, low=0, high=3600, unit="s")
    """Before the broker tells others that we are gone: a brief loss is not told."""
    telemetry_expiry_s: int = setting(300, low=1, high=604_800, unit="s")
    """How long a metric or sample is worth delivering; events never expire."""
    batch_rows: int = setting(100, low=1, high=1000)
    batch_bytes: int = setting(64_000, low=1000, high=1_000_000, unit="bytes")
    window: int = setting(50, low=1, high=100)
    """Batches under way at once."""
    backlog_per_s: float = setting(50.0, low=0.1, high=10_000.0, unit="batches/s")
    """Of what waited while offline: a site coming back must not flood the broker."""
    back_off_base_s: float = setting(1.0, low=0.01, high=60.0, unit="s")
    back_off_cap_s: float = setting(120.0, low=0.1, high=3600.0, unit="s")
    durable_on: str = setting(RECEIPT, choices=(RECEIPT, PUBACK))
    """What lets a row go: a collector's receipt after its commit, or the broker's word. A
    PUBACK says that the broker has it, not that it is safe: for sites without a collector."""
    receipt_timeout_s: float = setting(30.0, low=0.1, high=3600.0, unit="s")
    """Without a receipt for so long an event is sent again; doubled each time …"""
    receipt_timeout_cap_s: float = setting(600.0, low=0.1, high=86_400.0, unit="s")
    """… up to this."""
    unreceipted_rows: int = setting(20_000, low=2_000, high=1_000_000)
    """Events held in memory, sent and not settled; then sending pauses. 20,000 take 8 MB."""
    commands: CommandSettings = field(default_factory=CommandSettings)

    def __post_init__(self) -> None:
        off = "" if self.tls else "tls is not true"
        check_files(self.ca_file, self.cert_file, self.key_file, off=off)
        if self.password_file and not self.user:
            raise ValueError("password_file needs user")
        if off and self.password_file and self.host not in LOCAL:
            raise ValueError("password_file needs tls = true: it would go in the clear")


CONNECTION = (
    "host", "port", "tls", "ca_file", "cert_file", "key_file", "user", "password_file",
    "keepalive_s",
)  # fmt: skip


def connection_of(settings: Any) -> UplinkSettings:
    """The connection of other settings with the same keys, checked by the same rules."""
    return UplinkSettings(**{name: getattr(settings, name) for name in CONNECTION})


def make_client(
    client_id: str, settings: UplinkSettings, *, reconnects: bool = False
) -> Client:
    """A client that is not connected yet; raises ConfigError for TLS files it cannot use.

    The uplink reconnects on its own terms; who has none lets the client do it.
    """
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=reconnects,
    )
    client.connect_timeout = settings.connect_timeout_s
    client.max_inflight_messages = 0  # unlimited: the uplink keeps the window itself
    if settings.tls:
        client.tls_set_context(_tls(settings))
    return client


def listens(client: Client) -> bool:
    """Whether the thread of `loop_start` lives: paho tells nobody that it has ended."""
    thread = client._thread
    return thread is not None and thread.is_alive()


def load_secrets(client: Client, settings: UplinkSettings) -> None:
    """Read the password anew, so that a changed one serves the next connection."""
    password = None
    if settings.password_file:
        try:
            password = settings.password_file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{settings.password_file}: cannot be read ({error})") from error
    client.username_pw_set(settings.user or None, password)


class _Socket(ssl.SSLSocket):
    """Closes when the handshake fails; paho forgets it and would leak it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _tls(settings: UplinkSettings) -> ssl.SSLContext:
    files = (settings.ca_file, settings.cert_file, settings.key_file)
    named = ", ".join(str(file) for file in files if file)
    context = client_context(f"TLS files {named}:", *files)
    context.sslsocket_class = _Socket
    return context


def greet(
    client: Client, identity: Identity, settings: UplinkSettings, *, clean_start: bool
) -> None:
    """Open the connection and ask for the session; raises OSError, ConfigError.

    The Will makes the broker tell others when this station is lost; delayed, so that a
    brief loss is not told.
    """
    load_secrets(client, settings)
    will, connect = _properties(PacketTypes.WILLMESSAGE), _properties(PacketTypes.CONNECT)
    will.WillDelayInterval = settings.will_delay_s
    connect.SessionExpiryInterval = settings.session_expiry_s
    connect.ReceiveMaximum = INBOUND_AT_ONCE
    connect.MaximumPacketSize = 2 * MAX_BYTES
    lost = canonical_json({"online": False, "reason": "connection lost"})
    client.will_set(identity.topic("status"), lost, qos=1, retain=True, properties=will)
    client.connect(
        settings.host,
        settings.port,
        settings.keepalive_s,
        clean_start=clean_start,
        properties=connect,
    )


def acknowledge_quickly(client: Client) -> None:
    """Have TCP acknowledge what came at once, not up to 40 ms later.

    Brokers leave Nagle's algorithm on: their next PUBACK waits for our kernel to acknowledge
    the last one, and a window of batches stands still meanwhile. The kernel forgets it with
    the next packets, so it is asked for anew; where it cannot be asked, nothing changes.
    """
    open_socket = client.socket()
    if QUICKACK is not None and isinstance(open_socket, socket.socket):
        with suppress(OSError):  # it has just been closed: the loop will find out
            open_socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)


def status_notice(identity: Identity, *, online: bool, wall_time: float) -> Notice:
    """Tells others, retained, that this station is here or that it goes by intent."""
    status = {"online": online, "time": iso_time(wall_time)}
    if not online:
        status["reason"] = "stopped"
    return Notice(
        identity.topic("status"),
        canonical_json(status).encode(),
        publish_properties("application/json"),
        retain=True,
    )


def hang_up(client: Client, *, by_intent: bool) -> None:
    """Close the connection; unless it is by intent, the broker sends the Will."""
    name = "Normal disconnection" if by_intent else "Disconnect with will message"
    client.disconnect(ReasonCode(PacketTypes.DISCONNECT, name))


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]


def publish_properties(
    content_type: str,
    encoding: str = "",
    *,
    expiry_s: int = 0,
    backlog: bool = False,
    correlation: bytes = b"",
) -> Properties:
    """What a receiver must know of a message; `expiry_s` 0 is never."""
    properties = _properties(PacketTypes.PUBLISH)
    properties.ContentType = content_type
    if encoding:
        properties.UserProperty = ("content-encoding", encoding)
    if backlog:
        properties.UserProperty = ("historical", "true")
    if expiry_s:
        properties.MessageExpiryInterval = expiry_s
    if correlation:
        properties.CorrelationData = correlation
    return properties
