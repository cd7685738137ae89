"""What only a simulated PLC has: faults on command, and counters that judge the cell.

These registers lie above the map (from 200) and are never hit by a fault, so a test or a
demo can always heal what it broke. No real PLC has them.
"""

import threading
from collections import deque
from dataclasses import asdict, dataclass
from enum import IntEnum

from common.errors import PlcError
from common.ports import Clock
from hardware.fieldbus.blocks import VisionBlock
from hardware.fieldbus.modbus_client import ModbusClient
from hardware.fieldbus.registers import Status, decode_u32, encode_u32
from hardware.virtual_line.conveyor import Eyes
from hardware.virtual_line.packml import Command

FAULT, FAULT_VALUE, LINE, STOP_REASONS, DEADLINE_MS, COUNTERS = 200, 201, 202, 203, 204, 210


class Fault(IntEnum):
    """What FAULT makes the simulator do; FAULT_VALUE refines it."""

    NONE = 0
    SILENT = 1
    """Accepts connections and requests, answers none."""
    SLOW = 2
    """Carries out at once and answers FAULT_VALUE ms late."""
    FROZEN = 3
    """Its heartbeat stands still."""
    WRONG_ID = 4
    """Reads results with another part's id."""
    TORN_READ = 5
    """Reads results with a copy of the id that differs."""
    CONFIRM_MISSING = 6
    """The confirm eye is blind."""
    BIN_FULL = 7
    EXCEPTION = 8
    """Refuses with Modbus exception FAULT_VALUE."""
    DROP = 9
    """Cuts all connections once; heals itself."""
    STUCK_OPEN = 10
    """The rejector diverts nothing: what it rejects escapes."""
    HALTED = 11
    """The program does not run: belt and heartbeat stand, the registers still answer."""


@dataclass(slots=True)
class Counters:
    """Two registers each, from COUNTERS on, in this order."""

    parts_total: int = 0
    """Parts seen by the camera's eye."""
    passed: int = 0
    """Parts seen by the eye in the pass lane."""
    rejected: int = 0
    """Parts that physically left through the rejector."""
    rejected_no_verdict: int = 0
    passed_without_pass: int = 0
    """Parts in the pass lane for which vision never wrote an in-time PASS. Must stay 0."""
    unaccounted: int = 0
    """Parts that entered, did not leave and are not on the belt. Must stay 0."""
    late_verdicts: int = 0
    wrong_id: int = 0
    line_stops: int = 0
    confirmed: int = 0
    """Rejects that the confirm eye proved to the PLC."""
    commanded: int = 0
    """Rejects that the PLC decided."""
    missed: int = 0
    """Parts without a trigger, because vision was not ready."""
    torn_reads: int = 0
    challenge_parts: int = 0
    challenge_passed: int = 0
    """Seeded pieces in the pass lane. Must stay 0."""

    def words(self, order: str) -> list[int]:
        """The registers from COUNTERS on."""
        values = (getattr(self, name) for name in self.__slots__)  # asdict copies: too slow
        return [word for value in values for word in encode_u32(value, order)]

    @classmethod
    def parse(cls, words: list[int], order: str) -> "Counters":
        """The inverse of `words`."""
        pairs = (words[at : at + 2] for at in range(0, len(words), 2))
        return cls(*(decode_u32(pair, order) for pair in pairs))


COUNTER_WORDS = 2 * len(asdict(Counters()))
SIZE = COUNTERS + COUNTER_WORDS


class Judge:
    """Counts what really happened to each part, from the eyes and from the bus.

    It never looks at what the PLC decided: a part in the pass lane is right only if vision
    itself wrote a valid in-time PASS with that part's id.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._entered: dict[int, tuple[int, float, bool]] = {}
        """By serial: part id, when it was at the camera, whether it is a seeded piece."""
        self._passes: dict[int, float] = {}
        self._heard: deque[tuple[int, float]] = deque()
        self._lock = threading.Lock()

    def hear(self, vision: VisionBlock, now: float) -> None:
        """Vision wrote its block (called by the server's thread)."""
        wanted = Status.RESULT_VALID | Status.PASS
        if wanted in vision.status and vision.part_id == vision.part_id_copy:
            with self._lock:
                self._heard.append((vision.part_id, now))

    def enter(self, serial: int, part_id: int, now: float, challenge: bool) -> None:
        """A part was at the camera and got this id."""
        self._entered[serial] = (part_id, now, challenge)
        self._passes.pop(part_id, None)  # ids come again after 65535 parts

    def leave(self, eyes: Eyes, counters: Counters) -> None:
        """Count the parts that left."""
        with self._lock:
            while self._heard:
                part_id, when = self._heard.popleft()
                self._passes.setdefault(part_id, when)
        for serial in eyes.confirm:
            del self._entered[serial]
            counters.rejected += 1
        for serial in eyes.exit:
            part_id, entered, challenge = self._entered.pop(serial)
            said = self._passes.pop(part_id, None)
            counters.passed += 1
            counters.challenge_passed += challenge
            in_time = said is not None and said - entered < self._deadline_s
            counters.passed_without_pass += not in_time


class SimulatorControl:
    """The panel of a running virtual PLC, for tests and demos in another process."""

    def __init__(self, host: str, port: int, clock: Clock, word_order: str = "CDAB") -> None:
        self._client = ModbusClient(host, port, clock=clock, timeout_s=2.0)
        self._order = word_order

    def counters(self) -> Counters:
        """All counters, read at one moment; raises PlcError."""
        return Counters.parse(self._client.read(COUNTERS, COUNTER_WORDS), self._order)

    def fault(self, fault: Fault, value: int = 0) -> None:
        """Make it fail, or heal it with Fault.NONE; raises PlcError."""
        try:
            self._client.write(FAULT, [fault.value, value])
        except PlcError:
            if fault is not Fault.DROP:  # which may cut us off before its answer
                raise

    def line(self, command: Command) -> None:
        """Press run, stop or reset; raises PlcError."""
        self._client.write(LINE, [command.value])

    def close(self) -> None:
        """Leave it."""
        self._client.close()
