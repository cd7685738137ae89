"""Machines for the bench: any number of them, at the load that the aim names.

They share a pool of drawn records and one learned baseline, so that drawing costs nothing.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import fft

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.config import Machine, Settings
from apps.predictive_maintenance.decide import Rules
from apps.predictive_maintenance.domain import Batch, Window
from apps.predictive_maintenance.perceive import Perceive
from apps.predictive_maintenance.remembered import State
from apps.predictive_maintenance.rotor import Running, draw_rotor, waveform
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.wizard import healthy_time, propose
from common.inference.benchmark import rss_mb, timed_ms
from common.inference.waveforms import ENVELOPE_HIGH_HZ, ENVELOPE_LOW_HZ
from common.pipeline import percentiles
from common.ports import VibrationReading

FS_HZ, SAMPLES, AXES = 25_600.0, 25_600, 3
MACHINES = 100
POOL = 20
"""Records that differ; every machine is sent one of them after the other."""
HEALTHY = 120
SIZES = (10, 100, 1000)
BATCH = 64
MEMORY_S = 240.0
"""How long the memory is watched at most."""


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
        work, done, end = self.look(MACHINES), 0, time.monotonic() + MEMORY_S
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


def _ratio(values: list[float]) -> float:
    return round(max(values) / min(values), 3)
