"""Opens what predictive maintenance's app.toml names: sources, stack light, model, shelf."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.base import Base, Running, Way
from apps.predictive_maintenance import station, watch
from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.learning import shelf_of
from apps.predictive_maintenance.plant import PlantSource, settings_of
from apps.processes import simulated
from apps.settings_table import settings_table
from common.alarms.definition import AlarmDefinition
from common.config import from_table
from common.errors import ConfigError
from common.inference.selection import Choice, open_model_of
from common.ports import Runtime, StatusLight, VibrationSource
from common.store import Store
from common.telemetry.outbox import WEBHOOK
from hardware import catalog

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def load(path: Path, changes: list[str]) -> Settings:
    """The settings in `path` with `changes` laid over them; raises ConfigError.

    In a simulated plant the machines are those that the simulator draws.
    """
    settings = from_table(Settings, settings_table(path, changes), path)
    if settings.simulation.enabled:
        return replace(settings, machines=settings_of(settings.simulation))
    if not settings.machines:
        raise ConfigError(f"{path}: machines: at least one [machines.ASSET] is needed")
    if not settings.sources:
        raise ConfigError(f"{path}: sources: at least one [sources.NAME] is needed")
    return settings


def definitions(settings: Settings) -> Mapping[str, AlarmDefinition]:
    """The alarms of alarms.toml, those of machines once for each."""
    return watch.definitions(settings.machines)


def ways(settings: Settings, store: Store) -> Mapping[str, Way]:
    """No way out of its own: work orders leave by the webhook and MQTT."""
    del settings, store
    return {}


def informed(sink: str) -> bool:
    """Not the CMMS: it gets work orders and nothing else."""
    return sink != WEBHOOK


def open_station(settings: Settings, path: Path, base: Base, opened: ExitStack) -> Running:
    """The station with its sources, light and model."""
    choice = open_sequence_model(settings, path)
    if choice is not None:
        opened.callback(choice.model.close)
    parts = station.Parts(
        sources=_sources(settings, path, base, opened),
        model=choice, shelf=shelf_of(base.folder), store=base.store, outbox=base.outbox,
        alarms=base.alarms, clock=base.clock, light=_light(settings, path, base, opened),
        sinks=base.sinks, link=base.link, host=base.host,
        notification=base.notifier.state, software=base.software,
    )  # fmt: skip
    says = choice.reason if choice else "no sequence model: signature and rules alone"
    return Running(station.build(settings, parts), says)


def open_sequence_model(settings: Settings, path: Path) -> Choice | None:
    """The sequence model of `settings`; None where they switch it off."""
    if not settings.model.enabled:
        return None
    return open_model_of(settings.model, path, _open_small)


def _open_small(name: str, path: Path, **options: Any) -> Runtime:
    """The network is small: more than one thread costs more than it brings."""
    threads = {"threads": 1} if name == "onnxruntime" else {}
    return catalog.open_runtime(name, path, **{**threads, **options})


def _sources(
    settings: Settings, path: Path, base: Base, opened: ExitStack
) -> list[VibrationSource]:
    if settings.simulation.enabled:
        learned = [name for name in settings.machines if shelf_of(base.folder).versions(name)]
        history = len(learned) < len(settings.machines)
        return [PlantSource(settings.simulation, base.clock, history=history)]
    sources = []
    for name, source in settings.sources.items():
        opened_source = catalog.open_sensor(
            source.backend, source.options, path, base.clock, f"sources.{name}"
        )
        opened.callback(opened_source.close)
        sources.append(opened_source)
    return sources


def _light(settings: Settings, path: Path, base: Base, opened: ExitStack) -> StatusLight | None:
    if settings.light.backend == "none":
        return None
    light = catalog.open_light(settings.light.backend, settings.light.options, path, base.clock)
    opened.callback(light.close)
    return light


def world(settings: Settings, path: Path) -> AbstractContextManager[None]:
    """A virtual CMMS as its own process, until the block ends; none beside a real plant."""
    del path
    url = urlsplit(str(settings.webhook.get("url", "")))
    ours = settings.simulation.enabled and settings.webhook.get("enabled") is True
    if not ours or url.hostname not in LOOPBACK:
        return nullcontext()
    port = url.port or 80
    return simulated("hardware.virtual_cmms", ["--port", str(port)], port)
