"""Opens what patient monitoring's app.toml names: model, key map, listeners, ways out."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from apps.base import Base, Running, Way
from apps.patient_monitoring import again, bed_alarms, station
from apps.patient_monitoring.config import Settings
from apps.patient_monitoring.identity import KeyMap, read_key
from apps.patient_monitoring.incoming import wearable
from apps.patient_monitoring.incoming.fhir_desk import fhir_router, read_token
from apps.patient_monitoring.incoming.hl7_desk import Hl7Desk
from apps.patient_monitoring.incoming.observed import Refused
from apps.patient_monitoring.intake import Intake
from apps.patient_monitoring.outgoing.settings import OutgoingSettings
from apps.patient_monitoring.outgoing.ways import open_ways
from apps.patient_monitoring.risk import RiskModel
from apps.patient_monitoring.simulate import SimulatedWard
from apps.patient_monitoring.station import Parts, Station
from apps.patient_monitoring.world import soon
from apps.processes import simulated
from apps.settings_table import settings_table
from common.alarms.definition import AlarmDefinition
from common.config import from_table
from common.inference.selection import Choice, open_model_of
from common.station_settings import DeviceSettings
from common.store import Store
from hardware import catalog

OFF = "off"
log = logging.getLogger(__name__)


def load(path: Path, changes: list[str]) -> Settings:
    """The settings in `path` with `changes` laid over them; raises ConfigError."""
    settings = from_table(Settings, settings_table(path, changes), path)
    from_table(OutgoingSettings, settings.outgoing, path, "outgoing")  # refused by its own file
    return settings


def definitions(settings: Settings) -> Mapping[str, AlarmDefinition]:
    """The alarms of alarms.toml, for each bed."""
    return bed_alarms.definitions(settings.ward.names)


def ways(settings: Settings, store: Store) -> Mapping[str, Way]:
    """The hospital's systems that [outgoing] switches on."""
    people = open_identities(settings, store.path.parent)
    told = from_table(OutgoingSettings, settings.outgoing, Path("app.toml"), "outgoing")
    return open_ways(told, store, people.real)


def informed(sink: str) -> bool:
    """Every way out."""
    del sink
    return True


def open_station(settings: Settings, path: Path, base: Base, opened: ExitStack) -> Running:
    """The gateway with its model and its listeners."""
    choice = open_ward_model(settings, path)
    opened.callback(choice.model.close)
    parts = Parts(
        identities=open_identities(settings, base.folder), model=choice, store=base.store,
        outbox=base.outbox, alarms=base.alarms, clock=base.clock, sinks=base.sinks,
        link=base.link, host=base.host, software=base.software, orders=_orders(settings),
        notification=base.notifier.state,
    )  # fmt: skip
    ward = station.build(settings, parts)
    open_listeners(ward, path, opened)
    routers: tuple[APIRouter, ...] = ()
    if settings.fhir.enabled:
        token = read_token(settings.fhir.token_file or base.folder / "fhir.token")
        routers = (fhir_router(ward.intake, settings.fhir.systems, token, base.clock),)
    return Running(ward, choice.reason, routers=routers)


def open_ward_model(settings: Settings, path: Path) -> Choice:
    """The model of `settings`."""
    return open_model_of(settings.model, path, catalog.open_runtime)


def _orders(settings: Settings) -> frozenset[str]:
    """Beds of the simulated patients to whom a simulated clinician gave scale 2."""
    if not settings.simulation.enabled:
        return frozenset()
    beds = min(settings.ward.beds, settings.simulation.patients)
    ward = SimulatedWard(beds, settings.simulation.seed, soon(beds))
    return frozenset(patient.bed for patient in ward.patients if patient.scale2)


def open_identities(settings: Settings, folder: Path) -> KeyMap:
    """The encrypted way back from pseudonyms, one per station; raises ConfigError."""
    return _identities(settings.intake.key_file or folder / "identity.key", folder)


@cache
def _identities(key_file: Path, folder: Path) -> KeyMap:
    return KeyMap(folder / "identities.bin", read_key(key_file))


def open_listeners(ward: Station, path: Path, opened: ExitStack) -> None:
    """Whatever hears devices, by the names of [hl7], [wearables] and [replay]."""
    settings, clock = ward.settings, ward.parts.clock
    desk, recorded = (_desk(ward, replayed=replayed) for replayed in (False, True))
    hear = hear_wearables(ward.intake, settings)
    for kind, named, hearers in (
        ("hl7", settings.hl7, (desk,)),
        ("wearables", settings.wearables, (hear,)),
        ("replay", settings.replay, (recorded, clock)),
    ):
        listener = _open(kind, named, path, hearers)
        if listener is not None:
            opened.callback(listener.close)
            ward.parts.listeners.append(listener)


def _desk(ward: Station, *, replayed: bool) -> Hl7Desk:
    rules = ward.settings.intake
    return Hl7Desk(
        ward.settings.ward, ward.intake, ward.parts.clock,
        real_patients=rules.real_patients, utc_offset_min=rules.utc_offset_min,
        replayed=replayed,
    )  # fmt: skip


def _open(kind: str, named: DeviceSettings, path: Path, hearers: tuple[Any, ...]) -> Any:
    if named.backend == OFF:
        return None
    return catalog.open_listener(kind, named.backend, named.options, path, *hearers)


def hear_wearables(intake: Intake, settings: Settings) -> Callable[[str, bytes], None]:
    """Takes a wearable's message, or counts why not; never raises."""

    def hear(device: str, payload: bytes) -> None:
        try:
            intake.take(wearable.read(device, payload, settings.ward))
        except Refused as error:
            if not error.counted:
                intake.refuse("mqtt", device[:60], error)
        except Exception as error:
            log.exception("a wearable's message that no rule foresaw")
            unforeseen = Refused("form", f"cannot be read ({type(error).__name__})")
            intake.refuse("mqtt", device[:60], unforeseen)

    return hear


def world(settings: Settings, path: Path) -> AbstractContextManager[None]:
    """The ward in software as its own process, until the block ends; none beside real ones."""
    del path
    if not settings.simulation.enabled:
        return nullcontext()
    options = settings.hl7.options
    given = [
        "--host", str(options.get("host", "127.0.0.1")),
        "--port", str(options.get("port", 2575)),
        "--unit", settings.ward.unit, "--prefix", settings.ward.bed_prefix,
        "--beds", str(min(settings.ward.beds, settings.simulation.patients)),
        "--seed", str(settings.simulation.seed),
    ]  # fmt: skip
    if settings.wearables.backend == "mqtt":
        broker = settings.wearables.options
        given += ["--broker", str(broker.get("host", "127.0.0.1"))]
        given += ["--broker-port", str(broker.get("port", 1883))]
    return simulated("apps.patient_monitoring.world", given)


def replay(settings: Settings, path: Path, folder: Path, alert_id: str) -> dict[str, Any]:
    """Compute an alert's score and risk anew from the record in `folder`; see again.py."""
    choice = open_ward_model(settings, path)
    try:
        model = RiskModel(choice.model)
        return again.again(folder, alert_id, model, choice.model.artefact.sha256)
    finally:
        choice.model.close()
