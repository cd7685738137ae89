"""Blocks of samples and values beside them from a real Modbus server; and the stack light."""

from contextlib import closing

import numpy as np
import pytest

from common.clock import SystemClock
from common.errors import PlcError, SensorError
from common.ports import LightState
from hardware.fieldbus.register_server import GRANTED, Memory, RegisterServer
from hardware.fieldbus.stack_light import StackLight, StackLightSettings
from hardware.sensors.modbus import (
    ModbusMachine,
    ModbusSensorSettings,
    ModbusSource,
    Value,
)

MACHINE = ModbusMachine(
    counter=0, block=100, samples=150, axes=2, fs_hz=1000.0, scale=0.01,
    rpm=Value(1), load=Value(2, 0.01), temperature_c=Value(3, 0.1, signed=True),
)  # fmt: skip
COUNTS = np.arange(300, dtype=np.int16) - 150


async def everybody(_access):
    return GRANTED


@pytest.fixture
def memory():
    made = Memory(1000)
    made.write(0, [1, 1480, 75, 0x10000 - 25])
    made.write(100, COUNTS.view(np.uint16).tolist())
    return made


@pytest.fixture
def port(memory):
    server = RegisterServer(memory, "127.0.0.1", 0, gatekeeper=everybody, allow=())
    server.start()
    yield server.port
    server.close()


@pytest.fixture
def source(port):
    settings = ModbusSensorSettings(
        port=port, period_s=30.0, timeout_s=2.0, machines={"fan-3": MACHINE}
    )
    with closing(ModbusSource(settings, SystemClock())) as made:
        yield made


def test_a_block_is_read_once_for_each_count(source, memory):
    one = source.read("fan-3", MACHINE)
    assert one.fault == ""
    assert one.acceleration.reshape(-1) == pytest.approx(COUNTS * 0.01)
    assert one.acceleration.shape == (2, 150)
    assert (one.rpm, one.load) == (1480.0, 0.75)
    assert one.temperature_c == pytest.approx(-2.5)
    assert source.read("fan-3", MACHINE) is None
    memory.write(0, [2])
    assert source.read("fan-3", MACHINE) is not None


def test_a_block_that_was_written_meanwhile_is_not_believed(source, memory, monkeypatch):
    read = source._block

    def interrupted(client, machine):
        words = read(client, machine)
        memory.write(0, [9])
        return words

    monkeypatch.setattr(source, "_block", interrupted)
    one = source.read("fan-3", MACHINE)
    assert "the sensor wrote while its record was read" in one.fault
    assert one.acceleration.size == 0


def test_values_may_come_without_records(source):
    values = ModbusMachine(rpm=Value(1))
    one = source.read("fan-3", values)
    assert (one.rpm, one.acceleration.size, one.fault) == (1480.0, 0, "")


def test_the_thread_brings_records_and_says_when_the_server_is_away(port, memory):
    settings = ModbusSensorSettings(
        port=port, period_s=0.05, timeout_s=2.0, machines={"fan-3": MACHINE}
    )
    with closing(ModbusSource(settings, SystemClock())) as made:
        found = made.poll(10.0)
        assert [one.asset for one in found] == ["fan-3"]
    nobody = ModbusSensorSettings(port=1, period_s=0.05, machines={"fan-3": MACHINE})
    with closing(ModbusSource(nobody, SystemClock())) as away, pytest.raises(SensorError):
        away.poll(0.5)


def test_a_machine_with_records_needs_their_rate():
    with pytest.raises(ValueError, match="fs_hz"):
        ModbusMachine(counter=0)
    with pytest.raises(ValueError, match="beyond the last register"):
        ModbusMachine(block=60_000, samples=5000, axes=3)


def test_the_light_shows_each_state_and_beats(port, memory):
    light = StackLight(StackLightSettings(port=port, coil=4, timeout_s=2.0), SystemClock())
    shown = {}
    beats = []
    for state in LightState:
        light.show(state)
        coils = memory.coils()
        shown[state] = tuple(coils[4:8])
        beats.append(coils[8])
    light.close()
    assert shown[LightState.STOP] == (False, False, True, False)
    assert shown[LightState.FAULT] == (False, False, False, True)
    assert len(set(shown.values())) == len(LightState)
    assert beats == [True, False, True, False, True]


def test_a_light_that_is_away_is_a_plc_error():
    light = StackLight(StackLightSettings(port=1), SystemClock())
    with pytest.raises(PlcError):
        light.show(LightState.RUN)
