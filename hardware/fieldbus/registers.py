"""The register map between PLC and vision: one table, from which everything else is derived.

Recommended map of the domain notes (section A5), plus one extension of ours: STATUS bit 15
`ChallengeRequest`, by which vision asks for seeded test pieces; the PLC answers by CONTROL
bit 4 `ChallengeMode` on the trigger of each such part.

Addresses are those on the wire, counted from 0: "40001" in a manual is address 0.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Protocol

from common.ports import ResultCode

TO_VISION, TO_PLC = "PLC → vision", "vision → PLC"
WORD_ORDERS = ("CDAB", "ABCD", "BADC", "DCBA")
"""Bytes of a 32-bit value in the order sent; ABCD is big-endian, CDAB what most PLCs use."""


class Control(IntFlag):
    """Bits of CONTROL, set by the PLC."""

    TRIG_ENABLE = 1 << 0
    TRIGGER = 1 << 1
    RESULT_ACK = 1 << 2
    CLEAR_ERROR = 1 << 3
    CHALLENGE_MODE = 1 << 4
    REJECT_ALL_REQUEST = 1 << 5


class Status(IntFlag):
    """Bits of STATUS, set by vision."""

    ONLINE = 1 << 0
    TRIG_READY = 1 << 1
    TRIG_ACK = 1 << 2
    BUSY = 1 << 3
    EXPOSURE_COMPLETE = 1 << 4
    RESULT_VALID = 1 << 5
    PASS = 1 << 6
    FAIL = 1 << 7
    ERROR = 1 << 8
    MISSED_TRIGGER = 1 << 9
    BUFFER_OVERRUN = 1 << 10
    REJECT_ALL_ACTIVE = 1 << 11
    LINE_STOP_REQUEST = 1 << 12
    MODEL_OK = 1 << 13
    RECIPE_ACK = 1 << 14
    CHALLENGE_REQUEST = 1 << 15


class RejectFault(IntFlag):
    """Bits of REJECT_FAULT, set by the PLC."""

    BIN_FULL = 1 << 0
    AIR_LOW = 1 << 1
    CONFIRM_MISSING = 1 << 2
    TRACK_LOST = 1 << 3


class Coil(IntEnum):
    """Coils for simple PLCs; off means reject and stop, so that any loss is safe."""

    PASS_PULSE = 0
    LINE_PERMIT = 1
    VISION_OK = 2
    PASS_ENABLED = 3


@dataclass(frozen=True, slots=True)
class Register:
    """One row of the map."""

    name: str
    address: int
    words: int
    direction: str
    meaning: str
    bits: type[IntFlag] | None = None


_CODES = ", ".join(f"{code.value} {code.name}" for code in ResultCode)

MAP = (
    Register("PLC_HEARTBEAT", 0, 1, TO_VISION, "counter, +1 every 500 ms"),
    Register("PLC_MODE", 1, 1, TO_VISION, "PackML mode: 1 production, 2 maintenance, 3 manual"),
    Register("PLC_STATE", 2, 1, TO_VISION, "PackML state 1 … 17; 6 is Execute"),
    Register("CONTROL", 3, 1, TO_VISION, "handshake of the PLC", Control),
    Register("PART_ID", 4, 1, TO_VISION, "part at the camera, 1 … 65535; 0 is none"),
    Register("ENCODER_AT_TRIGGER", 5, 2, TO_VISION, "encoder latched at the trigger, counts"),
    Register("RECIPE_ID", 7, 1, TO_VISION, "product that runs now"),
    Register("BATCH_SEQ", 8, 1, TO_VISION, "batch that runs now"),
    Register("REJECT_CONFIRMED_ID", 9, 1, TO_VISION, "last part the confirm eye saw leave"),
    Register("REJECT_FAULT", 10, 1, TO_VISION, "faults of the rejector", RejectFault),
    Register("CONSEC_REJECTS", 11, 1, TO_VISION, "rejects in a row"),
    Register("LINE_SPEED", 12, 1, TO_VISION, "belt speed, mm/s"),
    Register("VIS_HEARTBEAT", 100, 1, TO_PLC, "counter, +1 after completed work"),
    Register("STATUS", 101, 1, TO_PLC, "handshake, written after the result words", Status),
    Register(
        "RESULT_PART_ID", 102, 1, TO_PLC, "part of the acknowledged trigger, of the result"
    ),
    Register("RESULT_CODE", 103, 1, TO_PLC, _CODES),
    Register("DEFECT_CLASS", 104, 1, TO_PLC, "1 + index of the worst defect's kind; 0 is none"),
    Register("SCORE", 105, 1, TO_PLC, "score × 1000; 65535 is none"),
    Register("RESULT_ENCODER", 106, 2, TO_PLC, "echo of ENCODER_AT_TRIGGER, counts"),
    Register("LATENCY_MS", 108, 1, TO_PLC, "trigger seen to verdict, ms"),
    Register("ERROR_CODE", 109, 1, TO_PLC, "kept for later: always 0"),
    Register("PASS_COUNT", 110, 2, TO_PLC, "parts answered PASS since start"),
    Register("FAIL_COUNT", 112, 2, TO_PLC, "parts answered FAIL since start"),
    Register("NORESULT_COUNT", 114, 2, TO_PLC, "parts answered anything else since start"),
    Register("RECIPE_ACK", 116, 1, TO_PLC, "recipe that vision has loaded"),
    Register("RESULT_PART_ID_COPY", 117, 1, TO_PLC, "equals RESULT_PART_ID, else a torn read"),
)
PLC_WINDOW = range(32)
"""Holding registers that the PLC writes."""
VISION_WINDOW = range(100, 132)
"""Holding registers that vision writes."""
ADDRESS = {row.name: row.address for row in MAP}
PLC_WORDS = sum(row.words for row in MAP if row.direction == TO_VISION)
"""Words of one reading of the PLC: the whole used window in one transaction."""
VISION_WORDS = sum(row.words for row in MAP if row.direction == TO_PLC)
VIS_HEARTBEAT, STATUS = ADDRESS["VIS_HEARTBEAT"], ADDRESS["STATUS"]
RESULT, RECIPE_ACK = ADDRESS["RESULT_PART_ID"], ADDRESS["RECIPE_ACK"]


class Registers(Protocol):
    """Where the map lives: in the PLC (we are the client) or in us (we are the server).

    Methods raise PlcError; after that the connection counts as new.
    """

    @property
    def name(self) -> str:
        """The PLC and where it is."""

    @property
    def retry_in_s(self) -> float:
        """Seconds until the next try to connect; 0 when connected."""

    def connect(self) -> bool:
        """Connect if needed; True when the connection is a new one."""

    def read(self, address: int, count: int) -> list[int]:
        """Holding registers, in one transaction."""

    def write(self, address: int, values: list[int]) -> None:
        """Write holding registers, in one transaction."""

    def write_coils(self, address: int, values: list[bool]) -> None:
        """Write coils, in one transaction."""

    def close(self) -> None:
        """Leave the PLC."""


_SWAPPED_BYTES = ("BADC", "DCBA")
_LOW_WORD_FIRST = ("CDAB", "DCBA")


def encode_u16(value: float) -> int:
    """A value that fits one register: clamped, because a wrapped one would lie."""
    return max(0, min(0xFFFF, int(value)))


def encode_u32(value: int, order: str = "CDAB") -> list[int]:
    """Two registers of `value` modulo 2³² (counters and encoders wrap) in `order`."""
    data = struct.pack(">I", value & 0xFFFFFFFF)
    return list(_in_order(struct.unpack(">HH", data), order))


def decode_u32(words: list[int], order: str = "CDAB") -> int:
    """The value of two registers in `order`; the inverse of encode_u32."""
    high, low = _in_order((words[0], words[1]), order)
    return (high << 16) | low


def _in_order(pair: tuple[int, ...], order: str) -> tuple[int, ...]:
    """Both swaps are their own inverse, so this serves both directions."""
    if order not in WORD_ORDERS:
        raise ValueError(f"word order {order!r}; allowed: {', '.join(WORD_ORDERS)}")
    if order in _LOW_WORD_FIRST:
        pair = pair[::-1]
    if order in _SWAPPED_BYTES:
        pair = tuple(((word & 0xFF) << 8) | (word >> 8) for word in pair)
    return pair


def reference(address: int) -> int:
    """The 4x number that PLC manuals print for a holding register: address 0 is 40001."""
    return 40001 + address


def markdown_table() -> str:
    """The map as Markdown; READMEs are generated from it."""
    lines = ["| address | 4x | register | direction | meaning |", "|--:|--:|---|---|---|"]
    for row in MAP:
        last = row.address + row.words - 1
        span = str(row.address) if row.words == 1 else f"{row.address}-{last}"
        kind = " u32" if row.words == 2 else ""
        meaning = row.meaning + _bit_names(row.bits)
        number = reference(row.address)
        lines.append(f"| {span} | {number} | {row.name}{kind} | {row.direction} | {meaning} |")
    lines += ["", "| coil | name | off means |", "|--:|---|---|"]
    lines += [f"| {coil.value} | {coil.name} | {_OFF[coil]} |" for coil in Coil]
    return "\n".join(lines) + "\n"


_OFF = {
    Coil.PASS_PULSE: "reject the part",
    Coil.LINE_PERMIT: "stop the line",
    Coil.VISION_OK: "vision is not working",
    Coil.PASS_ENABLED: "reject every part",
}


def _bit_names(bits: type[IntFlag] | None) -> str:
    if bits is None:
        return ""
    names = (f"{bit.value.bit_length() - 1} {_camel(bit.name or '')}" for bit in bits)
    return "; bits: " + ", ".join(names)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
