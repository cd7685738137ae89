"""From a decision to the PLC. Safe state: nothing passes.

Positive release: only PASS is ever sent as PASS; everything else, and silence, makes the
PLC reject the part.
"""

import math

from apps.defect_inspection.domain import Decision, Verdict
from common.errors import WITHHELD
from common.pipeline import Fault
from common.ports import PartGate, PartResult, ResultCode

WIRE = {
    Verdict.PASS: ResultCode.PASS,
    Verdict.HOLD: ResultCode.FAIL,
    Verdict.REJECT: ResultCode.FAIL,
    Verdict.LATE: ResultCode.LATE,
    Verdict.BAD_IMAGE: ResultCode.BAD_IMAGE,
    Verdict.NO_RESULT: ResultCode.NO_RESULT,
}
"""What the PLC is told. A hold is a FAIL on the wire."""
LOOKED = (Verdict.PASS, Verdict.HOLD, Verdict.REJECT, Verdict.LATE)
"""The network has worked for these: a beat says so."""


class Act:
    """Answers the PLC; raises PlcError when it cannot be told the verdict."""

    def __init__(self, gate: PartGate, labels: tuple[str, ...]) -> None:
        self._gate = gate
        self._class_of = {kind: number for number, kind in enumerate(labels, start=1)}
        self.challenge_wanted = False
        """A person asked for a challenge test; the PLC is asked to feed the pieces."""

    def __call__(self, decision: Decision) -> None:
        """Tell the PLC that the line must stop if it must, and the verdict.

        The verdict comes last: what fails before it leaves the part without one, and what
        failed after it would take back a PASS that the record has kept.
        """
        if decision.verdict in LOOKED:
            self._gate.beat()
        self.request(bool(decision.line_stop))
        if decision.part_id:
            self._gate.answer(self._result(decision))

    def request(self, line_stop: bool) -> None:
        """Tell the PLC what we ask of it; raises PlcError."""
        self._gate.request(line_stop, self.challenge_wanted)

    def safe_state(self, fault: Fault) -> None:
        """Drop every permit; never raises.

        None for a PASS that was withheld: the PLC has an answer that rejects this part, and
        neither it nor vision has failed.
        """
        if fault.device != WITHHELD:
            self._gate.safe_state(fault.says)

    def _result(self, decision: Decision) -> PartResult:
        worst = decision.worst
        return PartResult(
            decision.part_id,
            WIRE[decision.verdict],
            defect_class=self._class_of.get(worst.kind, 0) if worst else 0,
            score=worst.score if worst else math.nan,
            latency_ms=round(decision.latency_ms),
        )
