"""The virtual PLC and the gate against each other over real TCP; time is held.

Every sleep of the station's clock lets the PLC scan, so that both sides live in the same
simulated time and a run is the same on every machine.
"""

import contextlib
import signal
import subprocess
import sys
import time

import pytest

from common.clock import HeldClock, SystemClock
from common.errors import PlcError
from common.ports import PartResult, ResultCode
from hardware.fieldbus.modbus import ModbusGate, ModbusSettings, open_gate
from hardware.fieldbus.modbus_client import ModbusClient
from hardware.fieldbus.modbus_server import ModbusServer
from hardware.fieldbus.registers import Status
from hardware.virtual_line.link import VisionLink
from hardware.virtual_plc import (
    Command,
    Counters,
    Fault,
    LineSettings,
    SimulatorControl,
    Stop,
    VirtualPlc,
    main,
)

LINE = LineSettings(pitch_mm=120.0)
PASS, FAIL = ResultCode.PASS, ResultCode.FAIL


class CellClock(HeldClock):
    """Time passes for the station and for the PLC alike."""

    def __init__(self, plc):
        super().__init__()
        self._plc, self._owed = plc, 0.0
        self.each_scan = []
        """Called after every scan."""

    def sleep(self, seconds):
        super().sleep(seconds)
        self._owed += seconds
        while self._owed >= self._plc.line.scan_s:
            self._owed -= self._plc.line.scan_s
            self._plc.scan()
            for call in self.each_scan:
                call()


class Cell:
    """A PLC, a gate on it, and a station that inspects in 50 ms."""

    def __init__(self, line=LINE):
        self.plc = VirtualPlc(line).open()
        self.clock = CellClock(self.plc)
        settings = ModbusSettings(
            port=self.plc.port, poll_s=0.005, timeout_s=0.15, retries=0, reconnect_max_s=0.1
        )
        self.gate = open_gate(settings, self.clock)
        self.answered = []
        self.faults = []

    def run(self, parts, code=PASS, busy_s=0.05, limit_s=20.0):
        """Inspect until `parts` more are answered, as a station's loop does."""
        wanted, end = len(self.answered) + parts, self.clock.monotonic() + limit_s
        while len(self.answered) < wanted and self.clock.monotonic() < end:
            try:
                self._turn(code, busy_s)
            except PlcError as error:
                self.faults.append(str(error))
                self.gate.safe_state(str(error))
                self.clock.sleep(0.02)

    def _turn(self, code, busy_s):
        trigger = self.gate.wait_for_part(0.1)
        if trigger is not None:
            self.clock.sleep(busy_s)
            self.gate.exposed()
            verdict = FAIL if trigger.challenge else code
            self.gate.answer(PartResult(trigger.part_id, verdict))
            self.answered.append(trigger)
        self.gate.beat()

    def drain(self):
        """Let the parts on the belt reach their exits; the station stays alive."""
        for _ in range(25):
            with contextlib.suppress(PlcError):
                self.gate.beat()
            self.clock.sleep(0.1)

    def fault(self, fault, value=0):
        self.plc.memory.write(200, [fault.value, value])

    @property
    def counters(self):
        return self.plc.counters

    @property
    def stopped_for(self):
        return Stop(self.plc.memory.read(203, 1)[0])

    def close(self):
        self.gate.close()
        self.plc.close()


@pytest.fixture
def cell():
    made = Cell()
    made.plc.command(Command.RUN)
    yield made
    made.close()


def check_books(counters):
    """What must hold whatever went wrong."""
    assert counters.passed_without_pass == 0
    assert counters.unaccounted == 0
    assert counters.challenge_passed == 0
    assert counters.confirmed <= counters.rejected <= counters.commanded + counters.missed


def test_good_parts_pass_and_bad_parts_leave_by_the_rejector(cell):
    cell.run(5, PASS)
    cell.run(3, FAIL)
    cell.run(4, PASS)
    count = cell.counters
    check_books(count)
    assert [t.part_id for t in cell.answered] == list(range(1, 13))
    assert (count.missed, count.late_verdicts, count.line_stops) == (0, 0, 0)
    assert count.passed >= 5
    assert count.rejected == count.confirmed == 3
    assert cell.gate.view().confirmed_id == 8
    assert cell.gate.view().stale == cell.gate.view().refused == 0


def test_the_line_does_not_start_before_vision_lives(cell):
    cell.clock.sleep(3.0)
    assert cell.counters.parts_total == 0
    cell.run(1)
    assert cell.counters.parts_total == 1


def test_a_late_verdict_is_a_reject(cell):
    cell.run(3)
    cell.run(1, PASS, busy_s=LINE.deadline_s + 0.05)
    cell.run(3)
    cell.gate.wait_for_part(0)
    count = cell.counters
    check_books(count)
    assert count.late_verdicts == 1
    assert count.missed > 0  # the parts behind it found vision busy
    assert count.rejected_no_verdict == 1 + count.missed


def test_rejects_in_a_row_stop_the_line_until_reset_and_run(cell):
    cell.run(12, FAIL, limit_s=8.0)
    assert cell.counters.line_stops == 1
    assert cell.stopped_for == Stop.CONSECUTIVE_REJECTS
    assert cell.gate.view().state == 11
    cell.plc.command(Command.RUN)
    cell.run(1, limit_s=1.0)
    assert cell.gate.view().state == 11
    cell.plc.command(Command.RESET)
    cell.plc.command(Command.RUN)
    cell.run(3)
    assert cell.gate.view().state == 6
    check_books(cell.counters)


def test_a_line_stop_request_is_honoured(cell):
    cell.run(2)
    cell.gate.request(line_stop=True, challenge=False)
    cell.clock.sleep(0.02)
    assert cell.stopped_for == Stop.VISION_REQUEST
    cell.gate.request(line_stop=False, challenge=False)
    cell.plc.command(Command.RESET)
    cell.plc.command(Command.RUN)
    cell.run(2)
    check_books(cell.counters)


def test_a_challenge_feeds_seeded_pieces_that_are_all_rejected(cell):
    cell.run(2)
    cell.gate.request(line_stop=False, challenge=True)
    cell.run(6)
    assert [t.challenge for t in cell.answered] == [False] * 2 + [True] * 3 + [False] * 3
    cell.drain()
    check_books(cell.counters)
    assert cell.counters.challenge_parts == 3
    assert cell.counters.confirmed >= 3


def test_a_silent_vision_means_reject_all_and_then_a_stop(cell):
    cell.run(4)
    cell.drain()
    before = cell.counters
    cell.clock.sleep(1.7)
    assert cell.plc.program._reject_all(cell.plc._vision(Fault.NONE))
    cell.clock.sleep(8.0)
    after = cell.counters
    check_books(after)
    assert after.passed == before.passed
    assert after.line_stops == 1
    assert cell.stopped_for & (Stop.VISION_LOST | Stop.CONSECUTIVE_REJECTS)


def test_a_vision_that_stays_silent_aborts_the_line():
    cell = Cell(LineSettings(pitch_mm=120.0, consecutive_limit=0))
    cell.plc.command(Command.RUN)
    cell.run(2)
    cell.clock.sleep(4.9)
    assert cell.counters.line_stops == 0
    cell.clock.sleep(0.7)
    assert cell.stopped_for == Stop.VISION_LOST
    check_books(cell.counters)
    cell.close()


@pytest.mark.parametrize("fault", [Fault.WRONG_ID, Fault.TORN_READ])
def test_results_that_are_not_surely_this_parts_are_not_taken(cell, fault):
    cell.run(2)
    passed_at_most = 2
    cell.fault(fault)
    cell.run(3)
    cell.drain()
    count = cell.counters
    check_books(count)
    assert count.passed <= passed_at_most
    assert count.rejected_no_verdict >= 3
    assert (count.wrong_id if fault is Fault.WRONG_ID else count.torn_reads) >= 3


def test_a_missing_confirm_stops_the_line_at_once(cell):
    cell.run(2)
    cell.fault(Fault.CONFIRM_MISSING)
    cell.run(9, FAIL, limit_s=4.0)
    assert cell.stopped_for == Stop.CONFIRM_MISSING
    assert cell.gate.view().reject_faults == 0b0100
    assert cell.gate.view().state == 9
    check_books(cell.counters)


def test_a_full_bin_stops_the_line_and_keeps_it_from_starting(cell):
    cell.run(1)
    cell.fault(Fault.BIN_FULL)
    cell.clock.sleep(0.05)
    assert cell.stopped_for == Stop.BIN_FULL
    cell.plc.command(Command.RESET)
    cell.plc.command(Command.RUN)
    cell.clock.sleep(0.5)
    assert cell.plc.memory.read(2, 1) == [11]
    cell.fault(Fault.NONE)
    cell.run(2)
    check_books(cell.counters)


def test_a_rejector_that_is_stuck_open_is_caught_by_eye_and_by_judge(cell):
    """The judge must be able to say no: here parts really escape."""
    cell.run(2)
    cell.fault(Fault.STUCK_OPEN)
    cell.run(9, FAIL, limit_s=4.0)
    assert cell.counters.passed_without_pass > 0
    assert cell.stopped_for == Stop.CONFIRM_MISSING


@pytest.mark.parametrize(
    ("fault", "value", "message"),
    [
        (Fault.SILENT, 0, "no answer in 0.15 s"),
        (Fault.SLOW, 400, "no answer in 0.15 s"),
        (Fault.EXCEPTION, 4, "device failure"),
        (Fault.EXCEPTION, 6, "device busy"),
        (Fault.EXCEPTION, 11, "gateway target silent"),
    ],
)
def test_a_failing_plc_is_one_clear_error_and_nothing_passes(cell, fault, value, message):
    cell.run(2)
    cell.fault(fault, value)
    cell.run(1, limit_s=0.5)
    assert message in cell.faults[0]
    assert str(cell.plc.port) in cell.faults[0]
    cell.fault(Fault.NONE)
    cell.run(2)
    cell.drain()
    check_books(cell.counters)


def test_a_slow_plc_is_waited_for(cell):
    cell.run(1)
    cell.fault(Fault.SLOW, 5)
    cell.run(1)
    assert cell.faults == []
    check_books(cell.counters)


def test_a_slow_plc_has_done_what_it_was_told_before_it_answers(cell):
    client = ModbusClient("127.0.0.1", cell.plc.port, clock=cell.clock, retries=0)
    cell.fault(Fault.SLOW, 60_000)
    with pytest.raises(PlcError, match="no answer"):
        client.write(100, [7])
    assert cell.plc.memory.read(100, 1) == [7]
    client.close()


@pytest.mark.parametrize("fault", [Fault.FROZEN, Fault.HALTED])
def test_a_plc_without_a_heartbeat_gets_nothing(cell, fault):
    cell.run(2)
    cell.fault(fault)
    answered = len(cell.answered)
    cell.run(9, limit_s=3.0)
    assert not cell.gate.view().heartbeat_alive
    assert len(cell.answered) <= answered + 5  # those before three periods were over
    assert not Status(cell.plc.memory.read(101, 1)[0]) & (Status.TRIG_READY | Status.PASS)
    assert cell.plc.memory.coils()[:4] == [False] * 4
    check_books(cell.counters)


def test_dropped_connections_are_made_again(cell):
    control = SimulatorControl("127.0.0.1", cell.plc.port, SystemClock())
    cell.run(2)
    control.fault(Fault.DROP)
    control.close()
    cell.run(3)
    assert "the connection broke" in cell.faults[0]
    assert len(cell.answered) == 5
    cell.drain()
    check_books(cell.counters)


def test_the_panel_works_whatever_is_broken(cell):
    control = SimulatorControl("127.0.0.1", cell.plc.port, SystemClock())
    for fault in (Fault.SILENT, Fault.EXCEPTION, Fault.HALTED, Fault.NONE):
        control.fault(fault, 4)
        assert control.counters() == Counters()
    control.line(Command.STOP)
    with pytest.raises(PlcError, match="illegal value"):
        control._client.write(200, [99])
    with pytest.raises(PlcError, match="illegal value"):
        control._client.write(210, [1])  # counters are not to be written
    control.close()


@pytest.mark.parametrize("address", [0, 31, 99, 131])
def test_vision_may_write_its_own_window_only(cell, address):
    control = SimulatorControl("127.0.0.1", cell.plc.port, SystemClock())
    with pytest.raises(PlcError, match="illegal address"):
        control._client.write(address, [1, 1])
    control.close()


def test_the_plc_as_client_of_a_vision_that_is_the_server():
    plc = VirtualPlc(LINE)
    clock = CellClock(plc)
    server = ModbusServer("127.0.0.1", 0, ("127.0.0.1",))
    gate = ModbusGate(server, ModbusSettings(role="server", poll_s=0.005), clock)
    gate.wait_for_part(0)
    link = VisionLink(plc, "127.0.0.1", server.port, clock)
    clock.each_scan.append(link.exchange)
    plc.command(Command.RUN)
    answered = []
    while len(answered) < 6 and clock.monotonic() < 10:
        if trigger := gate.wait_for_part(0.1):
            clock.sleep(0.05)
            gate.answer(PartResult(trigger.part_id, PASS))
            answered.append(trigger.part_id)
        gate.beat()
    assert answered == [1, 2, 3, 4, 5, 6]
    assert plc.counters.passed >= 3
    check_books(plc.counters)
    link.close()
    gate.close()


@contextlib.contextmanager
def started(*options):
    command = [sys.executable, "-m", "hardware.virtual_plc", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            assert "SIMULATOR, not a real PLC" in line
            yield process, int(line.rsplit(":", 1)[1])
        finally:
            process.kill()


def until(condition):
    """Real time: the process has a clock of its own."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_process_serves_obeys_and_ends_cleanly():
    with started("--heartbeat-s", "0.05", "--stopped") as (process, port):
        with contextlib.closing(SimulatorControl("127.0.0.1", port, SystemClock())) as control:
            registers = control._client
            assert registers.read(2, 1) == [2]  # stopped
            until(lambda: registers.read(0, 1)[0] > 3)
            assert registers.read(2, 1) == [2]
            control.line(Command.RUN)
            until(lambda: registers.read(2, 1) == [4])  # idle: no vision lives
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--margin", "3"], 2, "margin = 3.0; allowed"),
        (["--pitch-mm", "10"], 2, "pitch_mm is too short"),
        (["--host", "192.0.2.1"], 1, "cannot listen"),
    ],
)
def test_a_wrong_start_is_one_clear_line(options, code, message, caplog):
    assert main(["--port", "0", *options]) == code
    assert message in caplog.text


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "99999"),
        ("--port", "-1"),
        ("--port", "five"),
        ("--vision", "127.0.0.1:99999"),
        ("--vision", "127.0.0.1:0"),
        ("--vision", ":5020"),
        ("--attended-s", "inf"),
        ("--attended-s", "-1"),
    ],
)
def test_a_port_an_address_or_a_time_that_is_none_is_refused(capsys, option, value):
    with pytest.raises(SystemExit):
        main(["--host", "192.0.2.1", option, value])
    assert f"argument {option}: '" in capsys.readouterr().err


def test_help_says_that_it_is_a_simulator(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "SIMULATOR" in capsys.readouterr().out
