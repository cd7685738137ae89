"""The device itself: heat, supply, memory and disk, now."""

from collections.abc import Iterator
from pathlib import Path

from hardware.doctor.finding import Finding
from hardware.host import HostHealth, HostMonitor

LEAST_DISK_MB, LEAST_MEMORY_MB = 1000, 500


def findings(root: Path = Path("/"), disk: Path | None = None) -> Iterator[Finding]:
    """Four things that make a station slow or stop it."""
    now = HostMonitor(root, disk or Path.cwd()).read()
    yield _throttling(now)
    yield _temperature(now)
    yield _room("memory", now.memory_available_mb, now.memory_total_mb, LEAST_MEMORY_MB,
                "end other programs, or run fewer apps here")  # fmt: skip
    yield _room("disk", now.disk_free_mb, now.disk_total_mb, LEAST_DISK_MB,
                "free space, or lower the retention in app.toml")  # fmt: skip


def _throttling(now: HostHealth) -> Finding:
    if not now.throttled:
        told = "cannot be told here" if now.throttled is None else "none"
        return Finding("throttling", True, False, told)
    reasons = ", ".join(now.throttle_reasons)
    return Finding("throttling", False, False, f"now: {reasons}",
                   "cool the device, check its supply; all figures are too slow")  # fmt: skip


def _temperature(now: HostHealth) -> Finding:
    if now.temperature_c is None:
        return Finding("temperature", True, False, "cannot be read here")
    power = "" if now.power_w is None else f", {now.power_w:.1f} W"
    return Finding("temperature", True, False, f"{now.temperature_c:.0f} °C{power}")


def _room(name: str, free: float | None, total: float | None, least: int, cure: str) -> Finding:
    if free is None or total is None:
        return Finding(name, True, False, "cannot be read here")
    found = f"{free / 1024:.1f} of {total / 1024:.1f} GiB free"
    return Finding(name, free >= least, True, found, "" if free >= least else cure)
