"""The simulated plant as a source of vibration: the very port that real sensors stand behind.

Its time runs `speed_up` times as fast as ours. Before it begins to run it has a history,
taken as fast as the station can: what a baseline is learned from, without a day's wait.
"""

from collections.abc import Iterator

from apps.predictive_maintenance.config import Machine, Simulation
from apps.predictive_maintenance.domain import Window
from apps.predictive_maintenance.simulate import Damage, SimulatedPlant
from common.ports import Clock, VibrationReading

HOUR_S = 3600.0


def damages(settings: Simulation) -> dict[int, Damage]:
    """What goes wrong with which machine, counted from 0."""
    return {
        fault.machine - 1: Damage(fault.kind, fault.onset_h * HOUR_S, fault.life_h * HOUR_S)
        for fault in settings.faults
    }


def settings_of(settings: Simulation) -> dict[str, Machine]:
    """The plant's machines as app.toml would describe them."""
    plant = SimulatedPlant(settings)
    return {machine.asset: machine.settings() for machine in plant.machines}


class PlantSource:
    """common.ports.VibrationSource over machines in software; it says so in its name."""

    name = "simulated plant"
    dropped = 0

    def __init__(self, settings: Simulation, clock: Clock, *, history: bool = True) -> None:
        self._settings, self._clock = settings, clock
        self._plant = SimulatedPlant(settings, damages(settings))
        self._began: float | None = None
        self._first = settings.history if history else 0
        """Steps that are history; where there is none to be told, time begins after it."""
        self._windows = self._all(0 if history else settings.history)
        self._offset_s = settings.history * settings.step_s
        self._wall = clock.wall() - self._offset_s
        self._next = next(self._windows)

    @property
    def has_history(self) -> bool:
        """Whether what comes next is still history."""
        return self._next.at_s < self._first * self._settings.step_s

    def poll(self, timeout_s: float) -> list[VibrationReading]:
        """The records that are due; of history the next one of each machine."""
        if self.has_history:
            return [self._take() for _ in self._plant.machines]
        wait = self._due_in()
        if wait > 0:
            self._clock.sleep(min(wait, timeout_s))
            if wait > timeout_s:
                return []
        return [self._take()]

    def close(self) -> None:
        """Nothing is open."""

    def _due_in(self) -> float:
        """Machines are measured one after the other, evenly over a step."""
        if self._began is None:
            self._began = self._clock.monotonic()
        plant_s = self._next.at_s - self._offset_s
        return self._began + plant_s / self._settings.speed_up - self._clock.monotonic()

    def _take(self) -> VibrationReading:
        window, self._next = self._next, next(self._windows)
        return VibrationReading(
            window.asset, window.acceleration, window.fs_hz, f"sim-{window.asset}",
            None, self._wall + window.at_s, window.at_s,
            window.rpm, window.rpm_change, window.load, window.temperature_c,
        )  # fmt: skip

    def _all(self, step: int) -> Iterator[Window]:
        samples = round(self._settings.fs_hz * self._settings.window_s)
        machines = self._plant.machines
        while True:
            for number, machine in enumerate(machines):
                at = (step + number / len(machines)) * self._settings.step_s
                yield machine.window(at, self._settings.fs_hz, samples, self._settings.axes)
            step += 1
