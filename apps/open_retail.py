"""Opens what retail analytics' app.toml names: cameras, person model; seals pictures in."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from apps.base import Base, Running, Way
from apps.picture_model import open_picture_model
from apps.retail_analytics import guard, simulate, station, watch
from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Settings, Simulation
from apps.settings_table import settings_table
from common.alarms.definition import AlarmDefinition
from common.config import from_table, setting
from common.ports import Camera, Clock
from common.store import Store
from hardware import catalog

SIMULATED = "simulated"
FREE_RUNNING = {"colour": "bgr", "latency_ms": 0}
"""Every picture is wanted as it comes; nobody has triggered it."""
STREAMS = ("usb", "rtsp", "gstreamer")


def load(path: Path, changes: list[str]) -> Settings:
    """The settings in `path` with `changes` laid over them; raises ConfigError."""
    return from_table(Settings, settings_table(path, changes), path)


def definitions(settings: Settings) -> Mapping[str, AlarmDefinition]:
    """The alarms of alarms.toml, those of cameras once for each."""
    return watch.definitions(camera.name for camera in settings.camera)


def ways(settings: Settings, store: Store) -> Mapping[str, Way]:
    """No way out of its own."""
    del settings, store
    return {}


def informed(sink: str) -> bool:
    """Every way out."""
    del sink
    return True


def world(settings: Settings, path: Path) -> AbstractContextManager[None]:
    """Nothing: the simulated shop is drawn in the station's own process."""
    del settings, path
    return nullcontext()


def open_station(settings: Settings, path: Path, base: Base, opened: ExitStack) -> Running:
    """The station with its cameras and model; from here on no picture can be written."""
    guarded = opened.enter_context(guard.sealed(base.folder))
    choice = open_picture_model(settings.model, path)
    opened.callback(choice.model.close)
    parts = station.Parts(
        cameras=open_cameras(settings, path, base.clock, opened), model=choice,
        store=base.store, outbox=base.outbox, alarms=base.alarms, clock=base.clock,
        folder=base.folder, sinks=base.sinks, link=base.link, host=base.host,
        notification=base.notifier.state, software=base.software,
        guarded={
            "writers_barred": len(guarded.barred),
            "core_dumps_off": guarded.core_dumps_off,
            "memory_locked": guarded.memory_locked,
        },
    )  # fmt: skip
    return Running(station.build(settings, parts), f"{choice.reason}; {guarded.says()}")


def open_cameras(
    settings: Settings, path: Path, clock: Clock, opened: ExitStack
) -> dict[str, Camera]:
    """Every camera by its name; `opened` closes them again."""
    cameras: dict[str, Camera] = {}
    for camera in settings.camera:
        cameras[camera.name] = _open_camera(camera, settings.simulation, path, clock)
        opened.callback(cameras[camera.name].close)
    return cameras


@dataclass(frozen=True)
class SimulatedSettings:
    """Options of the backend "simulated"."""

    view: str = setting("corner", choices=tuple(simulate.VIEWS))


def _open_camera(
    camera: CameraSettings, simulation: Simulation, path: Path, clock: Clock
) -> Camera:
    backend, options = camera.device.backend, camera.device.options
    if backend == SIMULATED:
        chosen = from_table(SimulatedSettings, options, path, f"camera {camera.name}")
        return simulate.ShopCamera(
            chosen.view, simulation.seed, simulation.people_per_min, camera.fps,
            simulation.open_s,
        )  # fmt: skip
    if backend in STREAMS:
        options = {**FREE_RUNNING, **options}
    return catalog.open_camera(backend, options, path, clock)
