"""The two blocks of the register map as values: what the PLC says, what vision says."""

import math
from dataclasses import dataclass, field

from common.ports import PartResult, ResultCode
from hardware.fieldbus.registers import (
    PLC_WORDS,
    VISION_WORDS,
    Control,
    Status,
    decode_u32,
    encode_u16,
    encode_u32,
)

NO_SCORE = 0xFFFF
NO_CONTROL, NO_STATUS = Control(0), Status(0)
ALL_CONTROL = ~Control(0)


@dataclass(frozen=True, slots=True)
class PlcBlock:
    """Registers 0 … 12: one reading of the PLC."""

    heartbeat: int = 0
    mode: int = 1
    state: int = 0
    control: Control = NO_CONTROL
    part_id: int = 0
    encoder: int = 0
    recipe_id: int = 0
    batch: int = 0
    confirmed_id: int = 0
    reject_faults: int = 0
    consecutive_rejects: int = 0
    line_speed_mm_s: int = 0

    def words(self, order: str) -> list[int]:
        """The block as registers from address 0."""
        head = [self.heartbeat & 0xFFFF, self.mode, self.state, int(self.control)]
        tail = [
            self.recipe_id,
            self.batch,
            self.confirmed_id,
            self.reject_faults,
            encode_u16(self.consecutive_rejects),
            encode_u16(self.line_speed_mm_s),
        ]
        return [*head, self.part_id, *encode_u32(self.encoder, order), *tail]

    @classmethod
    def parse(cls, words: list[int], order: str) -> "PlcBlock":
        """The inverse of `words`."""
        if len(words) != PLC_WORDS:
            raise ValueError(f"{len(words)} words instead of {PLC_WORDS}")
        heartbeat, mode, state, control, part_id = words[:5]
        encoder = decode_u32(words[5:7], order)
        known = Control(control & ALL_CONTROL)  # a PLC may use the other bits for itself
        return cls(heartbeat, mode, state, known, part_id, encoder, *words[7:])


@dataclass(frozen=True, slots=True)
class Counts:
    """Parts answered since start."""

    passed: int = 0
    failed: int = 0
    no_result: int = 0

    def add(self, code: ResultCode) -> "Counts":
        """These counts and one more answer."""
        is_pass, is_fail = code is ResultCode.PASS, code is ResultCode.FAIL
        other = not (is_pass or is_fail)
        return Counts(self.passed + is_pass, self.failed + is_fail, self.no_result + other)


@dataclass(frozen=True, slots=True)
class VisionBlock:
    """Registers 100 … 117: what vision says, as the PLC reads it at once."""

    heartbeat: int = 0
    status: Status = NO_STATUS
    part_id: int = 0
    code: int = 0
    defect_class: int = 0
    score: int = 0
    encoder: int = 0
    latency_ms: int = 0
    error_code: int = 0
    counts: Counts = field(default_factory=Counts)
    recipe_ack: int = 0
    part_id_copy: int = 0

    @classmethod
    def parse(cls, words: list[int], order: str) -> "VisionBlock":
        """The block of the registers from address 100."""
        if len(words) != VISION_WORDS:
            raise ValueError(f"{len(words)} words instead of {VISION_WORDS}")
        return cls(
            heartbeat=words[0],
            status=Status(words[1]),
            part_id=words[2],
            code=words[3],
            defect_class=words[4],
            score=words[5],
            encoder=decode_u32(words[6:8], order),
            latency_ms=words[8],
            error_code=words[9],
            counts=Counts(*(decode_u32(words[i : i + 2], order) for i in (10, 12, 14))),
            recipe_ack=words[16],
            part_id_copy=words[17],
        )


def result_words(result: PartResult, counts: Counts, recipe: int, order: str) -> list[int]:
    """Registers 102 … 117 of a result; the part id stands at both ends."""
    part_id = encode_u16(result.part_id)
    return [
        part_id,
        int(result.code),
        encode_u16(result.defect_class),
        _score(result.score),
        *encode_u32(result.encoder, order),
        encode_u16(result.latency_ms),
        encode_u16(result.error_code),
        *encode_u32(counts.passed, order),
        *encode_u32(counts.failed, order),
        *encode_u32(counts.no_result, order),
        recipe,
        part_id,
    ]


def _score(score: float) -> int:
    if not math.isfinite(score):
        return NO_SCORE
    return min(encode_u16(round(score * 1000)), NO_SCORE - 1)
