"""The whole plant in software: devices, broker, stations, screens, one command.

Every part is a process of its own, as it is in a plant; the demo only starts them, looks
at them from outside as an operator would, and counts at the end.
"""

import math
import os
import shutil
import signal
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
from apps.demo_shows import BEHIND_THE_LINE, SHOWS
from apps.openers import default_config, opener_of
from apps.processes import check_free, ended
from common.errors import ConfigError, LinesideError
from common.station_settings import AppSettings

SCREEN_PORT = 8501
START_S = 60.0


@dataclass(frozen=True)
class Plan:
    """What to play."""

    apps: tuple[str, ...]
    config: Path | None
    """Instead of the app's own app.toml; only where one app plays."""
    changes: tuple[str, ...]
    var: Path
    seconds: float | None
    """None plays until interrupted."""
    screen: bool
    quiet: bool

    def __post_init__(self) -> None:
        if len(self.apps) > 1 and (self.config or self.changes):
            raise ConfigError("--config and --set are for one app: name it")


@dataclass(frozen=True)
class Player:
    """One station of the demo."""

    app: str
    settings: AppSettings
    process: "subprocess.Popen[bytes]"

    def state(self) -> dict[str, Any]:
        """What the station says of itself; {} while it says nothing."""
        if self.process.poll() is not None:
            raise LinesideError(f"{self.app} ended with code {self.process.returncode}")
        url = f"http://127.0.0.1:{self.settings.station.api_port}/state"
        try:
            return dict(httpx.get(url, timeout=5).json())
        except httpx.HTTPError:
            return {}

    def until_seen(self, started: float, patience_s: float) -> float:
        """Seconds from `started` until the app has shown that it works."""
        show = SHOWS[self.app]
        while time.monotonic() - started < patience_s:
            if show.seen(self.state()):
                return time.monotonic() - started
            time.sleep(0.2)
        raise LinesideError(f"{self.app}: no {show.sign} within {patience_s:g} s")


def play(plan: Plan) -> dict[str, Any]:
    """Run the plant; returns the figures counted by the devices and the stations."""
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing is left behind
    plan.var.mkdir(mode=0o700, parents=True, exist_ok=True)
    if plan.screen:  # another demo's screens show another plant
        check_free(SCREEN_PORT, "the screens' server", "end it, or play with --no-screen")
    with ExitStack() as plant:
        port = plant.enter_context(broker(plan.var))
        archive = plan.var / "archive.sqlite"
        plant.enter_context(collector(port, archive))
        players = [_player(plan, app, port, plant) for app in plan.apps]
        if plan.screen:
            plant.enter_context(ended(open_screen(SCREEN_PORT, plan.var)))
        _say(plan, players, port)
        patience_s = math.inf if plan.seconds is None else START_S  # who looks on can wait
        first = {player.app: player.until_seen(started, patience_s) for player in players}
        if not plan.quiet:
            for app, seconds in first.items():
                print(f"{app}: {SHOWS[app].sign} after {seconds:.1f} s")  # noqa: T201
        _wait(plan, started, players)
        return _figures(players, first, archive if port else None)


def _player(plan: Plan, app: str, port: int | None, plant: ExitStack) -> Player:
    config = plan.config or default_config(app)
    changes = [*plan.changes, *telemetry_changes(port)]
    if port is not None:
        changes += SHOWS[app].with_broker(port)
    settings = opener_of(app).load(config, changes)
    process = plant.enter_context(station_process(app, config, plan.var, changes))
    return Player(app, settings, process)


def open_screen(port: int, var: Path) -> "subprocess.Popen[bytes]":
    """The operator screens as a process of their own, behind the station in priority.

    Ctrl-C is for who started them, who ends them: Streamlit would answer with a traceback.
    """
    page = Path(__file__).with_name("screen.py")
    command = [
        *BEHIND_THE_LINE, sys.executable, "-m", "streamlit", "run", str(page),
        "--server.port", str(port),
        "--server.address", "127.0.0.1", "--server.headless", "true",
        "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none",
    ]  # fmt: skip
    environment = {**os.environ, "LINESIDE_VAR": str(var.resolve())}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which it inherits
    with ExitStack() as unless_done:
        unless_done.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
        unless_done.callback(server.terminate)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # a Ctrl-C of meanwhile comes here
        unless_done.pop_all()
    return server


@contextmanager
def station_process(
    app: str, config: Path, var: Path, changes: list[str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """`lineside run` as a process of its own, ended with the block."""
    command = [*SHOWS[app].before, sys.executable, "-m", "apps.cli", "run", app]
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


def _say(plan: Plan, players: list[Player], port: int | None) -> None:
    if plan.quiet:
        return
    lines = ["Lineside demo: a plant in software, nothing real moves."]
    if plan.screen:
        lines.append(f"Screens    http://127.0.0.1:{SCREEN_PORT}")
    for player in players:
        who = player.settings.station
        lines.append(f"Station    http://127.0.0.1:{who.api_port}/health  {who.name}")
    user = f"lineside user STATION NAME --role engineer --var {plan.var}"
    lines.append(f"Sign in    as a station says at its first start, or: {user}")
    away = "no mosquitto here: events wait in the station (apt install mosquitto)"
    lines.append(f"Broker     127.0.0.1:{port}" if port else f"Broker     {away}")
    lines.append("Ctrl-C ends it." if plan.seconds is None else f"For {plan.seconds:g} s.")
    print("\n".join(lines), flush=True)  # noqa: T201


def _wait(plan: Plan, started: float, players: list[Player]) -> None:
    try:
        while plan.seconds is None or time.monotonic() - started < plan.seconds:
            for player in players:
                if player.process.poll() is not None:
                    code = player.process.returncode
                    raise LinesideError(f"{player.app} ended with code {code}")
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass


def _figures(
    players: list[Player], first: dict[str, float], archive: Path | None
) -> dict[str, Any]:
    """What devices, stations and archive counted, each for itself."""
    found, queued = {}, 0
    for player in players:
        state = player.state()
        if not state:
            raise LinesideError(f"{player.app} does not answer at the end")
        figures = SHOWS[player.app].figures(player.settings, state)
        found[player.app] = {"first_sign_s": round(first[player.app], 2), **figures}
        queued += state["link"]["mqtt"]["queued"]
    return {
        "first_alarm_s": round(min(first.values()), 2),
        "apps": found,
        "telemetry": _archived(archive, queued),
        "passed": all(figures["passed"] for figures in found.values()),
    }


def _archived(archive: Path | None, queued: int) -> dict[str, Any] | None:
    """What came into the archive, what is missing there, and what still waits."""
    if archive is None:
        return None
    sources = gaps(f"sqlite:///{archive}")["sources"]
    return {
        "stored": sum(one["received"] for one in sources),
        "unexplained": sum(one["unexplained"] for one in sources),
        "queued": queued,
    }
