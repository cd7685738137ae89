"""From sample to store: a whole station at full load, in real time."""

import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.predictive_maintenance import station, watch
from apps.predictive_maintenance.bench_fleet import MACHINES, Fleet
from apps.predictive_maintenance.learning import shelf_of
from common.alarms.persist import stored_board
from common.clock import SystemClock
from common.inference.selection import Choice
from common.pipeline import percentiles
from common.ports import VibrationReading
from common.store import Store
from common.telemetry.outbox import Outbox


class PacedSource:
    """common.ports.VibrationSource: every machine once a second, evenly over the second."""

    name = "paced records"
    dropped = 0

    def __init__(self, fleet: Fleet, assets: list[str], clock: SystemClock) -> None:
        self._fleet, self._assets, self._clock = fleet, assets, clock
        self._count = 0
        self.begin()
        self.due: dict[str, float] = {}
        """Asset → when its last record was there to be fetched."""

    def begin(self) -> None:
        """The first second begins now."""
        self._began = self._clock.monotonic()

    def poll(self, timeout_s: float) -> list[VibrationReading]:
        """What is due; waits for the next."""
        wait = self._due(self._count) - self._clock.monotonic()
        if wait > 0:
            self._clock.sleep(min(wait, timeout_s))
        found = []
        while self._due(self._count) <= self._clock.monotonic():
            asset = self._assets[self._count % len(self._assets)]
            self.due[asset] = self._due(self._count)
            rounds = self._count // len(self._assets)  # else it would send one for ever
            found.append(self._fleet.reading(asset, self._count + rounds))
            self._count += 1
        return found

    def close(self) -> None:
        """Nothing is open."""

    def _due(self, number: int) -> float:
        return self._began + number / len(self._assets)


class TimedStore(Store):
    """A store that notes when the row of each record was durable.

    Every row is hurried as a changed verdict is: the worst case, a plant where every record
    changes something.
    """

    source: PacedSource | None = None

    def __init__(self, path: Path, clock: SystemClock) -> None:
        super().__init__(path, clock)
        self.latencies: list[float] = []

    def submit(self, operation: Any, size: int = 0, *, of_class: str = "") -> Future[Any]:
        """As the store does, and time what is a row of history."""
        future: Future[Any] = super().submit(operation, size, of_class=of_class)
        words = getattr(operation, "keywords", {})
        if words.get("kind") == "health" and self.source is not None:
            due = self.source.due[words["subject"]]
            future.add_done_callback(lambda done: self._durable(done, due))
            self.hurry()
        return future

    def _durable(self, future: Future[Any], due: float) -> None:
        if future.exception() is None:
            self.latencies.append((self.clock.monotonic() - due) * 1000)


def latency(fleet: Fleet, seconds: float) -> dict[str, Any]:
    """Record there to be fetched → its row durable, of a whole station at full load."""
    machines = fleet.machines(MACHINES)
    simulation = replace(fleet.settings.simulation, enabled=False)
    mine = replace(
        fleet.settings, machines=machines, simulation=simulation,
        station=replace(fleet.settings.station, health_period_s=0.0),
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        clock = SystemClock()
        store = TimedStore(Path(folder) / "station.sqlite", clock)
        outbox = Outbox(
            source="urn:bench", epoch=store.epoch, boot_id=store.boot_id, clock=clock
        )
        source = PacedSource(fleet, list(machines), clock)
        parts = station.Parts(
            sources=[source],
            model=Choice(fleet.model.model, "as benched") if fleet.model else None,
            shelf=shelf_of(Path(folder)), store=store, outbox=outbox, clock=clock,
            alarms=stored_board(watch.definitions(machines), store),
        )  # fmt: skip
        made = station.build(mine, parts)
        for baseline in fleet.baselines(machines):
            made.use(baseline)
        store.source = source
        _run(made, source, seconds)
        store.close()
        found = store.latencies[len(store.latencies) // 10 :]
    return {**percentiles(found), "records": len(found), "lost": made.sense.dropped}


def _run(made: station.Station, source: PacedSource, seconds: float) -> None:
    source.begin()
    stop = threading.Event()
    thread = threading.Thread(target=made.run, args=(stop,), name="bench-station")
    thread.start()
    time.sleep(seconds)
    stop.set()
    thread.join()
