"""Frame → reject word, as the PLC sees it, on a whole station at ten parts a second.

The station is the one that ships: virtual PLC over TCP, store, alarms, uplink to a real
broker where one is installed, the screens, and a browser that looks at them where there
is one. The clock starts when the picture is in memory and stops when an independent
Modbus client has read the answer back from the PLC.
"""

import shutil
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import httpx
import numpy as np

from apps.base import open_base
from apps.defect_inspection import station
from apps.demo import SCREEN_PORT, broker, open_screen, station_process, telemetry_changes
from apps.demo_shows import BEHIND_THE_LINE
from apps.open_inspection import load, open_parts, world
from apps.openers import opener_of
from apps.processes import ended
from common.clock import SystemClock
from common.errors import LinesideError
from common.inference.benchmark import rss_mb
from common.pipeline import percentiles
from common.ports import Camera, PartGate, PartResult, ResultCode, Trigger
from hardware.fieldbus.modbus_client import ModbusClient
from hardware.fieldbus.registers import RESULT

PARTS_PER_S = 10.0
START_S = 60.0


class TimedGate:
    """A gate that reads every rejecting answer back from the PLC, as a stranger would."""

    def __init__(self, gate: PartGate, reader: ModbusClient) -> None:
        self._gate, self._reader = gate, reader
        self.name = gate.name
        self.frame_at = 0.0
        self.reject_ms: list[float] = []

    def answer(self, result: PartResult) -> None:
        """Answer, read back, note the time."""
        self._gate.answer(result)
        if result.code is ResultCode.PASS:
            return
        self._reader.connect()
        part_id, code = self._reader.read(RESULT, 2)
        if (part_id, code) != (result.part_id, result.code):
            raise LinesideError(f"the PLC holds {code} for {part_id}, not {result}")
        self.reject_ms.append((time.perf_counter() - self.frame_at) * 1000)

    def __getattr__(self, name: str) -> Any:
        """All else is the gate's own."""
        return getattr(self._gate, name)


class TimedCamera:
    """Tells the gate when the picture was in memory."""

    def __init__(self, camera: Camera, gate: TimedGate) -> None:
        self._camera, self._gate, self.name = camera, gate, camera.name

    def capture(self, trigger: Trigger) -> np.ndarray:
        """The picture."""
        frame = self._camera.capture(trigger)
        self._gate.frame_at = time.perf_counter()
        return frame

    def close(self) -> None:
        """Handed through."""
        self._camera.close()


def run_line(path: Path, changes: list[str], seconds: float) -> dict[str, Any]:
    """frame_to_reject_ms at ten parts a second; start-up time and memory of a station."""
    with TemporaryDirectory() as folder, ExitStack() as plant:
        var = Path(folder)
        port = plant.enter_context(broker(var))
        fast = [
            *changes, *telemetry_changes(port), f"simulation.parts_per_s={PARTS_PER_S}",
            "simulation.defective_share=0.3", "line.consecutive_rejects=1000",
            "line.window_rejects=10000", "line.window_parts=10000",
        ]  # fmt: skip
        startup_s, memory = _started(path, var / "start", fast)
        plant.enter_context(ended(open_screen(SCREEN_PORT, var)))
        watched = _browser(plant, var)
        rejects, parts = _at_full_speed(path, fast, var, seconds)
    return {
        "frame_to_reject_ms": percentiles(rejects),
        "line": {
            "parts_per_s": PARTS_PER_S, "parts": parts, "rejects": len(rejects),
            "uplink": port is not None, "browser": watched,
        },
        "startup_s": startup_s,
        "rss_mb": memory,
    }  # fmt: skip


def _started(path: Path, var: Path, changes: list[str]) -> tuple[float, float]:
    settings = load(path, changes)
    url = f"http://127.0.0.1:{settings.station.api_port}/health"
    begun = time.monotonic()
    with station_process("defect_inspection", path, var, changes) as process:
        while time.monotonic() - begun < START_S and process.poll() is None:
            try:
                if httpx.get(url, timeout=1).status_code == httpx.codes.OK:
                    return round(time.monotonic() - begun, 2), rss_mb(process.pid)
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
    raise LinesideError("the station did not become healthy in a minute")


def _browser(plant: ExitStack, var: Path) -> bool:
    program = shutil.which("chromium")
    if program is None:
        return False
    time.sleep(3)  # until the screens listen
    command = [
        *BEHIND_THE_LINE, program, "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-background-networking", "--remote-debugging-port=0",
        f"--user-data-dir={var / 'browser'}",
        f"http://127.0.0.1:{SCREEN_PORT}",
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: S603 - fixed words
    plant.enter_context(ended(process))
    return True


def _at_full_speed(
    path: Path, changes: list[str], var: Path, seconds: float
) -> tuple[list[float], int]:
    settings = load(path, changes)
    stop = threading.Event()
    with ExitStack() as opened:
        opened.enter_context(world(settings, path))
        app = "defect_inspection"
        base = open_base(app, opener_of(app), settings, path, var, opened)
        parts = open_parts(settings, path, base, opened)
        options = settings.plc.options
        reader = ModbusClient(
            str(options.get("host", "127.0.0.1")), int(options.get("port", 5020)),
            clock=SystemClock(),
        )  # fmt: skip
        opened.callback(reader.close)
        gate = TimedGate(parts.gate, reader)
        camera = TimedCamera(parts.camera, gate)
        timed = replace(parts, gate=cast(PartGate, gate), camera=camera)
        line = station.build(settings, timed)
        threading.Timer(seconds, stop.set).start()
        line.run(stop)
        return gate.reject_ms, line.tally.parts
