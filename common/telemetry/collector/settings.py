"""What a collector can be told: how to reach its broker, and how to collect."""

import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.config import setting
from common.telemetry.mqtt_client import UplinkSettings, connection_of

LEAVES = ("events", "telemetry")
"""Of stations' topics: these carry events."""
RESPONSE = "resp"
HEARD = (*LEAVES, RESPONSE)
MONTHLY, TIMESCALEDB = "monthly", "timescaledb"


@dataclass(frozen=True)
class BrokerSettings:
    """How to reach the broker. Secrets stay in files: `password_file` holds it alone."""

    host: str = setting("localhost")
    port: int = setting(1883, low=1, high=65_535)
    tls: bool = setting(default=False)
    ca_file: Path | None = setting(None)
    """Who signs the broker's certificate; None trusts what the system trusts."""
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    """With `cert_file` the collector's own certificate, for mutual TLS."""
    user: str = setting("")
    password_file: Path | None = setting(None)
    keepalive_s: int = setting(30, low=1, high=3600, unit="s")
    connect_timeout_s: float = setting(10.0, low=0.1, high=120.0, unit="s")
    back_off_base_s: float = setting(1.0, low=0.01, high=60.0, unit="s")
    back_off_cap_s: float = setting(60.0, low=0.1, high=3600.0, unit="s")

    def __post_init__(self) -> None:
        self.as_uplink()  # its rules between keys are ours

    def as_uplink(self) -> UplinkSettings:
        """The same for the client that stations use, too."""
        return replace(connection_of(self), connect_timeout_s=self.connect_timeout_s)


@dataclass(frozen=True)
class CollectorSettings:
    """What to collect, in what portions, and when to ask for what is missing."""

    name: str = setting("")
    """Tells collectors of one broker apart; "" is this machine's name. Keep it: the broker
    holds what came meanwhile under it."""
    group: str = setting("lineside")
    """Collectors of one group share the work; "" where the broker knows no sharing."""
    topics: tuple[str, ...] = setting(("v1/+/+/+/+/+",))
    """Stations, as topic filters without the leaf: v1/tenant/site/area/device/app."""
    receive_maximum: int = setting(200, low=1, high=65_535, unit="messages")
    """Unacknowledged at once; the broker waits beyond it. This bounds our memory."""
    session_expiry_s: int = setting(86_400, low=0, high=0xFFFFFFFF, unit="s")
    """How long the broker keeps messages for us while we are away. With several
    collectors: short, so that the share of a dead one goes to the others."""
    batch_rows: int = setting(5000, low=1, high=100_000, unit="events")
    batch_age_ms: float = setting(50.0, low=0.0, high=10_000.0, unit="ms")
    """One transaction holds so many events, or what came in this time."""
    max_message_bytes: int = setting(4 << 20, low=1000, unit="bytes")
    max_event_bytes: int = setting(256 << 10, low=1000, unit="bytes")
    max_events: int = setting(10_000, low=1, high=1_000_000, unit="events")
    """In one message."""
    majors: tuple[int, ...] = setting((1,), low=0)
    """Major versions of event types that whoever reads the archive understands."""
    keep_rejected: int = setting(1000, low=0, unit="messages")
    """Per topic; older ones go, their count stays."""
    layout: str = setting(MONTHLY, choices=(MONTHLY, TIMESCALEDB))
    """Of PostgreSQL's `events`, chosen when the archive is made."""
    clock_tolerance_s: float = setting(2.0, low=0.0, high=3600.0, unit="s")
    """A smaller offset is the network's, not the clock's: times are left as they are."""
    replay: bool = setting(default=True)
    """Ask stations for events that are missing."""
    gap_patience_s: float = setting(30.0, low=0.1, high=86_400.0, unit="s")
    """How long a gap must stay as it is before we ask; live events overtake the backlog."""
    status_s: float = setting(60.0, low=0.1, high=86_400.0, unit="s")
    """Between two status lines in the log, and two writings of `status_file`."""
    status_file: Path | None = setting(None)
    """Counters as JSON, for whoever watches this process."""

    def __post_init__(self) -> None:
        for text in (self.name, self.group):
            if set(text) & set("/+#$\0"):
                raise ValueError(f"{text!r}: a name without / + # $ is needed")
        for topic in self.topics:
            if topic.count("/") != 5 or "#" in topic:
                raise ValueError(f"topic {topic!r}: v1/tenant/site/area/device/app is needed")

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        share = f"$share/{self.group}/" if self.group else ""
        return [f"{share}{topic}/{leaf}" for topic in self.topics for leaf in HEARD]

    @property
    def client_id(self) -> str:
        """The MQTT client id: one per collector, the same after a restart."""
        return f"lineside-collector-{self.name or socket.gethostname()}"


@dataclass(frozen=True)
class Settings:
    """The file of `lineside collect --config`: tables [broker] and [collector]."""

    broker: BrokerSettings = field(default_factory=BrokerSettings)
    collector: CollectorSettings = field(default_factory=CollectorSettings)
