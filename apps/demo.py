"""The whole plant in software: virtual PLC, broker, station, screens, one command.

Every part is a process of its own, as it is in a plant; the demo only starts them, looks
at them from outside as an operator would, and counts at the end.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from apps.collect import gaps
from apps.defect_inspection.config import Settings
from apps.settings_table import settings_table
from common.clock import SystemClock
from common.config import from_table
from common.errors import LinesideError
from hardware.virtual_plc import SimulatorControl

SCREEN_PORT = 8501
START_S = 60.0
STOP_S = 10.0
BEHIND_THE_LINE = ("nice", "-n", "15")  # who looks at the line must not slow it


@dataclass(frozen=True)
class Plan:
    """What to play."""

    config: Path
    changes: tuple[str, ...]
    var: Path
    seconds: float | None
    """None plays until interrupted."""
    screen: bool
    quiet: bool


def play(plan: Plan) -> dict[str, Any]:
    """Run the plant; returns the figures counted by PLC and station."""
    started = time.monotonic()
    plan.var.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = from_table(Settings, settings_table(plan.config, [*plan.changes]), plan.config)
    with ExitStack() as plant:
        port = plant.enter_context(broker(plan.var))
        archive = plan.var / "archive.sqlite"
        plant.enter_context(collector(port, archive))
        changes = [*plan.changes, *telemetry_changes(port)]
        station = plant.enter_context(station_process(plan.config, plan.var, changes))
        if plan.screen:
            plant.enter_context(ended(open_screen(SCREEN_PORT, plan.var)))
        _say(plan, settings, port)
        first = _first_reject(settings, station, started)
        if not plan.quiet:
            print(f"first rejected part after {first:.1f} s")  # noqa: T201
        _wait(plan, started, station)
        return _figures(settings, first, archive if port else None)


def open_screen(port: int, var: Path) -> "subprocess.Popen[bytes]":
    """The operator screens as a process of their own, behind the station in priority."""
    page = Path(__file__).with_name("screen.py")
    command = [
        *BEHIND_THE_LINE, sys.executable, "-m", "streamlit", "run", str(page),
        "--server.port", str(port),
        "--server.address", "127.0.0.1", "--server.headless", "true",
        "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none",
    ]  # fmt: skip
    environment = {**os.environ, "LINESIDE_VAR": str(var.resolve())}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603


@contextmanager
def station_process(
    config: Path, var: Path, changes: list[str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """`lineside run` as a process of its own, ended with the block."""
    command = [sys.executable, "-m", "apps.cli", "run", "defect_inspection"]
    command += ["--config", str(config), "--var", str(var)]
    for change in changes:
        command += ["--set", change]
    with ended(subprocess.Popen(command)) as process:  # noqa: S603 - our own module
        yield process


@contextmanager
def broker(var: Path) -> Iterator[int | None]:
    """A mosquitto of our own on a free port; None where the program is not installed."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = var / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    command = [program, "-c", str(settings)]
    quiet = subprocess.DEVNULL
    with ended(subprocess.Popen(command, stdout=quiet, stderr=quiet)):  # noqa: S603
        _wait_until_it_listens(port)
        yield port


def _wait_until_it_listens(port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.02)
    raise LinesideError(f"the broker does not listen on port {port}")


@contextmanager
def collector(port: int | None, archive: Path) -> "Iterator[subprocess.Popen[bytes] | None]":
    """`lineside collect` into the SQLite file `archive`; None without a broker."""
    if port is None:
        yield None
        return
    command = [*BEHIND_THE_LINE, sys.executable, "-m", "apps.cli", "collect"]
    command += ["--to", f"sqlite:///{archive}"]
    command += ["--set", "broker.host=127.0.0.1", "--set", f"broker.port={port}"]
    quiet = subprocess.DEVNULL
    with ended(subprocess.Popen(command, stderr=quiet)) as process:  # noqa: S603 - ours
        yield process


def telemetry_changes(port: int | None) -> list[str]:
    """The settings that point a station at the broker; None is no broker."""
    if port is None:
        return ["telemetry.enabled=false"]
    return ["telemetry.enabled=true", f"telemetry.port={port}"]


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """Asked to end with the block, and killed when it does not."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _say(plan: Plan, settings: Settings, port: int | None) -> None:
    if plan.quiet:
        return
    lines = ["Lineside demo: a plant in software, nothing real moves."]
    if plan.screen:
        lines.append(f"Screens    http://127.0.0.1:{SCREEN_PORT}")
    lines.append(f"Station    http://127.0.0.1:{settings.station.api_port}/health")
    user = f"lineside user {settings.station.name} NAME --role engineer --var {plan.var}"
    lines.append(f"Sign in    as the station says at its first start, or: {user}")
    away = "no mosquitto here: events wait in the station (apt install mosquitto)"
    lines.append(f"Broker     127.0.0.1:{port}" if port else f"Broker     {away}")
    lines.append("Ctrl-C ends it." if plan.seconds is None else f"For {plan.seconds:g} s.")
    print("\n".join(lines), flush=True)  # noqa: T201


def _first_reject(
    settings: Settings, station: "subprocess.Popen[bytes]", started: float
) -> float:
    """Seconds until the PLC had proof of the first reject."""
    url = f"http://127.0.0.1:{settings.station.api_port}/state"
    while time.monotonic() - started < START_S:
        if station.poll() is not None:
            raise LinesideError(f"the station ended with code {station.returncode}")
        try:
            state = httpx.get(url, timeout=2).json()
        except httpx.HTTPError:
            state = {}
        if state.get("counts", {}).get("reject", 0) and state["counts"]["confirmed"]:
            return time.monotonic() - started
        time.sleep(0.2)
    raise LinesideError(f"no part was rejected within {START_S:g} s")


def _wait(plan: Plan, started: float, station: "subprocess.Popen[bytes]") -> None:
    try:
        while plan.seconds is None or time.monotonic() - started < plan.seconds:
            if station.poll() is not None:
                raise LinesideError(f"the station ended with code {station.returncode}")
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass


def _figures(settings: Settings, first: float, archive: Path | None) -> dict[str, Any]:
    """What PLC, station and archive counted, each for itself."""
    options = settings.plc.options
    control = SimulatorControl(
        str(options.get("host", "127.0.0.1")), int(options.get("port", 5020)), SystemClock(),
        word_order=str(options.get("word_order", "CDAB")),
    )  # fmt: skip
    counters = control.counters()
    control.close()
    url = f"http://127.0.0.1:{settings.station.api_port}/state"
    state = httpx.get(url, timeout=5).json()
    inspection = {
        "parts": counters.parts_total,
        "passed": counters.passed,
        "rejected": counters.rejected,
        "passed_without_pass": counters.passed_without_pass,
        "unaccounted": counters.unaccounted,
        "late_verdicts": counters.late_verdicts,
        "recorded": state["counts"]["parts"],
        "latency_ms": state["latency_ms"].get("total", {}),
    }
    passed = not counters.passed_without_pass and not counters.unaccounted
    return {
        "first_alarm_s": round(first, 2),
        "apps": {"defect_inspection": inspection},
        "telemetry": _archived(archive, state["link"]["mqtt"]),
        "passed": bool(passed and counters.rejected),
    }


def _archived(archive: Path | None, mqtt: dict[str, Any]) -> dict[str, Any] | None:
    """What came into the archive, what is missing there, and what still waits."""
    if archive is None:
        return None
    sources = gaps(f"sqlite:///{archive}")["sources"]
    return {
        "stored": sum(one["received"] for one in sources),
        "unexplained": sum(one["unexplained"] for one in sources),
        "queued": mqtt["queued"],
    }
