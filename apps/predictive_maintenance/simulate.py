"""The plant in software: rotating machines that change speed and load, and some that fail.

It says that it is a simulator. Schedules, slow healthy changes, disturbances and damage all
come from seeds, so the truth at every moment is known, and any window can be made again.
"""

import math
from dataclasses import dataclass

import numpy as np

from apps.predictive_maintenance import config
from apps.predictive_maintenance.domain import Batch, Window
from apps.predictive_maintenance.rotor import Rotor, Running, draw_rotor, waveform

STEP_S = 600.0
"""Schedules are drawn on this grid."""
WEEK_S = 7 * 86_400.0
SCHEDULE_WEEKS = 8
DAY_STEPS = int(86_400 / STEP_S)
DEFAULT_FS_HZ = 25_600.0
RAMP_SHARE = 0.15
"""Change of speed within a window that is taken while the machine ramps."""
BUMP_CHANCE = 0.005
"""Windows in which somebody drives past or drops something."""


@dataclass(frozen=True)
class Damage:
    """What goes wrong with a machine, and when."""

    kind: str
    onset_s: float
    life_s: float
    """From the onset to the end."""

    def severity(self, at_s: float) -> float:
        """0 before the onset, 1 at the end; damage breeds damage, so it grows by itself."""
        share = (at_s - self.onset_s) / self.life_s
        return min(math.expm1(4 * max(share, 0.0)) / math.expm1(4), 1.5)


@dataclass(frozen=True)
class Conditions:
    """How a machine runs at one moment; the truth behind what its window says."""

    rpm: float
    rpm_change: float
    load: float
    temperature_c: float
    running: Running


class SimulatedMachine:
    """One machine over some weeks; then its schedule begins again, its damage goes on."""

    def __init__(self, seed: int, number: int, damage: Damage | None = None) -> None:
        rng = np.random.default_rng([seed, number])
        self.asset = f"machine-{number + 1:02d}"
        self.rotor: Rotor = draw_rotor(rng)
        self.damage = damage
        self._seed, self._number = seed, number
        steps = math.ceil(SCHEDULE_WEEKS * WEEK_S / STEP_S)
        self._schedule = _schedule(rng, steps, self.rotor.nominal_rpm)

    def settings(self) -> config.Machine:
        """The machine as app.toml would describe it."""
        return config.Machine(
            name=f"Simulated machine {self._number + 1}", kind="motor", power_kw=90.0,
            group=2, support="rigid", criticality=1 + self._number % 3,
            bearings=(self.rotor.bearing,),
        )  # fmt: skip

    def conditions(self, at_s: float) -> Conditions:
        """How it runs at `at_s` seconds of simulated time."""
        step = int(at_s // STEP_S) % len(self._schedule)
        rpm, ramp, load, harmonic, noise, warm = self._schedule[step]
        damage = self.damage
        running = Running(
            rpm, load, (harmonic, noise), damage.kind if damage else "",
            damage.severity(at_s) if damage else 0.0,
        )  # fmt: skip
        hot = 8.0 * running.severity if running.damage != "unbalance" else 0.0
        return Conditions(rpm, ramp * rpm, load, 38.0 + 12.0 * load + warm + hot, running)

    def window(
        self, at_s: float, fs_hz: float = DEFAULT_FS_HZ, samples: int = 25_600, axes: int = 3
    ) -> Window:
        """What the sensor measures at `at_s`; the same again for the same arguments."""
        now = self.conditions(at_s)
        rng = np.random.default_rng([self._seed, self._number, int(at_s * 1000)])
        records = waveform(self.rotor, now.running, fs_hz, (axes, samples), rng)
        if rng.random() < BUMP_CHANCE:
            records += _bump(rng, fs_hz, samples)
        return Window(
            self.asset, records, fs_hz, at_s, at_s, now.rpm, now.rpm_change,
            now.load, now.temperature_c,
        )  # fmt: skip


class SimulatedPlant:
    """Machines of which some will fail, behind one call."""

    def __init__(
        self, settings: config.Simulation, damages: dict[int, Damage] | None = None
    ) -> None:
        self.machines = [
            SimulatedMachine(settings.seed, number, (damages or {}).get(number))
            for number in range(settings.machines)
        ]

    def batch(self, at_s: float, samples: int = 25_600, axes: int = 3) -> Batch:
        """One window of every machine."""
        return tuple(m.window(at_s, samples=samples, axes=axes) for m in self.machines)

    def truth(self, at_s: float) -> dict[str, Running]:
        """How every machine really runs, by asset."""
        return {m.asset: m.conditions(at_s).running for m in self.machines}


def _schedule(rng: np.random.Generator, steps: int, nominal_rpm: float) -> np.ndarray:
    """[steps, 6]: rpm, ramp share, load, slow change of harmonics and noise in neper, °C."""
    points = np.sort(rng.uniform(0.6, 1.0, int(rng.integers(2, 5))))
    loads = rng.uniform(0.3, 1.0, 3)
    speed, load = _held(rng, points, steps, 18), _held(rng, loads, steps, 12)
    changed = np.concatenate([[False], speed[1:] != speed[:-1]])
    ramp = np.where(changed & (rng.random(steps) < 0.7), RAMP_SHARE, 0.0)
    nights = (np.arange(steps) % DAY_STEPS) < int(rng.choice([0, 0, 30]))
    rpm = np.where(nights, 0.0, nominal_rpm * speed * (1 + 0.004 * rng.standard_normal(steps)))
    load = np.clip(load + 0.03 * rng.standard_normal(steps), 0.05, 1.0)
    day = np.sin(2 * np.pi * (np.arange(steps) / DAY_STEPS + rng.random()))
    season = rng.uniform(-0.05, 0.05, 2)[:, None] * np.arange(steps) * STEP_S / WEEK_S
    harmonic = 0.08 * _wander(rng, steps, DAY_STEPS) + 0.02 * day + season[1]
    noise = 0.05 * _wander(rng, steps, 2 * DAY_STEPS) + 0.03 * day + season[0]
    return np.stack([rpm, ramp, load, harmonic, noise, 4.0 * day], axis=1)


def _held(rng: np.random.Generator, points: np.ndarray, steps: int, mean: int) -> np.ndarray:
    """Set-points held for a while each, `mean` steps on average."""
    change = rng.random(steps) < 1 / mean
    return np.asarray(points[rng.integers(len(points), size=steps)][
        np.maximum.accumulate(np.where(change, np.arange(steps), 0))
    ])  # fmt: skip


def _wander(rng: np.random.Generator, steps: int, memory: int) -> np.ndarray:
    """A stationary random walk of variance 1 that forgets within `memory` steps."""
    keep = math.exp(-1 / memory)
    push = math.sqrt(1 - keep**2) * rng.standard_normal(steps)
    values, now = np.empty(steps), float(rng.standard_normal())
    for step in range(steps):
        now = keep * now + push[step]
        values[step] = now
    return values


def _bump(rng: np.random.Generator, fs_hz: float, samples: int) -> np.ndarray:
    """A shock from outside, ringing down: [1, samples] m/s²."""
    time = np.arange(samples) / fs_hz - rng.uniform(0, samples / fs_hz)
    ring = np.sin(2 * np.pi * rng.uniform(30, 300) * time) * np.exp(-np.abs(time) / 0.03)
    return np.asarray((rng.uniform(5, 30) * ring * (time >= 0)).astype(np.float32)[None])
