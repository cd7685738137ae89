"""Single readings from sysfs and procfs; which of them mean heat or supply is host.py's.

Every function takes the root of the tree it reads, so that any device can be a folder in a
test. What is absent, not ours to read or not a number is None or missing, never 0.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

POWERED_OFF_C = -200  # a Jetson zone of an engine that is off reads -256 °C
PI_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
CPU_SENSORS = ("coretemp", "k10temp", "cpu_thermal")
GPU_HEAT = ("thermal", "prochot", "vr_thermalert")
"""Of an Intel GPU's reasons; its power limits (pl1, pl2, …) hold under any load."""


def found(folder: Path, pattern: str) -> list[Path]:
    """What is there by that name, sorted; nothing while no more files can be opened."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


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
    for folder in found(sys, "class/hwmon/hwmon*"):
        if _text(folder / "name") in names:
            yield folder


def temperatures(sys: Path) -> Iterator[tuple[str, float]]:
    """Name and °C of every zone, of the processor's own sensors and of Coral PCIe chips."""
    zones = [
        (zone, zone / "temp", _text(zone / "type"))
        for zone in found(sys, "class/thermal/thermal_zone*")
    ] + [
        (sensor, sensor, f"{_text(folder / 'name')} {sensor.name.removesuffix('_input')}")
        for folder in _hwmon(sys, *CPU_SENSORS)
        for sensor in found(folder, "temp*_input")
    ]
    zones += [(chip, chip / "temp", f"Coral {chip.name}") for chip in _corals(sys)]
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


def cooling(sys: Path, starts: tuple[str, ...], end: str) -> dict[str, bool]:
    """Cooling devices whose type starts and ends so, and whether they are active."""
    told: dict[str, bool] = {}
    for device in found(sys, "class/thermal/cooling_device*"):
        kind, state = _text(device / "type") or "", _number(device / "cur_state")
        if kind.startswith(starts) and kind.endswith(end) and state is not None:
            told[kind] = told.get(kind, False) or state > 0
    return told


def raspberry_pi(sys: Path) -> dict[str, bool]:
    """Its firmware's flags where the kernel shows them, else the under-voltage alarm."""
    for path in found(sys, "devices/platform/soc*/*firmware/get_throttled"):
        if (flags := _number(path, 16)) is not None:
            return {name: bool(flags >> bit & 1) for bit, name in enumerate(PI_FLAGS)}
    for folder in _hwmon(sys, "rpi_volt"):
        if (alarm := _number(folder / "in0_lcrit_alarm")) is not None:
            return {PI_FLAGS[0]: alarm > 0}
    return {}


def coral(sys: Path) -> dict[str, bool]:
    """Coral PCIe chips, and whether they are above the first of the trips that slow them."""
    told = {}
    for chip in _corals(sys):
        degrees, trip = _number(chip / "temp"), _number(chip / "trip_point0_temp")
        if degrees is not None and trip is not None:
            told[f"Coral {chip.name} hot"] = degrees >= trip
    return told


def intel_gpu(sys: Path) -> dict[str, bool]:
    """Why an Intel GPU is slowed down by heat: of i915 and of xe."""
    told: dict[str, bool] = {}
    for reason in GPU_HEAT:
        for path in (
            *found(sys, f"class/drm/card*/gt/gt*/throttle_reason_{reason}"),
            *found(sys, f"class/drm/card*/device/tile*/gt*/freq*/throttle/reason_{reason}"),
        ):
            if (state := _number(path)) is not None:
                name = f"GPU {reason}"
                told[name] = told.get(name, False) or state > 0
    return told


def core_throttles(sys: Path) -> int | None:
    """How often x86 cores and packages slowed themselves down since the boot."""
    return _sum(
        path
        for kind in ("core", "package")
        for path in found(
            sys, f"devices/system/cpu/cpu[0-9]*/thermal_throttle/{kind}_throttle_count"
        )
    )


def over_current(sys: Path) -> int | None:
    """How often a Jetson drew too much since the boot."""
    folders = _hwmon(sys, "soctherm_oc")
    return _sum(path for folder in folders for path in found(folder, "oc*_event_cnt"))


def power_w(sys: Path) -> float | None:
    """The board's INA3221 monitors: VDD_IN is the whole board, else the rails are summed."""
    rails: dict[str, float] = {}
    for folder in _hwmon(sys, "ina3221"):
        for label in found(folder, "in[0-9]_label"):
            name, number = _text(label) or "NC", label.name[2]
            volts = _number(folder / f"in{number}_input")  # mV
            amperes = _number(folder / f"curr{number}_input")  # mA
            if name != "NC" and "shunt" not in name and None not in (volts, amperes):
                rails[name] = (volts or 0) * (amperes or 0) / 1e6
    return rails.get("VDD_IN", sum(rails.values()) if rails else None)


def gpu_load(sys: Path) -> float | None:
    """A Jetson's GPU, in percent."""
    paths = [
        *found(sys, "class/devfreq/*gpu*/device/load"),
        sys / "devices/platform/gpu.0/load",
    ]
    for path in paths:
        if (per_mille := _number(path)) is not None:
            return per_mille / 10
    return None


def gpu_mhz(sys: Path) -> float | None:
    """The clock a GPU runs at now."""
    for path in found(sys, "class/devfreq/*gpu*/cur_freq"):
        if (hertz := _number(path)) is not None:
            return hertz / 1e6
    for path in found(sys, "class/drm/card*/gt/gt*/rps_act_freq_mhz"):
        if (megahertz := _number(path)) is not None:
            return float(megahertz)
    return None


def cpu_clock_share(sys: Path) -> float | None:
    """Mean clock of the cores over their highest: heat shows here where nothing else tells."""
    shares = [
        now / most
        for core in found(sys, "devices/system/cpu/cpu[0-9]*/cpufreq")
        if (now := _number(core / "scaling_cur_freq")) is not None
        and (most := _number(core / "cpuinfo_max_freq"))
    ]
    return round(sum(shares) / len(shares), 3) if shares else None


def power_mode(root: Path) -> str | None:
    """The name of a Jetson's power mode (nvpmodel): figures of two modes do not compare."""
    mode = re.search(r"pmode:(\d+)", _text(root / "var/lib/nvpmodel/status") or "")
    if mode is None:
        return None
    number = int(mode[1])
    pattern = rf"POWER_MODEL\s+ID={number}\s+NAME=(\S+)"
    name = re.search(pattern, _text(root / "etc/nvpmodel.conf") or "")
    return name[1] if name else str(number)


def memory_mb(proc: Path) -> dict[str, float]:
    """/proc/meminfo in MB by its own names."""
    lines = (line.split() for line in (_text(proc / "meminfo") or "").splitlines())
    return {
        words[0].rstrip(":"): int(words[1]) / 1024
        for words in lines
        if len(words) > 1 and words[1].isdigit()
    }


def disk_mb(path: Path) -> tuple[float | None, float | None]:
    """Total and free MB of the disk that `path` is on."""
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return None, None
    return usage.total / 2**20, usage.free / 2**20


def load(proc: Path) -> float | None:
    """Runnable tasks, mean of one minute."""
    try:
        return float((_text(proc / "loadavg") or "").split()[0])
    except (ValueError, IndexError):
        return None


def _sum(paths: Iterator[Path]) -> int | None:
    counts = [count for path in paths if (count := _number(path)) is not None]
    return sum(counts) if counts else None


def _corals(sys: Path) -> list[Path]:
    return found(sys, "class/apex/apex_*")
