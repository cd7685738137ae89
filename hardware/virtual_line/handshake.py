"""The PLC's side of the handshake (domain notes A2): triggers out, verdicts in."""

from collections import deque

from common.ports import ResultCode
from hardware.fieldbus.blocks import VisionBlock
from hardware.fieldbus.registers import Status
from hardware.virtual_line.conveyor import LineSettings
from hardware.virtual_line.tracking import Record, ShiftRegister

_REMEMBERED = 64
"""Ids after which a result counts as foreign, not as late."""


class Handshake:
    """One trigger at a time; a verdict counts only for its own part, in time."""

    def __init__(self, line: LineSettings) -> None:
        self._line = line
        self.trigger = self.acknowledge = self.is_challenge = False
        self.part_id = self.encoder = 0
        """Of the last trigger."""
        self.missed = self.late = self.wrong_id = self.torn = 0
        """Parts without a trigger; results too late, for no known part, torn in reading."""
        self._triggered_at = 0.0
        self._issued: deque[int] = deque(maxlen=_REMEMBERED)
        self._seen_id = self._torn_id = 0
        self._challenges_left, self._was_asked = 0, False

    def offer(self, record: Record, vision: VisionBlock) -> None:
        """A part is at the camera: trigger, if vision is ready for it."""
        self._issued.append(record.part_id)
        acknowledged = Status.TRIG_ACK in vision.status  # of the part before
        if Status.TRIG_READY not in vision.status or acknowledged or self.trigger:
            self.missed += 1
            return
        self.trigger, self._triggered_at = True, record.triggered_at
        self.part_id, self.encoder = record.part_id, record.encoder
        self.is_challenge = record.challenge = self._challenges_left > 0
        self._challenges_left -= record.challenge

    def read(self, vision: VisionBlock, tracking: ShiftRegister, now: float) -> None:
        """One reading of vision's block."""
        acknowledged = Status.TRIG_ACK in vision.status and vision.part_id == self.part_id
        if acknowledged or now - self._triggered_at >= self._line.deadline_s:
            self.trigger = False
        self._see_challenge_request(Status.CHALLENGE_REQUEST in vision.status)
        if Status.RESULT_VALID not in vision.status:
            self.acknowledge, self._seen_id = False, 0
        elif vision.part_id != vision.part_id_copy:
            self.torn += vision.part_id != self._torn_id
            self._torn_id = vision.part_id
        elif vision.part_id != self._seen_id:
            self._seen_id = vision.part_id
            self.acknowledge = not self.acknowledge  # still up: let vision see an edge
            self._judge(vision, tracking, now)
        else:
            self.acknowledge = True

    def _see_challenge_request(self, is_asked: bool) -> None:
        if is_asked and not self._was_asked:
            self._challenges_left = self._line.challenge_parts
        self._was_asked = is_asked

    def _judge(self, vision: VisionBlock, tracking: ShiftRegister, now: float) -> None:
        record = tracking.awaiting(vision.part_id)
        if record is None:
            is_known = vision.part_id in self._issued
            self.late += is_known
            self.wrong_id += not is_known
        elif now - record.triggered_at >= self._line.deadline_s:
            self.late += 1
        elif record.verdict is ResultCode.NONE:
            record.verdict = _verdict(vision)


def _verdict(vision: VisionBlock) -> ResultCode:
    """PASS needs the code and the bit; a code that nobody knows is no result."""
    known = vision.code in tuple(ResultCode)
    code = ResultCode(vision.code) if known else ResultCode.NO_RESULT
    if code is ResultCode.PASS and Status.PASS not in vision.status:
        return ResultCode.FAIL
    return code
