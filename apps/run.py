"""Opens what app.toml names and hands it to the station: where apps and hardware meet."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from apps.defect_inspection import config, station
from apps.defect_inspection.config import Settings
from apps.defect_inspection.perceive import Perceive
from apps.defect_inspection.simulate import SimulatedCamera
from apps.settings_table import settings_table
from common.alarms.definition import load_definitions
from common.alarms.persist import stored_board
from common.clock import SystemClock
from common.config import from_table
from common.errors import LinesideError
from common.inference.bundle import open_bundle
from common.inference.selection import Choice, open_model
from common.ports import Camera
from common.retention import RetentionSettings
from common.service import ApiServer, build_api
from common.service_commands import Commanded
from common.store import Store, StoreSettings
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.outbox import MQTT, WEBHOOK, Outbox
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink
from common.telemetry.webhook import Webhook, WebhookSettings
from common.users import User, Users
from hardware import catalog
from hardware.host import HostMonitor

log = logging.getLogger("lineside")
VAR = Path(os.environ.get("LINESIDE_VAR", "var"))
PLC_START_S = 10.0
BELT_MM_S = 400


def run_inspection(path: Path, changes: list[str], var: Path) -> None:
    """One defect-inspection station until it is told to stop."""
    settings = from_table(Settings, settings_table(path, changes), path)
    folder = var / settings.station.name
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as opened:
        parts, ways_out = open_parts(settings, path, folder, opened)
        inspection = station.build(settings, parts)
        ways_out.serve(inspection)
        users = Users(folder / "users.json", inspection.parts.clock)
        password = users.first_password()
        if password:
            log.warning("first start: sign in as engineer with password %s", password)
        infer = None
        if settings.station.infer_endpoint:
            infer = _second_inspector(settings, path, inspection, opened)
        server = ApiServer(build_api(inspection, users, infer), settings.station.api_port)
        server.start()
        opened.callback(server.stop)
        log.warning("%s runs: %s", settings.station.name, inspection.parts.model.reason)
        inspection.run(stop)


def open_parts(
    settings: Settings, path: Path, folder: Path, opened: ExitStack
) -> "tuple[station.Parts, WaysOut]":
    """Everything a station needs; `opened` closes it all again."""
    clock = SystemClock()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(folder / "station.sqlite", clock, _store_settings(settings))
    opened.callback(store.close)
    who = settings.station
    identity = Identity(who.tenant, who.site, who.area, who.name, "defect_inspection")
    outbox = Outbox(
        source=identity.source, epoch=store.epoch, boot_id=store.boot_id, clock=clock
    )
    store.add_upkeep(outbox.keep_up)
    store.submit(outbox.begin, of_class="audit")
    choice = open_inspection_model(settings, path)
    opened.callback(choice.model.close)
    if settings.simulation.enabled:
        opened.enter_context(virtual_plc(settings))
    camera = open_camera(settings, path, clock)
    opened.callback(camera.close)
    gate = catalog.open_gate(settings.plc.backend, settings.plc.options, path, clock)
    opened.callback(gate.close)
    ways_out = WaysOut(settings, path, identity, store, opened)
    alarms = stored_board(
        load_definitions(config.APP / "alarms.toml"),
        store,
        outbox if ways_out.names else None,
        ways_out.names,
    )
    parts = station.Parts(
        camera=camera, gate=gate, model=choice, store=store, outbox=outbox,
        alarms=alarms, clock=clock,
        sinks=ways_out.names, link=ways_out.state, host=host_reader(folder),
        software=f"lineside {version('lineside')}",
    )  # fmt: skip
    return parts, ways_out


class WaysOut:
    """The uplink and the webhook, where settings switch them on."""

    def __init__(
        self, settings: Settings, path: Path, who: Identity, store: Store, opened: ExitStack
    ) -> None:
        self._sinks: dict[str, Uplink | Webhook] = {}
        self._station: Commanded | None = None
        broker = from_table(UplinkSettings, _rest(settings.telemetry), path, "telemetry")
        mes = from_table(WebhookSettings, _rest(settings.webhook), path, "webhook")
        if settings.telemetry.get("enabled") is True:
            self._sinks[MQTT] = Uplink(store, who, broker, self._from_afar)
        if settings.webhook.get("enabled") is True:
            self._sinks[WEBHOOK] = Webhook(store, mes)
        for sink in self._sinks.values():
            sink.start()
            opened.callback(sink.stop)

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
        return {name: _told(self._sinks.get(name)) for name in (MQTT, WEBHOOK)}


def _rest(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "enabled"}


def _told(sink: Uplink | Webhook | None) -> dict[str, Any]:
    if sink is None:
        return {"state": "off", "reason": "", "queued": 0, "oldest_age_s": None, "dead": 0}
    state = sink.state()
    told = asdict(state)
    told["state"] = "online" if state.online else "offline"
    return told


def open_inspection_model(
    settings: Settings, path: Path, runtime: str = "", precision: str = ""
) -> Choice:
    """The model of `settings`; runtime and precision given here win."""
    folder = settings.model.bundle
    if not folder.is_absolute():
        folder = path.parent / folder
    return open_model(
        open_bundle(folder),
        catalog.open_runtime,
        runtime or settings.model.runtime,
        precision or settings.model.precision,
    )


def open_camera(settings: Settings, path: Path, clock: SystemClock) -> Camera:
    """The camera that [camera] names."""
    if settings.camera.backend == "simulated":
        simulation = settings.simulation
        return SimulatedCamera(simulation.seed, simulation.defective_share)
    return catalog.open_camera(settings.camera.backend, settings.camera.options, path, clock)


def _second_inspector(
    settings: Settings, path: Path, inspection: station.Station, opened: ExitStack
) -> Callable[[np.ndarray], dict[str, Any]]:
    """Inference for nearby systems on a network of its own: the line never waits for it."""
    recipe = next(iter(settings.recipes.values()))
    choice = open_inspection_model(settings, path)
    opened.callback(choice.model.close)
    perceive = Perceive(choice.model, {}, inspection.parts.clock)

    def infer(picture: np.ndarray) -> dict[str, Any]:
        found = perceive.inspect(picture, recipe)
        return {"model": choice.model.describe(), "defects": [asdict(d) for d in found]}

    return infer


def _store_settings(settings: Settings) -> StoreSettings:
    kept = settings.retention
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
            "memory_used_share": round(1 - free / total, 3) if total and free else None,
            "disk_free_mb": health.disk_free_mb,
            "load_1m": health.load_1m,
        }

    return read


@contextmanager
def virtual_plc(settings: Settings) -> Iterator[None]:
    """A virtual PLC beside the station, as its own process, until the block ends."""
    options, rate = settings.plc.options, settings.simulation.parts_per_s
    command = [
        sys.executable, "-m", "hardware.virtual_plc",
        "--port", str(options.get("port", 5020)),
        "--word-order", str(options.get("word_order", "CDAB")),
        "--speed-mm-s", str(BELT_MM_S),
        "--pitch-mm", str(BELT_MM_S / rate),
        "--actuator-s", str(min(0.05, 0.2 / rate)),  # parts close together need a fast gate
        "--challenge-parts", str(settings.line.challenge_pieces),
        "--consecutive-limit", "0",  # the station asks for line stops by its own rules
        "--recipe-id", next(iter(settings.recipes)),
        "--attended-s", "3", "--with-parent",
    ]  # fmt: skip
    process = subprocess.Popen(command)  # noqa: S603 - our own module
    try:
        yield
    finally:
        process.terminate()
        process.wait(PLC_START_S)
