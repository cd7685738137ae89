"""How the device itself is: temperature, throttling, power, memory, disk, load.

Read from sysfs and procfs alone, without root and without vendor tools, on Jetson,
Raspberry Pi, x86 and beside a Coral PCIe card. A value that this device does not tell is
None, never 0. What `vcgencmd get_throttled` says stands in sysfs too; Hailo tells nothing
there, and Intel's energy counter is for root alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hardware import host_sysfs as sysfs


@dataclass(frozen=True)
class HostHealth:
    """The device at one moment; None is "not told here"."""

    temperature_c: float | None
    """The hottest zone."""
    temperatures_c: Mapping[str, float]
    """By zone; empty where none can be read."""
    throttled: bool | None
    """Slowed down by heat or supply now (x86: since the reading before)."""
    throttle_reasons: tuple[str, ...]
    frequency_capped: bool | None
    """A cooling device holds a clock down: the step before throttling."""
    over_current_events: int | None
    """Since the reading before; None at the first. Mostly benign in a Jetson's MAXN mode."""
    power_w: float | None
    """What the board draws, where it measures that itself."""
    power_mode: str | None
    """A Jetson's, by name."""
    cpu_clock_share: float | None
    """Mean clock of the cores over their highest."""
    gpu_load_percent: float | None
    gpu_mhz: float | None
    memory_total_mb: float | None
    memory_available_mb: float | None
    disk_total_mb: float | None
    disk_free_mb: float | None
    """Of the disk that the records are on."""
    load_1m: float | None
    """Runnable tasks, mean of one minute; above `cpus` they queue."""
    cpus: int | None


class HostMonitor:
    """Reads a `HostHealth` at each call; keeps the counters of the reading before."""

    def __init__(self, root: Path = Path("/"), disk: Path = Path("/")) -> None:
        self._root, self._disk = root, disk
        self._sys, self._proc = root / "sys", root / "proc"
        self._counts: dict[str, int] = {}

    def read(self) -> HostHealth:
        """The device now; never raises for what cannot be read."""
        zones = dict(sysfs.temperatures(self._sys))
        throttled, reasons = self._throttling()
        memory = sysfs.memory_mb(self._proc)
        disk = sysfs.disk_mb(self._disk)
        capped = sysfs.cooling(self._sys, ("cpufreq-", "devfreq-"), "")
        return HostHealth(
            temperature_c=max(zones.values(), default=None),
            temperatures_c=zones,
            throttled=throttled,
            throttle_reasons=reasons,
            frequency_capped=_any_active(capped),
            over_current_events=self._grown("over-current", sysfs.over_current(self._sys)),
            power_w=sysfs.power_w(self._sys),
            power_mode=sysfs.power_mode(self._root),
            cpu_clock_share=sysfs.cpu_clock_share(self._sys),
            gpu_load_percent=sysfs.gpu_load(self._sys),
            gpu_mhz=sysfs.gpu_mhz(self._sys),
            memory_total_mb=memory.get("MemTotal"),
            memory_available_mb=memory.get("MemAvailable"),
            disk_total_mb=disk[0],
            disk_free_mb=disk[1],
            load_1m=sysfs.load(self._proc),
            cpus=len(sysfs.found(self._sys, "devices/system/cpu/cpu[0-9]*")) or None,
        )

    def _throttling(self) -> tuple[bool | None, tuple[str, ...]]:
        """Throttled or not (None: nothing here tells), and why."""
        told = {
            **sysfs.cooling(self._sys, ("",), "-throttle-alert"),
            **sysfs.cooling(self._sys, ("hot-surface-alert",), ""),
            **sysfs.raspberry_pi(self._sys),
            **sysfs.coral(self._sys),
            **sysfs.intel_gpu(self._sys),
        }
        grown = self._grown("core throttle", sysfs.core_throttles(self._sys))
        if grown is not None:
            told["CPU core hot"] = grown > 0
        return _any_active(told), tuple(name for name, active in told.items() if active)

    def _grown(self, name: str, count: int | None) -> int | None:
        """How much a counter grew since the reading before; a reboot starts it anew."""
        before = self._counts.get(name)
        if count is None:
            return None
        self._counts[name] = count
        return None if before is None else max(0, count - before)


def _any_active(told: Mapping[str, bool]) -> bool | None:
    return any(told.values()) if told else None
