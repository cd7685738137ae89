"""SIMULATOR: conveyor and PLC program behind a Modbus TCP server."""

import asyncio
import dataclasses
import threading
from collections import deque

from common.clock import SystemClock
from common.ports import Clock
from hardware.fieldbus.blocks import PlcBlock, VisionBlock
from hardware.fieldbus.register_server import GRANTED, SILENT, Access, Memory, RegisterServer
from hardware.fieldbus.registers import STATUS, VIS_HEARTBEAT, VISION_WINDOW, VISION_WORDS
from hardware.virtual_line.conveyor import Conveyor, LineSettings
from hardware.virtual_line.packml import Command
from hardware.virtual_line.program import Inputs, Outputs, PlcProgram
from hardware.virtual_line.simulator import (
    COUNTERS,
    DEADLINE_MS,
    FAULT,
    LINE,
    SIZE,
    STOP_REASONS,
    Counters,
    Fault,
    Judge,
)

_LONGEST_LAG_S = 0.25
"""Scans that were missed are made up for, but not more than this."""
_ILLEGAL_ADDRESS, _ILLEGAL_VALUE, _DEVICE_FAILURE = 2, 3, 4
_EXCEPTIONS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11)


class VirtualPlc:
    """The simulated cell: `scan` by hand in a test, or `run` in real time."""

    def __init__(
        self,
        line: LineSettings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        word_order: str = "CDAB",
        clock: Clock | None = None,
    ) -> None:
        """`port` 0 takes a free one: see `port` after `open`."""
        self.line = line or LineSettings()
        self.memory = Memory(SIZE)
        self.program, self.conveyor = PlcProgram(self.line), Conveyor(self.line)
        self._order, self._clock = word_order, clock or SystemClock()
        self._judge = Judge(self.line.deadline_s)
        self._counters, self._published = Counters(), Counters()
        self._commands: deque[Command] = deque()
        block = PlcBlock(state=self.program.line.state.value)
        self._set = Outputs(block, run_belt=False, release=False)
        self._server = RegisterServer(
            self.memory, host, port,
            gatekeeper=self._admit, hold_up=self._hold_up, written=self._written,
        )  # fmt: skip
        self.memory.write(0, block.words(word_order))
        self.memory.write(DEADLINE_MS, [round(self.line.deadline_s * 1000)])

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._server.port

    @property
    def counters(self) -> Counters:
        """A copy of the counters."""
        return dataclasses.replace(self._counters)

    def open(self) -> "VirtualPlc":
        """Serve; raises PlcError when the address is taken."""
        self._server.start()
        return self

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def command(self, command: Command) -> None:
        """Press run, stop or reset."""
        self._commands.append(command)

    def run(self, stop: threading.Event) -> None:
        """Scan in real time until `stop` is set."""
        due = self._clock.monotonic()
        while not stop.is_set():
            self.scan()
            now = self._clock.monotonic()
            due = max(due + self.line.scan_s, now - _LONGEST_LAG_S)
            if due > now:
                self._clock.sleep(due - now)

    def scan(self) -> None:
        """One scan cycle, and the physics of that time."""
        fault = Fault(self.memory.read(FAULT, 1)[0])
        if fault is Fault.HALTED:
            return
        while self._commands:
            self.program.command(self._commands.popleft())
        self.conveyor.is_stuck_open = fault is Fault.STUCK_OPEN
        last = self._set
        eyes = self.conveyor.step(self.line.scan_s, last.run_belt, last.release)
        blind = fault is Fault.CONFIRM_MISSING
        self._set = self.program.scan(
            Inputs(
                encoder=self.conveyor.encoder,
                parts_at_camera=len(eyes.camera),
                confirm_pulses=0 if blind else len(eyes.confirm),
                vision=self._vision(fault),
                bin_full=fault is Fault.BIN_FULL,
                frozen=fault is Fault.FROZEN,
            )
        )
        for serial, part_id in zip(eyes.camera, self._set.new_ids, strict=True):
            self._enter(serial, part_id)
        self._judge.leave(eyes, self._counters)
        self._publish()

    def take_vision_words(self, words: list[int]) -> None:
        """Vision's block as read by a link, when the PLC is the client."""
        self.memory.write(VIS_HEARTBEAT, words)
        self._judge.hear(VisionBlock.parse(words, self._order), self.program.time)

    # --- one scan ---------------------------------------------------------------------

    def _vision(self, fault: Fault) -> VisionBlock:
        """Verdict, ids and valid bit in one contiguous read, spoilt where a fault says so."""
        block = VisionBlock.parse(self.memory.read(VIS_HEARTBEAT, VISION_WORDS), self._order)
        if fault is Fault.WRONG_ID:
            other = (block.part_id + 1000) & 0xFFFF
            return dataclasses.replace(block, part_id=other, part_id_copy=other)
        if fault is Fault.TORN_READ:
            return dataclasses.replace(block, part_id_copy=(block.part_id_copy - 1) & 0xFFFF)
        return block

    def _enter(self, serial: int, part_id: int) -> None:
        hand = self.program.handshake
        challenge = hand.is_challenge and hand.trigger and hand.part_id == part_id
        self._counters.parts_total += 1
        self._counters.challenge_parts += challenge
        self._judge.enter(serial, part_id, self.program.time, challenge)

    def _publish(self) -> None:
        count, program = self._counters, self.program
        tracking, hand = program.tracking, program.handshake
        gone = count.passed + count.rejected
        count.unaccounted = count.parts_total - gone - self.conveyor.on_belt
        count.rejected_no_verdict = tracking.without_verdict
        count.commanded, count.confirmed = tracking.commanded, tracking.confirmed
        count.late_verdicts, count.wrong_id = hand.late, hand.wrong_id
        count.missed, count.torn_reads = hand.missed, hand.torn
        count.line_stops = program.line.stops
        self.memory.write(0, self._set.block.words(self._order))
        self.memory.write(STOP_REASONS, [int(program.line.reasons)])
        if count != self._published:
            self._published = dataclasses.replace(count)
            self.memory.write(COUNTERS, count.words(self._order))

    # --- in the server's thread -------------------------------------------------------

    async def _admit(self, access: Access) -> int:
        if not access.is_coils and access.address >= FAULT:
            return self._admit_panel(access)
        fault, value = self.memory.read(FAULT, 2)
        if fault == Fault.SILENT:
            return SILENT
        if fault == Fault.EXCEPTION:
            return value if value in _EXCEPTIONS else _DEVICE_FAILURE
        last = access.address + access.count - 1
        is_ours = access.address not in VISION_WINDOW or last not in VISION_WINDOW
        wants_ours = access.values is not None and not access.is_coils and is_ours
        return _ILLEGAL_ADDRESS if wants_ours else GRANTED

    async def _hold_up(self, access: Access) -> None:
        fault, value = self.memory.read(FAULT, 2)
        if fault == Fault.SLOW and (access.is_coils or access.address < FAULT):
            await asyncio.sleep(value / 1000)

    @staticmethod
    def _admit_panel(access: Access) -> int:
        """Only known faults and commands may be written, and nothing else up there."""
        if access.values is None:
            return GRANTED
        known = {FAULT: tuple(Fault), LINE: tuple(Command)}.get(access.address, ())
        return GRANTED if access.values[0] in known else _ILLEGAL_VALUE

    def _written(self, access: Access) -> None:
        if access.is_coils or access.values is None:
            return
        if access.address == LINE:
            self._commands.append(Command(access.values[0]))
        elif access.address == FAULT and access.values[0] == Fault.DROP:
            self.memory.write(FAULT, [Fault.NONE.value])
            self._server.drop_connections()
        elif access.address <= STATUS < access.address + access.count:
            words = self.memory.read(VIS_HEARTBEAT, VISION_WORDS)
            self._judge.hear(VisionBlock.parse(words, self._order), self.program.time)
