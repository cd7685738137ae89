"""A whole station with four cameras in real time on two cores: drops, processor, memory."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from apps.retail_analytics import station, watch
from apps.retail_analytics.bench_chain import FPS, busy_camera
from apps.retail_analytics.config import Settings
from common.alarms.persist import stored_board
from common.clock import SystemClock
from common.inference.benchmark import rss_mb
from common.inference.selection import Choice
from common.ports import Trigger
from common.store import Store
from common.telemetry.outbox import Outbox

CAMERAS, CORES = 4, 2
WARM_S = 3.0
BLOCKS = 10
T_95 = 2.306  # Student's t, two-sided 95 %, of a line through ten means


class DrawnCamera:
    """common.ports.Camera: pictures from memory, a fresh array each, as a driver gives them."""

    def __init__(self, name: str, pictures: list[np.ndarray], first: int) -> None:
        self.name = name
        self._pictures = islice(cycle(pictures), first, None)

    def capture(self, _trigger: Trigger) -> np.ndarray:
        """The next picture; the station sets the pace."""
        return next(self._pictures).copy()

    def close(self) -> None:
        """Nothing is open."""


def run(
    settings: Settings,
    choice: Choice,
    pictures: list[np.ndarray],
    seconds: float,
    fill_s: float,
) -> dict[str, Any]:
    """Frames, drops, processor time and memory of `seconds` in real time.

    They begin when all that has a bound has reached it, `fill_s` after the start.
    """
    with TemporaryDirectory() as folder, cores(CORES):
        store = Store(Path(folder) / "station.sqlite", SystemClock())
        try:
            made = _station(settings, choice, pictures, store, Path(folder))
            return _watched(made, seconds, fill_s)
        finally:
            store.close()


def _station(
    settings: Settings, choice: Choice, pictures: list[np.ndarray], store: Store, folder: Path
) -> station.Station:
    outbox = Outbox(
        source="urn:bench", epoch=store.epoch, boot_id=store.boot_id, clock=store.clock
    )
    cameras = tuple(busy_camera(f"bench-{number}") for number in range(CAMERAS))
    drawn = {
        camera.name: DrawnCamera(camera.name, pictures, 17 * number)
        for number, camera in enumerate(cameras)
    }
    definitions = watch.definitions(camera.name for camera in cameras)
    parts = station.Parts(
        cameras=drawn, model=choice, store=store, outbox=outbox, clock=store.clock,
        alarms=stored_board(definitions, store), folder=folder,
    )  # fmt: skip
    return station.build(replace(settings, camera=cameras), parts)


def _watched(made: station.Station, seconds: float, fill_s: float) -> dict[str, Any]:
    stop = threading.Event()
    thread = threading.Thread(target=made.run, args=(stop,), name="bench-station")
    thread.start()
    try:
        time.sleep(WARM_S)
        _fill(made, fill_s)
        before, began = _state(made), time.perf_counter()
        memory = _memory(seconds)
        after, took = _state(made), time.perf_counter() - began
    finally:
        stop.set()
        thread.join()
    pictures, dropped, cpu = (b - a for a, b in zip(before, after, strict=True))
    return {
        "cameras": CAMERAS, "fps": FPS, "size": [640, 480], "cores": CORES,
        "seconds": round(took, 1), "pictures": int(pictures), "dropped": int(dropped),
        "missing": max(0, int(CAMERAS * FPS * took) - int(pictures)),
        "cpu_share": round(cpu / took / CORES, 3), "cpu_ms_per_picture":
        round(1000 * cpu / max(pictures, 1), 2), "memory": memory,
        "latency_ms": made.pipeline.timings.percentiles(),
    }  # fmt: skip


def _fill(made: station.Station, seconds: float) -> None:
    """Let everything that has a bound reach it: the rings by a loop that is held up once."""
    made.later(partial(time.sleep, made.settings.sense.ring_s + 0.5))
    time.sleep(WARM_S + seconds)


def _state(made: station.Station) -> tuple[float, float, float]:
    """Pictures, drops, processor time in s since the start."""
    pictures = sum(watcher.frames for watcher in made.sense.watchers.values())
    used = os.times()
    return pictures, made.dropped, used.user + used.system


def _memory(seconds: float) -> dict[str, Any]:
    """Resident memory meanwhile, and how it grows, with a 95 % interval."""
    sizes, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(0.5, seconds / 20))
        sizes.append(rss_mb())
    growth, either_way = slope(sizes, seconds)
    return {
        "rss_mb": sizes[-1],
        "least_mb": min(sizes),
        "most_mb": max(sizes),
        "growth_mb_per_h": round(growth * 3600, 2),
        "growth_95_mb_per_h": [
            round((growth + side * either_way) * 3600, 2) for side in (-1, 1)
        ],
    }


def slope(sizes: list[float], seconds: float) -> tuple[float, float]:
    """Growth per s of evenly spaced `sizes`, and its 95 % half-width.

    By the means of ten blocks: sizes a moment apart are no separate observations.
    """
    means = np.array([block.mean() for block in np.array_split(np.array(sizes), BLOCKS)])
    at = (np.arange(BLOCKS) + 0.5) * seconds / BLOCKS
    at -= at.mean()
    growth = float((at * means).sum() / (at**2).sum())
    left = means - means.mean() - growth * at
    error = float(np.sqrt((left**2).sum() / (BLOCKS - 2) / (at**2).sum()))
    return growth, T_95 * error


@contextmanager
def cores(count: int) -> Iterator[None]:
    """Keep every thread there is, and those that are started, on `count` cores."""
    before = os.sched_getaffinity(0)
    _bind(set(sorted(before)[:count]))
    try:
        yield
    finally:
        _bind(before)


def _bind(to: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        try:
            os.sched_setaffinity(int(thread.name), to)
        except ProcessLookupError:  # it has just ended
            continue
