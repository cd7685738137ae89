"""How much plant one core carries: beside the bare FFTs and inference, and sample to store.

Machines are simulated at the load of the aim: three axes at 25.6 kHz, a window of a second.
All of it runs on one core; the records are drawn beforehand, so that drawing costs nothing.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy import fft

from apps.predictive_maintenance import station, watch
from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.config import Machine, Settings
from apps.predictive_maintenance.decide import Rules, State
from apps.predictive_maintenance.domain import Batch, Window
from apps.predictive_maintenance.learning import shelf_of
from apps.predictive_maintenance.perceive import Perceive
from apps.predictive_maintenance.rotor import Running, draw_rotor, waveform
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.wizard import healthy_time, propose
from common.alarms.persist import stored_board
from common.clock import SystemClock
from common.inference.benchmark import interleaved, machine, ratio, rss_mb, timed_ms
from common.inference.waveforms import ENVELOPE_HIGH_HZ, ENVELOPE_LOW_HZ
from common.pipeline import percentiles
from common.ports import VibrationReading
from common.store import Store
from common.telemetry.outbox import Outbox

FS_HZ, SAMPLES, AXES = 25_600.0, 25_600, 3
MACHINES = 100
POOL = 20
"""Records that differ; every machine is sent one of them after the other."""
HEALTHY = 120
SIZES = (10, 100, 1000)
BATCH = 64
MOST_MB_S = 60.0
"""How long the memory is watched at most."""


def bench(
    settings: Settings, path: Path, quick: bool, model: SequenceModel | None = None
) -> dict[str, Any]:
    """All figures; `quick` takes seconds instead of minutes."""
    del path
    with one_core():
        fleet = Fleet(settings, model)
        rounds = 5 if quick else 30
        look = fleet.look(MACHINES)
        bare, whole = interleaved(fleet.bare(MACHINES), look, rounds)
        per_window = percentiles(whole)["p50"] / MACHINES
        figures = {
            "machines_realtime_one_core": int(1000 * SAMPLES / FS_HZ / per_window),
            "ms_per_machine_second": round(per_window, 4),
            "cost_ratio_bare": ratio(whole, bare),
            "scaling": fleet.scaling(3 if quick else 10),
            "verdict_latency_ms": latency(fleet, 5.0 if quick else 60.0),
            "memory": fleet.memory(3000 if quick else 100_000),
        }
    figures["model"] = model.name if model else None
    return {**figures, "load": _load(), "machine": machine()}


def _load() -> dict[str, Any]:
    return {"machines": MACHINES, "axes": AXES, "fs_hz": FS_HZ, "window_s": SAMPLES / FS_HZ}


@contextmanager
def one_core() -> Iterator[None]:
    """Keep the process, and the threads it starts, on the first core it may use."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class Fleet:
    """Any number of machines that share a pool of records and one learned baseline."""

    def __init__(self, settings: Settings, model: SequenceModel | None) -> None:
        self.settings, self.model = settings, model
        self._rotor = draw_rotor(np.random.default_rng(settings.simulation.seed))
        self._pool = [self._record(number) for number in range(POOL)]
        self._at_s = 0.0
        self.machine = Machine(
            power_kw=90.0, group=2, bearings=(self._rotor.bearing,), fs_hz=FS_HZ, axes=AXES
        )
        self._baseline = self._learned()

    def look(self, count: int) -> Callable[[], object]:
        """One second of `count` machines: windows in memory → verdicts."""
        perceive, rules = (
            self.perceive(count),
            Rules(self.machines(count), self.settings.decide),
        )
        states: list[State] = [{}]

        def work() -> object:
            verdicts = []
            for batch in self.batches(count):
                health, _ = perceive.look(batch)
                states[0], decisions = rules(states[0], health)
                verdicts.append(decisions)
            return verdicts

        for _ in range(max(self._baseline.smooth, self.model.steps if self.model else 0)):
            work()  # until every machine has windows enough for all its distances
        return work

    def bare(self, count: int) -> Callable[[], object]:
        """The same FFTs and the same inference, and nothing else.

        Of every record a real FFT, of its envelope's band one back and one forth.
        """
        rows = np.stack(
            [self._pool[at % POOL][axis] for at in range(count) for axis in range(AXES)]
        )
        band = round((ENVELOPE_HIGH_HZ - ENVELOPE_LOW_HZ) * SAMPLES / FS_HZ)
        band = int(fft.prev_fast_len(band))
        first = round(ENVELOPE_LOW_HZ * SAMPLES / FS_HZ)
        steps, features = (self.model.steps, self.model.features) if self.model else (0, 0)
        sequences = np.zeros((count, AXES, steps, features), np.float32) + np.float32(0.1)

        def work() -> object:
            for at in range(0, len(rows), 8):
                spectrum = fft.rfft(rows[at : at + 8], axis=1)
                envelope = fft.ifft(spectrum[:, first : first + band], axis=1)
                fft.rfft(envelope.real, axis=1)
            return self.model.run_bare(sequences) if self.model else None

        return work

    def scaling(self, rounds: int) -> dict[str, Any]:
        """Cost per machine and second at each size, and the dearest over the cheapest."""
        found = {}
        for size in SIZES:
            work = self.look(size)
            timed = [timed_ms(work) for _ in range(rounds)]
            found[str(size)] = round(percentiles(timed)["p50"] / size, 4)
        costs = list(found.values())
        return {"ms_per_machine_second": found, "dearest_over_cheapest": _ratio(costs)}

    def memory(self, windows: int) -> dict[str, Any]:
        """Resident memory after a fifth of the windows, and at the end."""
        work, done, end = self.look(MACHINES), 0, time.monotonic() + 4 * MOST_MB_S
        first = 0.0
        while done < windows and time.monotonic() < end:
            work()
            done += MACHINES
            if not first and done >= windows // 5:
                first = rss_mb()
        last = rss_mb()
        return {"windows": done, "rss_mb": last, "growth_mb": round(last - first, 1)}

    # ------------------------------------------------------------------------ the machines

    def machines(self, count: int) -> dict[str, Machine]:
        """So many machines of one kind."""
        return {f"m{number:04d}": self.machine for number in range(count)}

    def perceive(self, count: int) -> Perceive:
        """Ready, with a baseline for every machine."""
        machines = self.machines(count)
        made = Perceive(machines, self.settings.quality, self.settings.states, self.model)
        for baseline in self.baselines(machines):
            made.use(baseline)
        return made

    def baselines(self, machines: dict[str, Machine]) -> list[Baseline]:
        """The one that was learned, under every machine's name."""
        return [replace(self._baseline, asset=asset) for asset in machines]

    def batches(self, count: int) -> Iterator[Batch]:
        """The next second of all machines."""
        self._at_s += 60.0
        assets = list(self.machines(count))
        for at in range(0, count, BATCH):
            yield tuple(
                self._window(asset, number + int(self._at_s / 60), self._at_s)
                for number, asset in enumerate(assets[at : at + BATCH])
            )

    def reading(self, asset: str, number: int) -> VibrationReading:
        """As a sensor would deliver it."""
        return VibrationReading(
            asset, self._pool[number % POOL], FS_HZ, asset, rpm=self._rotor.nominal_rpm,
            rpm_change=0.0, load=0.7, temperature_c=50.0,
        )  # fmt: skip

    def _window(self, asset: str, number: int, at_s: float) -> Window:
        return Window(
            asset, self._pool[number % POOL], FS_HZ, at_s, at_s, self._rotor.nominal_rpm,
            0.0, 0.7, 50.0,
        )  # fmt: skip

    def _record(self, number: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
        rng = np.random.default_rng([self.settings.simulation.seed, number])
        running = Running(self._rotor.nominal_rpm, 0.7)
        return waveform(self._rotor, running, FS_HZ, (AXES, SAMPLES), rng)

    def _learned(self) -> Baseline:
        perceive = Perceive(
            {"m0000": self.machine}, self.settings.quality, self.settings.states
        )
        pairs = []
        for number in range(HEALTHY):
            (health,), measured = perceive.look((self._window("m0000", number, 60.0 * number),))
            pairs.append((health, measured["m0000"]))
        sequence = (self.model.name, self.model.history) if self.model else None
        return propose(
            "m0000", healthy_time(pairs), self.machine, self.settings.baseline,
            sequence=sequence,
        )  # fmt: skip


# ------------------------------------------------------------------- from sample to store


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
            found.append(self._fleet.reading(asset, self._count))
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
            sources=[source], model=fleet.model, shelf=shelf_of(Path(folder)), store=store,
            outbox=outbox, clock=clock,
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


def _ratio(values: list[float]) -> float:
    return round(max(values) / min(values), 3)
