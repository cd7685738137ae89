"""Vibration and the values beside it from Modbus registers.

Many sensors and PLCs offer a record as a block of 16-bit samples behind a counter, and
nearly all of them speed, load and temperature as registers. A block is believed only when
the counter is the same before and after it was read: else the sensor wrote meanwhile and
half of it is another record. The registers are read by a thread, so that a slow or dead
sensor holds up nobody.
"""

import threading
from dataclasses import dataclass, field

import numpy as np

from common.config import setting
from common.errors import PlcError
from common.ports import Clock, VibrationReading
from hardware.fieldbus.modbus_client import ModbusClient
from hardware.sensors.payload import NOTHING, broken
from hardware.sensors.waiting import Waiting

AT_ONCE = 120
"""Registers in one request; Modbus allows 125."""
NONE = -1
"""As an address: there is no such register."""


@dataclass(frozen=True)
class Value:
    """A register that holds a number beside the record."""

    address: int = setting(NONE, low=NONE, high=65_535)
    scale: float = setting(1.0, low=1e-9, high=1e9)
    """Of one count, in the value's own unit."""
    signed: bool = setting(False)


@dataclass(frozen=True)
class ModbusMachine:
    """Where a machine's record lies."""

    unit_id: int = setting(1, low=0, high=255)
    counter: int = setting(NONE, low=NONE, high=65_535)
    """Register that changes with every record; -1: there are no records, only values."""
    block: int = setting(0, low=0, high=65_535)
    """First register of the samples, axis after axis."""
    samples: int = setting(1024, low=1, high=30_000)
    """Of each axis."""
    axes: int = setting(1, low=1, high=3)
    fs_hz: float = setting(0.0, low=0.0, high=1e6, unit="Hz")
    scale: float = setting(0.001, low=1e-9, high=1e6, unit="m/s² per count")
    rpm: Value = field(default_factory=Value)
    load: Value = field(default_factory=Value)
    temperature_c: Value = field(default_factory=Value)

    def __post_init__(self) -> None:
        if self.counter != NONE and not self.fs_hz:
            raise ValueError("fs_hz is needed where there are records (counter)")
        if self.block + self.axes * self.samples > 65_536:
            raise ValueError("block + axes × samples goes beyond the last register")


@dataclass(frozen=True)
class ModbusSensorSettings:
    """One Modbus server and the machines behind it."""

    host: str = setting("127.0.0.1")
    port: int = setting(502, low=1, high=65_535)
    timeout_s: float = setting(0.5, low=0.01, high=10.0, unit="s")
    period_s: float = setting(1.0, low=0.05, high=3600.0, unit="s")
    """How often the counters and values are read."""
    most_waiting: int = setting(200, low=1, high=100_000)
    machines: dict[str, ModbusMachine] = field(default_factory=dict)


class ModbusSource:
    """common.ports.VibrationSource over registers."""

    def __init__(self, settings: ModbusSensorSettings, clock: Clock) -> None:
        self.name = f"sensors {settings.host}:{settings.port}"
        self._settings, self._clock = settings, clock
        self._waiting = Waiting(self.name, settings.most_waiting)
        self._clients: dict[int, ModbusClient] = {}
        self._seen: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modbus-sensors", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Records lost because nobody fetched them in time."""
        return self._waiting.dropped

    def poll(self, timeout_s: float) -> list[VibrationReading]:
        """What was read since; raises SensorError while the server does not answer."""
        return self._waiting.fetch(timeout_s)

    def close(self) -> None:
        """End the thread and leave."""
        self._stopping.set()
        self._thread.join(5.0)
        for client in self._clients.values():
            client.close()

    def _run(self) -> None:
        while not self._stopping.wait(self._settings.period_s):
            for asset, machine in self._settings.machines.items():
                self._look(asset, machine)

    def _look(self, asset: str, machine: ModbusMachine) -> None:
        try:
            reading = self.read(asset, machine)
        except PlcError as error:
            self._waiting.away(str(error))
            return
        self._waiting.away("")
        if reading is not None:
            self._waiting.put(reading)

    def read(self, asset: str, machine: ModbusMachine) -> VibrationReading | None:
        """The machine's record or values; None when there is no new one."""
        client = self._client(machine.unit_id)
        sensor = f"{self.name} unit {machine.unit_id}"
        beside = {
            name: self._value(client, value)
            for name, value in (
                ("rpm", machine.rpm), ("load", machine.load),
                ("temperature_c", machine.temperature_c),
            )
        }  # fmt: skip
        if machine.counter == NONE:
            return VibrationReading(asset, NOTHING, 0.0, sensor, **beside)  # type: ignore[arg-type]
        (counter,) = client.read(machine.counter, 1)
        if counter == self._seen.get(asset):
            return None
        words = self._block(client, machine)
        (after,) = client.read(machine.counter, 1)
        self._seen[asset] = counter
        if after != counter:
            return broken(asset, "the sensor wrote while its record was read", sensor)
        counts = np.array(words, np.uint16).view(np.int16).reshape(machine.axes, -1)
        samples = counts.astype(np.float32) * np.float32(machine.scale)
        return VibrationReading(
            asset, samples, machine.fs_hz, sensor, rpm=beside["rpm"], load=beside["load"],
            temperature_c=beside["temperature_c"],
        )  # fmt: skip

    def _block(self, client: ModbusClient, machine: ModbusMachine) -> list[int]:
        words: list[int] = []
        whole = machine.axes * machine.samples
        for start in range(0, whole, AT_ONCE):
            words += client.read(machine.block + start, min(AT_ONCE, whole - start))
        return words

    def _value(self, client: ModbusClient, value: Value) -> float | None:
        if value.address == NONE:
            return None
        (word,) = client.read(value.address, 1)
        if value.signed and word >= 0x8000:
            word -= 0x10000
        return word * value.scale

    def _client(self, unit_id: int) -> ModbusClient:
        if unit_id not in self._clients:
            self._clients[unit_id] = ModbusClient(
                self._settings.host, self._settings.port, clock=self._clock,
                unit_id=unit_id, timeout_s=self._settings.timeout_s,
            )  # fmt: skip
        return self._clients[unit_id]
