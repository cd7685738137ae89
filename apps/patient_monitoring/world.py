"""The ward in software as a process of its own: monitors, wearables, nurses, admissions.

    python -m apps.patient_monitoring.world --port 2575 --beds 30

It reaches the gateway as real devices do and in no other way: HL7 over MLLP, JSON over
MQTT. Every third patient wears a wearable where there is a broker, the others lie at a
monitor; what nurses find comes from a spot-check device. The patients are invented, and
their admissions say so (processing id T).
"""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from paho.mqtt.client import Client

from apps.patient_monitoring import speak
from apps.patient_monitoring.courses import SHAPES, Course, CourseKind
from apps.patient_monitoring.domain import Patient
from apps.patient_monitoring.line import Line
from apps.patient_monitoring.simulate import SimulatedWard
from apps.patient_monitoring.speak import Said
from common.telemetry.mqtt_client import UplinkSettings, make_client

LINES = 8
"""Monitors share connections, as behind a central station."""
BEGIN_S = 7_200.0
"""At two in the morning: most are asleep."""
YEAR_S = 31_557_600.0
SOON = (
    (CourseKind.OPIOID, 0.97), (CourseKind.HYPOXIA, 0.85), (CourseKind.SEPSIS, 0.7),
    (CourseKind.BLEEDING, 0.6), (CourseKind.ARRHYTHMIA, -1.0),
)  # fmt: skip
"""How far each course has come when the simulation begins: somebody needs help soon."""


@dataclass(frozen=True)
class Where:
    """What to simulate, and where the gateway listens."""

    host: str
    port: int
    unit: str
    prefix: str
    beds: int
    seed: int
    broker: str = ""
    broker_port: int = 1883


class World:
    """Plays a ward in real time."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._ward = SimulatedWard(where.beds, where.seed, soon(where.beds))
        self._lines = [Line(where.host, where.port) for _ in range(min(LINES, where.beds))]
        self._desk = Line(where.host, where.port)
        self._mqtt = _mqtt(where) if where.broker else None
        self._number = 0

    async def play(self) -> None:
        """Admit everybody, then go on second by second until cancelled."""
        await self._admit()
        began = time.monotonic()
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(began + second - time.monotonic(), 0.0))
            await self._second(BEGIN_S + second)

    async def close(self) -> None:
        """Hang up."""
        for line in (*self._lines, self._desk):
            await line.close()
        if self._mqtt is not None:
            self._mqtt.disconnect()
            self._mqtt.loop_stop()

    async def _admit(self) -> None:
        for patient in self._ward.patients:
            born = time.gmtime(time.time() - patient.age * YEAR_S)
            message = speak.admission(
                self._place(patient), speak.number_of(patient), self._now(),
                born=time.strftime("%Y%m%d", born),
            )  # fmt: skip
            while not await self._desk.send(message):
                pass  # the gateway is still starting

    async def _second(self, now: float) -> None:
        step = self._ward.step(now)
        devices, nurses = speak.by_bed(step.devices), speak.by_bed(step.nurses)
        at_monitor = {bed: said for bed, said in devices.items() if not self._wears(bed)}
        shares = [
            list(at_monitor.items())[n :: len(self._lines)] for n in range(len(self._lines))
        ]
        sent = [
            self._monitors(line, one) for line, one in zip(self._lines, shares, strict=True)
        ]
        await asyncio.gather(*sent, self._monitors(self._desk, nurses.items(), "SPOT"))
        for bed, said in devices.items():
            if self._wears(bed):
                self._wearable(bed, said)

    async def _monitors(
        self, line: Line, said: "Iterable[tuple[int, list[Said]]]", device: str = ""
    ) -> None:
        for bed, signs in said:
            patient = self._ward.patients[bed]
            spoken = [one for one in signs if one[0] in speak.SPOKEN or device]
            message = speak.observation(
                self._place(patient), speak.number_of(patient), device or f"MON{bed + 1:04d}",
                spoken, self._now(),
            )  # fmt: skip
            await line.send(message)

    def _wearable(self, bed: int, said: list[Said]) -> None:
        patient = self._ward.patients[bed]
        payload = speak.worn(self._place(patient), speak.number_of(patient), said, self._now())
        if self._mqtt is not None:
            self._mqtt.publish(f"vitals/WEAR{bed + 1:04d}", payload, qos=1)

    def _wears(self, bed: int) -> bool:
        return self._mqtt is not None and bed % 3 == 2

    def _place(self, patient: Patient) -> tuple[str, str]:
        return self._where.unit, f"{self._where.prefix}{patient.bed}"

    def _now(self) -> tuple[int, float]:
        self._number += 1
        return self._number, time.time()


def soon(beds: int) -> list[Course]:
    """Courses under way, one per bed at most, spread over the ward."""
    made = []
    for n, (kind, share) in enumerate(SOON[:beds]):
        onset = BEGIN_S - share * SHAPES[kind].lasts_s
        made.append(Course(kind, n * beds // len(SOON), onset))
    return made


def _mqtt(where: Where) -> Client:
    settings = UplinkSettings(host=where.broker, port=where.broker_port)
    client = make_client(f"lineside-wearables-{os.getpid()}", settings, reconnects=True)
    client.connect_async(where.broker, where.broker_port, 15)
    client.loop_start()
    return client


async def _until_told(world: World, parent: int) -> None:
    task = asyncio.ensure_future(world.play())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    watch = asyncio.ensure_future(_watch_parent(task, parent))
    with suppress(asyncio.CancelledError):
        await task
    watch.cancel()
    await world.close()


async def _watch_parent(task: "asyncio.Future[None]", parent: int) -> None:
    """A world must not outlive whoever started it."""
    while parent:
        await asyncio.sleep(1.0)
        if os.getppid() != parent:
            task.cancel()
            return


def main() -> None:
    """The command line of the process."""
    parser = argparse.ArgumentParser(description="A ward in software.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2575)
    parser.add_argument("--unit", default="W7")
    parser.add_argument("--prefix", default="BED")
    parser.add_argument("--beds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--broker", default="")
    parser.add_argument("--broker-port", type=int, default=1883)
    parser.add_argument("--with-parent", action="store_true")
    given = vars(parser.parse_args())
    parent = os.getppid() if given.pop("with_parent") else 0
    asyncio.run(_until_told(World(Where(**given)), parent))


if __name__ == "__main__":
    main()
