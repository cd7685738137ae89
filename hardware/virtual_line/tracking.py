"""The PLC's shift register: which part is where, and what is to happen to it (notes A3).

Everything is timed by the encoder, nothing by sleeping: a part is decided on when it comes
within reach of the gate, at E_trigger + D_reject less the gate's own time.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from common.ports import ResultCode
from hardware.virtual_line.conveyor import LineSettings

_ENCODER = 1 << 32
"""Counts after which the encoder begins again."""


class State(Enum):
    """Where a part is in its short life here."""

    TRACKED = auto()
    """On the way to the rejector; a verdict may still come."""
    RELEASED = auto()
    """Decided: the gate is open for it."""
    REJECTED = auto()
    """Decided: diverted, and to be confirmed by the eye behind the rejector."""


@dataclass(slots=True)
class Record:
    """One cell of the shift register."""

    part_id: int
    encoder: int
    triggered_at: float
    """Seconds of the PLC's own clock."""
    challenge: bool = False
    verdict: ResultCode = ResultCode.NONE
    state: State = State.TRACKED


class ShiftRegister:
    """Records of the parts between camera and confirm eye, oldest first."""

    def __init__(self, line: LineSettings) -> None:
        self._records: deque[Record] = deque()
        self._reject = line.counts(line.rejector_mm)
        self._lead = line.counts(line.lead_mm)
        self._confirm = line.counts(line.rejector_mm + line.confirm_mm)
        self._window = line.counts(line.pitch_mm / 2)
        self._clear = line.counts(line.speed_mm_s * 2 * line.scan_s)
        self._reach = self._lead + self._clear
        self.commanded = self.without_verdict = 0
        """Rejects decided; those of them for want of a verdict."""
        self.consecutive = 0
        self.confirmed = self.confirmed_id = 0
        """Rejects that the eye proved, and the last part of them."""
        self.is_confirm_missing = self.is_track_lost = False

    def add(self, record: Record) -> None:
        """A part entered at the camera."""
        self._records.append(record)

    def awaiting(self, part_id: int) -> Record | None:
        """The undecided record of this part, if there is one."""
        found = (r for r in self._records if r.part_id == part_id)
        return next((r for r in found if r.state is State.TRACKED), None)

    def gate(self, encoder: int, reject_all: bool) -> bool:
        """Decide on the parts within reach; True while the gate is to release."""
        near = [r for r in self._records if self._is_near(r, encoder)]
        for record in near:
            self._decide(record, reject_all or self._is_crowded(record))
        return any(record.state is State.RELEASED for record in near)

    def see_confirm(self, encoder: int, pulses: int) -> None:
        """Match what the confirm eye saw with what was rejected, and find what is missing."""
        for _ in range(pulses):
            self._confirm_one(encoder)
        while self._records and self._travelled(self._records[0], encoder) > self._last:
            if self._records.popleft().state is not State.RELEASED:
                self.is_confirm_missing = True

    def reset(self) -> None:
        """A person has looked at the rejector: forget its faults."""
        self.is_confirm_missing = self.is_track_lost = False
        self.consecutive = 0

    @property
    def _last(self) -> int:
        return self._confirm + self._window

    def _is_near(self, record: Record, encoder: int) -> bool:
        travelled = self._travelled(record, encoder)
        return self._reject - self._lead <= travelled <= self._reject + self._clear

    def _is_crowded(self, record: Record) -> bool:
        """Another part is so close that the gate, open for one, takes both: reject both.

        Known before either is decided on, because the gate cannot turn back in time.
        """
        apart = (self._travelled(record, r.encoder) for r in self._records if r is not record)
        return any(min(counts, _ENCODER - counts) <= self._reach for counts in apart)

    def _decide(self, record: Record, must_reject: bool) -> None:
        """Once, and for good: the gate could not turn back in time."""
        if record.state is not State.TRACKED:
            return
        if record.verdict is ResultCode.PASS and not must_reject:
            record.state, self.consecutive = State.RELEASED, 0
            return
        record.state = State.REJECTED
        self.commanded += 1
        self.consecutive += not record.challenge  # a seeded piece says nothing of the process
        self.without_verdict += record.verdict is ResultCode.NONE

    def _confirm_one(self, encoder: int) -> None:
        for record in self._records:
            error = abs(self._travelled(record, encoder) - self._confirm)
            if record.state is State.REJECTED and error <= self._window:
                self.confirmed += 1
                self.confirmed_id = record.part_id
                self._records.remove(record)
                return
        self.is_track_lost = True  # a part left through the rejector that nobody sent there

    @staticmethod
    def _travelled(record: Record, encoder: int) -> int:
        return (encoder - record.encoder) % _ENCODER
