"""A value on the wire → the alarm visible to a reader of the store, on whole gateways.

As in a hospital each ward has a gateway of its own, a process with its own store, here all
on one machine. Monitors speak HL7 over MLLP at 1 Hz, every bed at its own moment of the
second. Some patients turn extreme; the clock starts when the message that completes the
rule's stated delay is written to the socket, and stops when somebody else's read-only
connection to the gateway's file finds the alarm.
"""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import httpx
import numpy as np

from apps.open_ward import load, open_ward_model
from apps.patient_monitoring import bench, speak
from apps.patient_monitoring.bed_alarms import EXTREME, alarm_of
from apps.patient_monitoring.config import Settings
from apps.patient_monitoring.domain import Sign
from apps.patient_monitoring.incoming.hl7 import stamp
from apps.patient_monitoring.line import END, START, Line
from common.errors import LinesideError
from common.inference.benchmark import rss_mb
from common.pipeline import percentiles

FIRST_PORT, FIRST_API = 26_000, 26_500
STATION = (sys.executable, "-m", "apps.cli", "run", "patient_monitoring")
BEDS_PER_LINE = 10
START_S, LOOK_S = 120.0, 0.01
WARM_S = 20.0
JITTER_S = 0.1
"""Of the second in which a monitor speaks: its twelfth second may be 11.99 s."""
ILL_S, EVERY_S = 20, 0.25
"""For how long a patient is extreme, and how often another one of the hospital turns so."""
WELL = {
    Sign.HR: 72.0, Sign.PULSE: 72.0, Sign.SPO2: 97.0, Sign.RR: 15.0, Sign.PI: 3.2,
    Sign.SBP: 124.0, Sign.DBP: 72.0, Sign.TEMP: 36.8,
}  # fmt: skip
FELL = 71.0
NUMBER = 777_777_777
NUMBERED, EPOCH = str(NUMBER).encode(), stamp(0.0).encode()


@dataclass
class Ward:
    """One gateway and what is measured of it."""

    number: int
    beds: int
    folder: Path
    process: "subprocess.Popen[bytes]"
    complete_at: dict[str, float] = field(default_factory=dict)
    """Alarm → when the value that completes its delay was on the wire (monotonic s)."""
    seen_at: dict[str, float] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """Where its monitors speak to."""
        return FIRST_PORT + self.number

    @property
    def file(self) -> Path:
        """Its store."""
        return self.folder / f"bench-{self.number:02d}" / "station.sqlite"


def run(path: Path, changes: Sequence[str], *, quick: bool = False) -> dict[str, Any]:
    """Figures for 1 ward of 50 up to 20 wards of 200."""
    sizes = ((1, 50), (2, 200)) if quick else ((1, 50), (1, 200), (5, 200), (20, 200))
    seconds = 25.0 if quick else 60.0
    grown = {str(wards * beds): hospital(path, changes, wards, beds, seconds)
             for wards, beds in sizes}  # fmt: skip
    last = grown[str(sizes[-1][0] * sizes[-1][1])]
    return {
        "wire_to_visible_ms": last["wire_to_visible_ms"],
        "patients": grown,
        "one_process": _steps(path, changes, quick=quick),
    }


def _steps(path: Path, changes: Sequence[str], *, quick: bool) -> dict[str, Any]:
    choice = open_ward_model(load(path, list(changes)), path)
    try:
        return bench.run(choice, quick=quick)
    finally:
        choice.model.close()


def hospital(
    path: Path, changes: Sequence[str], wards: int, beds: int, seconds: float
) -> dict[str, Any]:
    """One load, on as many gateways as there are wards."""
    settings = load(path, list(changes))
    with TemporaryDirectory() as folder, ExitStack() as opened:
        running = [
            opened.enter_context(_gateway(path, changes, Path(folder), number, beds))
            for number in range(wards)
        ]
        for ward in running:
            _wait(ward)
        return asyncio.run(Load(running, settings, seconds).play())


@contextmanager
def _gateway(
    path: Path, changes: Sequence[str], folder: Path, number: int, beds: int
) -> Iterator[Ward]:
    command = [*STATION, "--config", str(path), "--var", str(folder)]
    own = [
        f"station.name='bench-{number:02d}'", f"station.api_port={FIRST_API + number}",
        f"hl7.options.port={FIRST_PORT + number}", f"ward.beds={beds}",
        "simulation.enabled=false", f"ward.unit='W{number}'",
    ]  # fmt: skip
    for change in (*changes, *own):
        command += ["--set", change]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own module
    try:
        yield Ward(number, beds, folder, process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(ward: Ward) -> None:
    url, end = f"http://127.0.0.1:{FIRST_API + ward.number}/state", time.monotonic() + START_S
    while time.monotonic() < end:
        if ward.process.poll() is not None:
            raise LinesideError(f"ward {ward.number} ended with {ward.process.returncode}")
        try:
            if httpx.get(url, timeout=5.0, trust_env=False).json().get("beds"):
                return
        except (httpx.HTTPError, ValueError):
            time.sleep(0.2)
    raise LinesideError(f"ward {ward.number} did not start")


class Sender(asyncio.Protocol):
    """A monitor's line that counts its acknowledgements; far cheaper than streams."""

    def __init__(self) -> None:
        self.sent = self.taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The gateway is there."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Acknowledgements, some perhaps in two pieces: counted by their ends."""
        self.taken += data.count(b"\x1c")

    def send(self, message: bytes) -> None:
        """On the wire."""
        self.sent += 1
        self._transport.write(START + message + END)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Load:
    """Monitors of all wards in one event loop, and a reader of all their stores."""

    def __init__(self, wards: list[Ward], settings: Settings, seconds: float) -> None:
        self._wards, self._seconds, self._prefix = wards, seconds, settings.ward.bed_prefix
        self._hold_s = settings.extremes.hold_s
        self._ill: dict[tuple[int, int], float] = {}
        """(Ward, bed) → when its first extreme value was on the wire; inf: none yet."""
        self._number = self._sent = 0
        self._late_ms: list[float] = []
        self._senders: list[Sender] = []

    async def play(self) -> dict[str, Any]:
        """The figures of one load."""
        await self._admit()
        began = time.monotonic()
        end = began + WARM_S + self._seconds
        monitors = [self._monitor(ward, first, end) for ward in self._wards
                    for first in range(0, ward.beds, BEDS_PER_LINE)]  # fmt: skip
        reader = asyncio.get_running_loop().run_in_executor(None, self._read, end + 3.0)
        patients = asyncio.ensure_future(self._turn_ill(end))
        going = asyncio.gather(*monitors)
        await asyncio.sleep(max(began + WARM_S - time.monotonic(), 0.0))
        before = self._usage()
        await going
        after = self._usage()
        await patients
        await reader
        for sender in self._senders:
            sender.close()
        return self._figures(before, after)

    async def _admit(self) -> None:
        for ward in self._wards:
            line = Line("127.0.0.1", ward.port)
            for bed in range(ward.beds):
                message = speak.admission(
                    self._place(ward, bed), self._mrn(ward, bed), self._now(), born="19500101"
                )
                if b"MSA|AA" not in await line.send(message):
                    raise LinesideError(f"ward {ward.number} does not admit")
            await line.close()

    async def _monitor(self, ward: Ward, first: int, end: float) -> None:
        """Ten beds behind one line, each at its own moment of the second."""
        loop = asyncio.get_running_loop()
        _, sender = await loop.create_connection(Sender, "127.0.0.1", ward.port)
        self._senders.append(sender)
        beds = range(first, min(first + BEDS_PER_LINE, ward.beds))
        phase = np.random.default_rng([ward.number, first]).uniform(0, 1, len(beds))
        order = sorted(zip(phase.tolist(), beds, strict=True))
        spoken = {bed: self._spoken(ward, bed) for bed in beds}
        second = time.monotonic() + 1.0
        while second < end:
            for moment, bed in order:
                wait = second + moment - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                self._say(sender, ward, bed, spoken[bed])
                self._late_ms.append(max(-wait, 0.0) * 1000)
            second += 1.0

    def _spoken(self, ward: Ward, bed: int) -> tuple[bytes, bytes]:
        """What a bed says when well and when not, but for time and number."""
        said = [[(s, FELL if s is Sign.SPO2 and fell else v, 0) for s, v in WELL.items()]
                for fell in (False, True)]  # fmt: skip
        well, fell = (
            speak.observation(
                self._place(ward, bed), self._mrn(ward, bed), f"M{ward.number}-{bed}", one,
                (NUMBER, 0.0),
            )
            for one in said
        )  # fmt: skip
        return well, fell

    def _say(self, sender: "Sender", ward: Ward, bed: int, spoken: tuple[bytes, bytes]) -> None:
        key = (ward.number, bed)
        since = self._ill.get(key)
        self._sent += 1
        message = spoken[since is not None].replace(EPOCH, stamp(time.time()).encode())
        sender.send(message.replace(NUMBERED, b"%d" % self._sent))
        if since is None:
            return
        at = time.monotonic()
        if since == np.inf:
            self._ill[key] = at
        elif at - since > ILL_S:
            del self._ill[key]
        elif at - since >= self._hold_s - JITTER_S:
            ward.complete_at.setdefault(alarm_of(EXTREME, str(bed + 1)), at)

    async def _turn_ill(self, end: float) -> None:
        """Another patient every quarter of a second, each once."""
        rng = np.random.default_rng(7)
        everybody = [(ward.number, bed) for ward in self._wards for bed in range(ward.beds)]
        chosen = iter([everybody[n] for n in rng.permutation(len(everybody))])
        await asyncio.sleep(WARM_S)
        while time.monotonic() < end - self._hold_s - 2.0:
            key = next(chosen, None)
            if key is None:
                return
            self._ill[key] = np.inf
            await asyncio.sleep(EVERY_S)

    # ------------------------------------------------------------------- the reader

    def _read(self, end: float) -> None:
        """Look at every store as a screen does, until the end."""
        with ExitStack() as opened:
            readers = []
            for ward in self._wards:
                connection = sqlite3.connect(f"file:{ward.file}?mode=ro", uri=True)
                readers.append((ward, opened.enter_context(closing(connection))))
            versions: dict[int, int] = {}
            while time.monotonic() < end:
                for ward, connection in readers:
                    version = connection.execute("PRAGMA data_version").fetchone()[0]
                    if versions.get(ward.number) != version:
                        versions[ward.number] = version
                        self._look(ward, connection)
                time.sleep(LOOK_S)

    def _look(self, ward: Ward, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT alarm_id FROM alarms WHERE state = 'UNACK' AND alarm_id LIKE ?",
            (f"{EXTREME}/%",),
        ).fetchall()
        now = time.monotonic()
        for (alarm,) in rows:
            ward.seen_at.setdefault(alarm, now)

    # ------------------------------------------------------------------- the figures

    def _figures(self, before: list[Any], after: list[Any]) -> dict[str, Any]:
        wire = [
            (ward.seen_at[alarm] - at) * 1000
            for ward in self._wards
            for alarm, at in ward.complete_at.items()
            if alarm in ward.seen_at
        ]
        expected = sum(len(ward.complete_at) for ward in self._wards)
        states = [self._state(ward) for ward in self._wards]
        spent = [(a[0] - b[0]) / (a[1] - b[1]) for a, b in zip(after, before, strict=True)]
        grown = sum(a[2] for a in after) - sum(b[2] for b in before)
        return {
            "wards": len(self._wards),
            "beds": self._wards[0].beds,
            "alarms_expected": expected,
            "alarms_seen": len(wire),
            "wire_to_visible_ms": {
                **percentiles(wire),
                "max": round(max(wire, default=0.0), 1),
            },
            "messages_per_s": round(self._sent / (WARM_S + self._seconds), 1),
            "sender_late_ms": percentiles(self._late_ms),
            "not_acknowledged": sum(one.sent - one.taken for one in self._senders),
            "refused": sum(state["counts"]["refused"] for state in states),
            "beats_missed": sum(state["counts"]["beats_missed"] for state in states),
            "cpu_cores": round(sum(spent), 2),
            "memory_mb": round(sum(one[2] for one in after), 1),
            "memory_growth_mb": round(grown, 1),
            "steps_ms": states[-1]["latency_ms"],
        }

    def _state(self, ward: Ward) -> dict[str, Any]:
        url = f"http://127.0.0.1:{FIRST_API + ward.number}/state"
        state: dict[str, Any] = httpx.get(url, timeout=30.0, trust_env=False).json()
        return state

    def _usage(self) -> list[tuple[float, float, float]]:
        """CPU s, wall s and resident MB of each gateway."""
        pids = [ward.process.pid for ward in self._wards]
        return [(*_cpu_s(pid), rss_mb(pid)) for pid in pids]

    def _place(self, ward: Ward, bed: int) -> tuple[str, str]:
        return f"W{ward.number}", f"{self._prefix}{bed + 1}"

    def _mrn(self, ward: Ward, bed: int) -> str:
        return f"SIM{ward.number * 1000 + bed}"

    def _now(self) -> tuple[int, float]:
        self._number += 1
        return self._number, time.time()


def _cpu_s(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, time.monotonic()
