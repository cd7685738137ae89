"""The events that are timed: a machine's readings, 300 bytes of JSON each, never twice."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.clock import SystemClock
from common.ports import Clock
from common.store import Store, StoreSettings
from common.telemetry.message import Message
from common.telemetry.outbox import Outbox, OutboxSettings
from common.telemetry.topics import Identity

TYPE = "lineside.bench.reading.v1"


def reading(number: int, dice: random.Random) -> dict[str, Any]:
    """The data of one event: 300 bytes of canonical JSON, give or take ten."""
    return {
        "asset": f"pump-{number % 40:02d}",
        "operating_state": "running at load",
        "shaft_speed_rpm": round(dice.gauss(1480, 4), 1),
        "velocity_rms_mm_s": round(dice.gauss(2.3, 0.05), 3),
        "acceleration_peak_g": round(dice.gauss(1.1, 0.04), 3),
        "crest_factor": round(dice.gauss(3.4, 0.1), 2),
        "kurtosis": round(dice.gauss(3.0, 0.1), 2),
        "bearing_temperature_c": round(dice.gauss(61, 0.3), 1),
        "health_score": round(dice.uniform(0.9, 1.0), 3),
        "verdict": "run",
        "evidence": [],
        "quality": "good",
        "window": number,
    }


def readings(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """The same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - data, no secret
    return (reading(number, dice) for number in range(count))


def messages(count: int, clock: Clock, seed: int = 1) -> Iterator[Message]:
    """Readings as messages of class metric."""
    for data in readings(count, seed):
        yield Message("metric", TYPE, f"asset/{data['asset']}", data, clock.wall())


@contextmanager
def station(
    folder: Path,
    identity: Identity,
    settings: StoreSettings | None = None,
    limits: OutboxSettings | None = None,
) -> Iterator[tuple[Store, Outbox]]:
    """A store and its outbox in `folder`, as a station has them."""
    clock = SystemClock()
    store = Store(folder / "station.sqlite", clock, settings)
    outbox = Outbox(
        source=identity.source,
        epoch=store.epoch,
        boot_id=store.boot_id,
        clock=clock,
        settings=limits,
    )
    try:
        yield store, outbox
    finally:
        store.close()
