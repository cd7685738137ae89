"""Opens what defect inspection's app.toml names: camera, PLC gate, model."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.base import Base, Running, Way
from apps.defect_inspection import config, station
from apps.defect_inspection.config import Settings
from apps.defect_inspection.perceive import Perceive
from apps.defect_inspection.simulate import SimulatedCamera
from apps.picture_model import open_picture_model
from apps.processes import simulated
from apps.settings_table import settings_table
from common.alarms.definition import AlarmDefinition, load_definitions
from common.clock import SystemClock
from common.config import from_table
from common.inference.decode import ImageRefused
from common.inference.guard import FrameGuard
from common.ports import Camera
from common.quality import Quality
from common.store import Store
from common.telemetry.outbox import WEBHOOK
from hardware import catalog

BELT_MM_S = 400


def load(path: Path, changes: list[str]) -> Settings:
    """The settings in `path` with `changes` laid over them; raises ConfigError."""
    return from_table(Settings, settings_table(path, changes), path)


def definitions(settings: Settings) -> Mapping[str, AlarmDefinition]:
    """The alarms of alarms.toml."""
    del settings
    return load_definitions(config.APP / "alarms.toml")


def ways(settings: Settings, store: Store) -> Mapping[str, Way]:
    """No way out of its own."""
    del settings, store
    return {}


def informed(sink: str) -> bool:
    """Not the MES: it gets parts and nothing else."""
    return sink != WEBHOOK


def open_station(settings: Settings, path: Path, base: Base, opened: ExitStack) -> Running:
    """The station with its camera, gate and model."""
    parts = open_parts(settings, path, base, opened)
    infer = None
    if settings.station.infer_endpoint:
        infer = _second_inspector(settings, path, parts, opened)
    return Running(station.build(settings, parts), parts.model.reason, infer)


def open_parts(settings: Settings, path: Path, base: Base, opened: ExitStack) -> station.Parts:
    """Everything the station needs; `opened` closes it all again."""
    choice = open_picture_model(settings.model, path)
    opened.callback(choice.model.close)
    camera = _open_camera(settings, path, base.clock)
    opened.callback(camera.close)
    plc, deadline_s = settings.plc, settings.line.deadline_ms / 1000
    gate = catalog.open_gate(plc.backend, plc.options, path, base.clock, deadline_s)
    opened.callback(gate.close)
    return station.Parts(
        camera=camera, gate=gate, model=choice, store=base.store, outbox=base.outbox,
        alarms=base.alarms, clock=base.clock, sinks=base.sinks, link=base.link,
        host=base.host, notification=base.notifier.state, software=base.software,
    )  # fmt: skip


def _open_camera(settings: Settings, path: Path, clock: SystemClock) -> Camera:
    if settings.camera.backend == "simulated":
        simulation = settings.simulation
        return SimulatedCamera(simulation.seed, simulation.defective_share)
    return catalog.open_camera(settings.camera.backend, settings.camera.options, path, clock)


def _second_inspector(
    settings: Settings, path: Path, parts: station.Parts, opened: ExitStack
) -> Callable[[np.ndarray], dict[str, Any]]:
    """Inference for nearby systems on a network of its own: the line never waits for it."""
    recipe = next(iter(settings.recipes.values()))
    choice = open_picture_model(settings.model, path)
    opened.callback(choice.model.close)
    perceive = Perceive(choice.model, {}, parts.clock)
    guard = FrameGuard(replace(recipe.frame, detect_frozen=False))  # pictures may come twice

    def infer(picture: np.ndarray) -> dict[str, Any]:
        quality, reason = guard.check(picture)
        if quality is not Quality.GOOD:
            raise ImageRefused(reason)
        found = perceive.inspect(picture, recipe)
        return {"model": choice.model.describe(), "defects": [asdict(d) for d in found]}

    return infer


def world(settings: Settings, path: Path) -> AbstractContextManager[None]:
    """A virtual PLC as its own process, until the block ends; none beside real devices."""
    del path
    if not settings.simulation.enabled:
        return nullcontext()
    options, rate = settings.plc.options, settings.simulation.parts_per_s
    port = int(options.get("port", 5020))
    return simulated("hardware.virtual_plc", [
        "--port", str(port),
        "--word-order", str(options.get("word_order", "CDAB")),
        "--speed-mm-s", str(BELT_MM_S),
        "--pitch-mm", str(BELT_MM_S / rate),
        "--actuator-s", str(min(0.05, 0.2 / rate)),  # parts close together need a fast gate
        "--challenge-parts", str(settings.line.challenge_pieces),
        "--consecutive-limit", "0",  # the station asks for line stops by its own rules
        "--recipe-id", next(iter(settings.recipes)),
        "--attended-s", "3",
    ], port)  # fmt: skip
