"""Vision as the server, read by clients that are not ours: pymodbus and mbpoll."""

import contextlib
import re
import shutil
import socket
import struct
import subprocess

import pytest
from pymodbus.client import ModbusTcpClient

from common.clock import HeldClock
from common.errors import PlcError
from common.ports import PartResult, ResultCode
from hardware.fieldbus.blocks import PlcBlock, VisionBlock
from hardware.fieldbus.modbus import ModbusGate, ModbusSettings
from hardware.fieldbus.modbus_server import ModbusServer
from hardware.fieldbus.registers import Control, Status

ENABLED = Control.TRIG_ENABLE
MBPOLL = shutil.which("mbpoll")


@pytest.fixture
def server():
    server = ModbusServer("127.0.0.1", 0, ("127.0.0.1",))
    yield server
    server.close()


@pytest.fixture
def gate(server):
    gate = ModbusGate(server, ModbusSettings(role="server", trigger_age_s=0.0), HeldClock())
    assert gate.wait_for_part(0) is None
    yield gate
    gate.close()


@pytest.fixture
def plc(gate, server):
    client = ModbusTcpClient("127.0.0.1", port=server.port, timeout=2)
    assert client.connect()
    yield client
    client.close()


def say(plc, control, part_id=0, heartbeat=0):
    block = PlcBlock(heartbeat=heartbeat, control=control, part_id=part_id, encoder=100_000)
    assert not plc.write_registers(0, block.words("CDAB")).isError()


def read(plc):
    return VisionBlock.parse(plc.read_holding_registers(100, count=18).registers, "CDAB")


def inspect_one(gate, plc, code=ResultCode.PASS):
    for heartbeat in (1, 2):
        say(plc, ENABLED, heartbeat=heartbeat)
        assert gate.wait_for_part(0) is None
    say(plc, ENABLED | Control.TRIGGER, 1, heartbeat=2)
    trigger = gate.wait_for_part(0)
    assert trigger is not None
    gate.answer(PartResult(trigger.part_id, code))


def test_a_foreign_plc_reads_its_verdict(gate, plc):
    assert Status.REJECT_ALL_ACTIVE in read(plc).status
    inspect_one(gate, plc)
    told = read(plc)
    assert Status.RESULT_VALID | Status.PASS in told.status
    assert (told.part_id, told.part_id_copy, told.encoder) == (1, 1, 100_000)
    assert plc.read_coils(0, count=4).bits[:4] == [True] * 4


@pytest.mark.parametrize("address", [31, 32, 100, 101, 117])
def test_the_plc_may_write_its_window_only(gate, plc, address):
    answer = plc.write_registers(address, [0xFFFF, 0xFFFF])
    assert (answer.isError(), answer.exception_code) == (True, 2)
    assert Status.PASS not in read(plc).status
    assert not plc.write_registers(30, [1, 2]).isError()


def test_nobody_writes_our_coils(gate, plc):
    assert plc.write_coils(0, [True] * 4).exception_code == 2
    assert plc.write_coil(0, True).exception_code == 2
    assert plc.read_coils(0, count=4).bits[:4] == [False] * 4


def test_input_tables_do_not_exist(gate, plc):
    assert plc.read_input_registers(0, count=1).exception_code == 1
    assert plc.read_discrete_inputs(0, count=1).exception_code == 1


def test_a_plc_that_goes_away_is_lost_after_three_periods(gate, plc):
    inspect_one(gate, plc)
    gate._clock.sleep(1.6)
    gate.wait_for_part(0)
    assert not gate.view().heartbeat_alive
    assert not read(plc).status & (Status.PASS | Status.TRIG_READY)
    assert plc.read_coils(0, count=4).bits[:4] == [False] * 4


def test_an_address_that_is_not_listed_is_not_served():
    server = ModbusServer("127.0.0.1", 0, ("192.0.2.1",))
    server.connect()
    client = ModbusTcpClient("127.0.0.1", port=server.port, timeout=0.2, retries=0)
    with pytest.raises(Exception, match="Connection"):
        client.read_holding_registers(0, count=1)
    client.close()
    server.close()


def test_a_taken_port_is_one_clear_line(server):
    server.connect()
    second = ModbusServer("127.0.0.1", server.port, ())
    with pytest.raises(PlcError, match="cannot listen"):
        second.connect()


def frame(number, function, *words):
    body = struct.pack(f">BB{len(words)}H", 1, function, *words)
    return struct.pack(">HHH", number, 0, len(body)) + body


@pytest.fixture
def wire(gate, server):
    """A bare connection to vision's server."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        yield connection


@pytest.mark.parametrize("cut", [1, 8, 12, 15, 24])
def test_requests_that_come_together_are_carried_out_and_answered_in_turn(wire, server, cut):
    read_status, reject_all = frame(1, 3, 101, 1), frame(2, 6, 3, Control.REJECT_ALL_REQUEST)
    requests = read_status + reject_all + frame(3, 3, 3, 1)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.sendall(requests[:cut])
    wire.sendall(requests[cut:])
    answers = wire.makefile("rb").read(11 + 12 + 11)
    assert [answers[at + 1] for at in (0, 11, 23)] == [1, 2, 3]
    assert server.memory.read(3, 1) == [Control.REJECT_ALL_REQUEST]


@pytest.mark.parametrize(
    "garbage", [b"\0\0\0\1\0\2ab", b"\0\1\0\0\xff\xff" * 2000], ids=["protocol", "flood"]
)
def test_who_speaks_no_modbus_is_cut_off(wire, garbage):
    with contextlib.suppress(ConnectionError):
        wire.sendall(garbage)
        assert wire.recv(1) == b""


def test_a_plc_that_lost_its_power_is_found_out_one_day(plc, server):
    assert not plc.read_holding_registers(100, count=1).isError()
    (connection,) = server._server._server.active_connections.values()
    accepted = connection.transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def mbpoll(port, *options):
    command = [MBPOLL, "-m", "tcp", "-0", "-1", "-q", "-p", str(port), *options, "127.0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return {int(a): int(v) for a, v in re.findall(r"\[(\d+)\]:\s+(\d+)", done.stdout)}


@pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed: apt-get install mbpoll")
def test_mbpoll_reads_the_same(gate, plc, server):
    inspect_one(gate, plc)
    words = mbpoll(server.port, "-t", "4", "-r", "100", "-c", "18")
    status = Status(words[101])
    assert Status.RESULT_VALID | Status.PASS | Status.ONLINE in status
    assert (words[102], words[103], words[117]) == (1, ResultCode.PASS, 1)
    encoder = mbpoll(server.port, "-t", "4:int", "-r", "106", "-c", "1")
    assert encoder == {106: 100_000}  # mbpoll's own default is low word first, as is ours
    assert mbpoll(server.port, "-t", "0", "-r", "0", "-c", "4") == dict.fromkeys(range(4), 1)
