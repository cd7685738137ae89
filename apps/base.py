"""What every station stands on, whatever its app: store, outbox, ways out, alarms, host.

Opened from the tables that all apps share: [station], [retention], [telemetry], [webhook],
[notification].
What an app has beside these its own opener adds: apps/open_inspection.py and its like.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter

from common.alarms.board import AlarmBoard
from common.alarms.definition import AlarmDefinition
from common.alarms.notification import NotificationSettings
from common.alarms.notifier import Notifier
from common.alarms.persist import stored_board
from common.audit_upstream import AuditUpstream
from common.clock import SystemClock
from common.config import from_table
from common.errors import ConfigError, LinesideError
from common.retention import RetentionSettings
from common.service.commands import Commanded
from common.service.inference import Infer
from common.station_settings import AppSettings, PictureRetention
from common.store import Store, StoreSettings
from common.telemetry.drain import SinkState
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.outbox import MQTT, WEBHOOK, Outbox
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink
from common.telemetry.webhook import Webhook, WebhookSettings
from common.users import User
from hardware.host import HostMonitor
from hardware.host_clock import clock_quality


class RunnableStation(Commanded, Protocol):
    """A station of any app."""

    def run(self, stop: Any) -> None:
        """Turn until `stop` is set; then leave the world in its safe state."""


@dataclass(frozen=True)
class Running:
    """A station with its devices open, and what it adds to its HTTP API."""

    station: RunnableStation
    says: str
    """What it runs on, for the log at start."""
    infer: Infer | None = None
    routers: tuple[APIRouter, ...] = ()


class Opener(Protocol):
    """What an app's opener module gives the command line."""

    def load(self, path: Path, changes: list[str]) -> Any:
        """The app's settings; raises ConfigError."""

    def definitions(self, settings: Any) -> Mapping[str, AlarmDefinition]:
        """The alarms that this station can have."""

    def ways(self, settings: Any, store: Store) -> Mapping[str, "Way"]:
        """Sink → a way out that only this app has, not started; {} for none."""

    def informed(self, sink: str) -> bool:
        """Whether this way out is told of the station's alarms and audit, too."""

    def world(self, settings: Any, path: Path) -> AbstractContextManager[None]:
        """The simulated devices that are processes of their own, where settings want them."""

    def open_station(
        self, settings: Any, path: Path, base: "Base", opened: ExitStack
    ) -> Running:
        """The station; `opened` closes what was opened for it."""


class Way(Protocol):
    """A way out of the station: a sink of the outbox with a thread of its own."""

    def start(self) -> None:
        """Begin to send."""

    def stop(self) -> None:
        """End; before the store is closed."""

    def state(self) -> SinkState:
        """How it fares."""


@dataclass(frozen=True)
class Base:
    """What a station of any app is given."""

    clock: SystemClock
    folder: Path
    store: Store
    outbox: Outbox
    ways_out: "WaysOut"
    alarms: AlarmBoard
    notifier: Notifier
    host: Callable[[], dict[str, Any]]
    """Temperature, memory, disk and load of this device."""
    software: str

    @property
    def sinks(self) -> tuple[str, ...]:
        """Where events go."""
        return self.ways_out.names

    @property
    def link(self) -> Callable[[], dict[str, Any]]:
        """State of the ways out, for the screen."""
        return self.ways_out.state


def open_base(
    app: str, opener: Opener, settings: AppSettings, path: Path, var: Path, opened: ExitStack
) -> Base:
    """Everything of a station that is not its app's own; `opened` closes it all again."""
    clock, who = SystemClock(), settings.station
    folder = var / who.name
    var.mkdir(mode=0o700, parents=True, exist_ok=True)  # else the umask decides on it
    folder.mkdir(mode=0o700, exist_ok=True)
    store = Store(folder / "station.sqlite", clock, _store_settings(settings))
    opened.callback(store.close)
    identity = Identity(who.tenant, who.site, who.area, who.name, app)
    ways_out = WaysOut(settings, path, identity, store, opener.ways(settings, store))
    sinks = ways_out.names
    outbox = Outbox(
        source=identity.source, epoch=store.epoch, boot_id=store.boot_id, clock=clock,
        clock_quality=clock_quality, sinks=sinks,
    )  # fmt: skip
    store.add_upkeep(outbox.keep_up)
    store.submit(outbox.begin, of_class="audit")
    informed = tuple(filter(opener.informed, sinks))
    store.add_upkeep(AuditUpstream(outbox, informed).tell)
    board = stored_board(opener.definitions(settings), store, outbox, informed)
    people = from_table(NotificationSettings, settings.notification, path, "notification")
    notifier = Notifier(board, store, outbox, people, clock, sinks=sinks)
    for part in (ways_out, notifier):
        part.start()
        opened.callback(part.stop)
    return Base(
        clock, folder, store, outbox, ways_out, board, notifier,
        host_reader(folder), f"lineside {version('lineside')}",
    )  # fmt: skip


class WaysOut:
    """The uplink and the webhook, where settings switch them on, and the app's own."""

    def __init__(
        self,
        settings: AppSettings,
        path: Path,
        who: Identity,
        store: Store,
        more: Mapping[str, Way],
    ) -> None:
        self._sinks: dict[str, Way] = dict(more)
        self._station: Commanded | None = None
        broker = from_table(UplinkSettings, _rest(settings.telemetry), path, "telemetry")
        if _enabled(settings.telemetry, path, "telemetry"):
            self._sinks[MQTT] = Uplink(store, who, broker, self._from_afar)
        mes = _rest(settings.webhook)
        if _enabled(settings.webhook, path, "webhook"):
            hook = from_table(WebhookSettings, mes, path, "webhook")
            self._sinks[WEBHOOK] = Webhook(store, hook)
        elif mes:  # switched off, it may be left out, but not misspelt
            from_table(WebhookSettings, mes, path, "webhook")

    def start(self) -> None:
        """Begin to send."""
        for sink in self._sinks.values():
            sink.start()

    def stop(self) -> None:
        """End; before the store is closed."""
        for sink in self._sinks.values():
            sink.stop()

    def serve(self, station: Commanded) -> None:
        """From now on commands from afar reach `station`."""
        self._station = station

    def _from_afar(self, name: str, arguments: dict[str, Any], user: str) -> Any:
        if self._station is None:
            raise LinesideError("the station is still starting")
        return self._station.command(name, arguments, User(user, self._station.roles[name]))

    @property
    def names(self) -> tuple[str, ...]:
        """Where events go."""
        return tuple(self._sinks)

    def state(self) -> dict[str, Any]:
        """How each way out fares, in the screens' form; "off" where there is none."""
        names = dict.fromkeys((MQTT, WEBHOOK, *self._sinks))
        return {name: _told(self._sinks.get(name)) for name in names}


def _enabled(table: dict[str, Any], path: Path, name: str) -> bool:
    value = table.get("enabled", False)
    if type(value) is not bool:
        raise ConfigError(f"{path}: {name}.enabled = {value!r}: must be true or false")
    return value


def _rest(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "enabled"}


def _told(sink: Way | None) -> dict[str, Any]:
    if sink is None:
        return {"state": "off", "reason": "", "queued": 0, "oldest_age_s": None, "dead": 0}
    state = sink.state()
    told = asdict(state)
    told["state"] = "online" if state.online else "offline"
    return told


def _store_settings(settings: AppSettings) -> StoreSettings:
    kept = settings.retention
    if not isinstance(kept, PictureRetention):
        return StoreSettings(retention=RetentionSettings(record_days=kept.records_days))
    retention = RetentionSettings(
        record_days=kept.records_days,
        picture_days=kept.pictures_days,
        picture_bytes=int(kept.pictures_mb * 1e6),
    )
    return StoreSettings(retention=retention)


def host_reader(folder: Path) -> Callable[[], dict[str, Any]]:
    """What the screens show of the device."""
    monitor = HostMonitor(disk=folder)

    def read() -> dict[str, Any]:
        health = monitor.read()
        total, free = health.memory_total_mb, health.memory_available_mb
        return {
            "temperature_c": health.temperature_c,
            "throttled": health.throttled,
            "throttle_reasons": list(health.throttle_reasons),
            "power_w": health.power_w,
            "power_mode": health.power_mode,
            "memory_used_share": round(1 - free / total, 3) if total and free else None,
            "disk_free_mb": health.disk_free_mb,
            "load_1m": health.load_1m,
        }

    return read
