"""Recorded vibration as a source: as fast as it is asked for, or with its own timing.

A folder's files belong to the machine whose name they bear: `fan-3.npz`, `fan-3_*.csv`, or
`fan-3/*.wav`; one file alone to the machine in `asset`.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from common.config import setting
from common.errors import SensorError
from common.ports import Clock, VibrationReading
from hardware.sensors.payload import NOTHING
from hardware.sensors.records import READERS, BadFile, FileRecord, read_records


@dataclass(frozen=True, kw_only=True)
class FilesSettings:
    """Which recordings, of whom, and how fast."""

    path: Path
    """A folder, or one file."""
    asset: str = setting("")
    """The machine of all of them; "" takes it from the files' names."""
    fs_hz: float = setting(0.0, low=0.0, high=1e6, unit="Hz")
    """Of files that do not say it themselves."""
    scale: float = setting(1.0, low=1e-9, high=1e9, unit="m/s² per unit")
    """Of a WAV: m/s² at full scale."""
    window_s: float = setting(1.0, low=0.01, high=60.0, unit="s")
    """Longer recordings are cut into such windows."""
    rpm: float = setting(0.0, low=0.0, high=1e6, unit="r/min")
    """Of files that do not say it; 0 is not known."""
    speed: float = setting(0.0, low=0.0, high=1e6)
    """1 keeps the original timing, 60 runs a minute in a second, 0 waits for nothing."""
    loop: bool = setting(False)
    """Start again at the end; otherwise the end is an error."""


@dataclass(frozen=True, kw_only=True)
class ReplaySettings(FilesSettings):
    """The same with the original timing unless told otherwise."""

    speed: float = setting(1.0, low=0.0, high=1e6)


class FilesSource:
    """common.ports.VibrationSource over recordings; a bad file is one reading with a fault."""

    def __init__(self, settings: FilesSettings, clock: Clock) -> None:
        self.name = f"files {settings.path.name}"
        self.dropped = 0
        self._settings, self._clock = settings, clock
        self._readings: Iterator[VibrationReading] | None = None
        self._next: VibrationReading | None = None
        self._began = clock.monotonic()
        self._round_s = 0.0
        """Where the present round of a loop begins."""
        self._last_s = 0.0

    def poll(self, timeout_s: float) -> list[VibrationReading]:
        """The windows that are due; raises SensorError at the end of what is not a loop."""
        reading = self._upcoming()
        wait = self._due_in(reading)
        if wait > 0:
            self._clock.sleep(min(wait, timeout_s))
            if wait > timeout_s:
                return []
        found = [self._taken(reading)]
        while self._settings.speed and (more := self._look()) and self._due_in(more) <= 0:
            found.append(self._taken(more))
        return found

    def close(self) -> None:
        """Nothing stays open."""

    def _due_in(self, reading: VibrationReading) -> float:
        if not self._settings.speed:
            return 0.0
        due = self._began + (reading.elapsed_s or 0.0) / self._settings.speed
        return due - self._clock.monotonic()

    def _taken(self, reading: VibrationReading) -> VibrationReading:
        self._next = None
        self._last_s = reading.elapsed_s or 0.0
        return reading

    def _look(self) -> VibrationReading | None:
        if self._next is None and self._readings is not None:
            self._next = next(self._readings, None)
        return self._next

    def _upcoming(self) -> VibrationReading:
        if self._readings is None:
            self._readings = self._all()
        reading = self._look()
        if reading is None and self._settings.loop:
            self._round_s = self._last_s + self._settings.window_s
            self._readings = self._all()
            reading = self._look()
        if reading is None:
            raise SensorError(self.name, "is at its end; set loop = true to go round")
        return reading

    def _all(self) -> Iterator[VibrationReading]:
        """The windows of all machines, in the order of their time."""
        by_asset: dict[str, list[Path]] = {}
        for path in _files(self._settings.path, self.name):
            by_asset.setdefault(self._asset(path), []).append(path)
        streams = [self._machine(asset, paths) for asset, paths in by_asset.items()]
        return heapq.merge(*streams, key=lambda reading: reading.elapsed_s or 0.0)

    def _asset(self, path: Path) -> str:
        if self._settings.asset:
            return self._settings.asset
        root = self._settings.path
        inside = root not in (path.parent, path)
        return path.parent.name if inside else path.stem.partition("_")[0]

    def _machine(self, asset: str, paths: list[Path]) -> Iterator[VibrationReading]:
        begin = self._round_s
        for path in paths:
            end = begin
            try:
                for record in read_records(path, self._settings.fs_hz, self._settings.scale):
                    for reading in self._windows(asset, record, begin):
                        end = (reading.elapsed_s or 0.0) + self._settings.window_s
                        yield reading
            except BadFile as error:
                yield VibrationReading(
                    asset, NOTHING, 0.0, self.name, elapsed_s=end, fault=str(error)
                )
            begin = end

    def _windows(
        self, asset: str, record: FileRecord, begin: float
    ) -> Iterator[VibrationReading]:
        whole = record.acceleration.shape[1]
        size = min(whole, max(1, round(self._settings.window_s * record.fs_hz)))
        reading = VibrationReading(
            asset, NOTHING, record.fs_hz, self.name,
            rpm=record.rpm if record.rpm is not None else self._settings.rpm or None,
            load=record.load, temperature_c=record.temperature_c,
        )  # fmt: skip
        for start in range(0, max(whole - size, 0) + 1, size):
            at = begin + record.start_s + start / record.fs_hz
            samples = record.acceleration[:, start : start + size]
            yield replace(reading, acceleration=samples, elapsed_s=at)


def _files(path: Path, name: str) -> list[Path]:
    if not path.exists():
        raise SensorError(name, f"{path} does not exist")
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [one for one in inside if one.suffix.lower() in READERS]
    if not found:
        raise SensorError(name, f"{path} holds no recordings ({', '.join(READERS)})")
    return found
