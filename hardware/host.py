"""How the device itself is: temperature, throttling, power, memory, disk, load.

Read from sysfs and procfs alone, without root and without vendor tools, on Jetson,
Raspberry Pi and x86. A value that this device does not tell is None, never 0.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

POWERED_OFF_C = -200  # a Jetson zone of an engine that is off reads -256 °C
PI_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
CPU_SENSORS = ("coretemp", "k10temp", "cpu_thermal")


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
    gpu_load_percent: float | None
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
        self._sys, self._proc, self._disk = root / "sys", root / "proc", disk
        self._counts: dict[str, int] = {}

    def read(self) -> HostHealth:
        """The device now; never raises for what cannot be read."""
        zones = dict(_temperatures(self._sys))
        throttled, reasons = self._throttling()
        memory = _memory_mb(self._proc)
        disk = _disk_mb(self._disk)
        return HostHealth(
            temperature_c=max(zones.values(), default=None),
            temperatures_c=zones,
            throttled=throttled,
            throttle_reasons=reasons,
            frequency_capped=_any_active(_cooling(self._sys, ("cpufreq-", "devfreq-"), "")),
            over_current_events=self._grown("over-current", _over_current(self._sys)),
            power_w=_power_w(self._sys),
            gpu_load_percent=_gpu_load(self._sys),
            memory_total_mb=memory.get("MemTotal"),
            memory_available_mb=memory.get("MemAvailable"),
            disk_total_mb=disk[0],
            disk_free_mb=disk[1],
            load_1m=_load(self._proc),
            cpus=len(list(self._sys.glob("devices/system/cpu/cpu[0-9]*"))) or None,
        )

    def _throttling(self) -> tuple[bool | None, tuple[str, ...]]:
        """Throttled or not (None: nothing here tells), and why."""
        told = {
            **_cooling(self._sys, ("",), "-throttle-alert"),
            **_cooling(self._sys, ("hot-surface-alert",), ""),
            **_raspberry_pi(self._sys),
        }
        grown = self._grown("core throttle", _core_throttles(self._sys))
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


# ------------------------------------------------------------------ reading small files


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip().strip("\0")
    except OSError:  # absent, not ours to read, or EAGAIN from an engine that is off
        return None


def _number(path: Path, base: int = 10) -> int | None:
    try:
        return int(_text(path) or "", base)
    except ValueError:
        return None


def _hwmon(sys: Path, *names: str) -> Iterator[Path]:
    """The hwmon folders of these names: their numbers change from boot to boot."""
    for folder in sorted(sys.glob("class/hwmon/hwmon*")):
        if _text(folder / "name") in names:
            yield folder


def _any_active(told: Mapping[str, bool]) -> bool | None:
    return any(told.values()) if told else None


# ------------------------------------------------------------------ one thing each


def _temperatures(sys: Path) -> Iterator[tuple[str, float]]:
    zones = [
        (zone, zone / "temp", _text(zone / "type"))
        for zone in sorted(sys.glob("class/thermal/thermal_zone*"))
    ] + [
        (sensor, sensor, f"{_text(folder / 'name')} {sensor.name.removesuffix('_input')}")
        for folder in _hwmon(sys, *CPU_SENSORS)
        for sensor in sorted(folder.glob("temp*_input"))
    ]
    seen: set[str] = set()
    for zone, path, label in zones:
        millidegrees = _number(path)
        if millidegrees is None or millidegrees / 1000 < POWERED_OFF_C:
            continue
        name = label or zone.name
        if name in seen:  # two zones may bear one type
            name = f"{name} {zone.name}"
        seen.add(name)
        yield name, millidegrees / 1000


def _cooling(sys: Path, starts: tuple[str, ...], end: str) -> dict[str, bool]:
    """Cooling devices whose type starts and ends so, and whether they are active."""
    told: dict[str, bool] = {}
    for device in sorted(sys.glob("class/thermal/cooling_device*")):
        kind, state = _text(device / "type") or "", _number(device / "cur_state")
        if kind.startswith(starts) and kind.endswith(end) and state is not None:
            told[kind] = told.get(kind, False) or state > 0
    return told


def _raspberry_pi(sys: Path) -> dict[str, bool]:
    """Its firmware's flags where the kernel shows them, else the under-voltage alarm."""
    for path in sys.glob("devices/platform/soc*/*firmware/get_throttled"):
        if (flags := _number(path, 16)) is not None:
            return {name: bool(flags >> bit & 1) for bit, name in enumerate(PI_FLAGS)}
    for folder in _hwmon(sys, "rpi_volt"):
        if (alarm := _number(folder / "in0_lcrit_alarm")) is not None:
            return {PI_FLAGS[0]: alarm > 0}
    return {}


def _core_throttles(sys: Path) -> int | None:
    paths = sys.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [count for path in paths if (count := _number(path)) is not None]
    return sum(counts) if counts else None


def _over_current(sys: Path) -> int | None:
    paths = (p for folder in _hwmon(sys, "soctherm_oc") for p in folder.glob("oc*_event_cnt"))
    counts = [count for path in paths if (count := _number(path)) is not None]
    return sum(counts) if counts else None


def _power_w(sys: Path) -> float | None:
    """The board's INA3221 monitors: VDD_IN is the whole board, else the rails are summed."""
    rails: dict[str, float] = {}
    for folder in _hwmon(sys, "ina3221"):
        for label in folder.glob("in[0-9]_label"):
            name, number = _text(label) or "NC", label.name[2]
            volts = _number(folder / f"in{number}_input")  # mV
            amperes = _number(folder / f"curr{number}_input")  # mA
            if name != "NC" and "shunt" not in name and None not in (volts, amperes):
                rails[name] = (volts or 0) * (amperes or 0) / 1e6
    return rails.get("VDD_IN", sum(rails.values()) if rails else None)


def _gpu_load(sys: Path) -> float | None:
    paths = [*sys.glob("class/devfreq/*gpu*/device/load"), sys / "devices/platform/gpu.0/load"]
    for path in paths:
        if (per_mille := _number(path)) is not None:
            return per_mille / 10
    return None


def _memory_mb(proc: Path) -> dict[str, float]:
    lines = (line.split() for line in (_text(proc / "meminfo") or "").splitlines())
    return {
        words[0].rstrip(":"): int(words[1]) / 1024
        for words in lines
        if len(words) > 1 and words[1].isdigit()
    }


def _disk_mb(path: Path) -> tuple[float | None, float | None]:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return None, None
    return usage.total / 2**20, usage.free / 2**20


def _load(proc: Path) -> float | None:
    try:
        return float((_text(proc / "loadavg") or "").split()[0])
    except (ValueError, IndexError):
        return None
