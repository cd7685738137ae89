"""How the line is at this moment: what fails, what was wrong with the last part, what works."""

from apps.defect_inspection.domain import Verdict
from apps.defect_inspection.record import Turn
from common.errors import WITHHELD
from common.pipeline import Fault
from common.ports import PlcView
from common.quality import Quality


class Status:
    """Takes note of turns; read by the alarms and the snapshot. Texts are empty when well."""

    def __init__(self, gate: str, camera: str, now: float) -> None:
        """Names of the gate and the camera, as their faults give them; `now` is monotonic s."""
        self._sources = {gate: "plc", camera: "camera"}
        self.failures: dict[str, str] = {}
        """plc, camera or inference → cause, as long as it lasts."""
        self.bad_pictures = self.late = ""
        """Why the last part has no verdict of its picture, or not in time."""
        self.unknown_recipe = ""
        self.refused_ids = self.stale_triggers = ""
        """Triggers that were no part's, until a part comes."""
        self.batch = 0
        """Of the last part."""
        self.beats, self.last_work = 0, now
        """How often the network has worked, and when last: monotonic s."""
        self._part_failed = False
        """Inference has failed on a part since the known board was last seen right."""
        self._refused = self._stale = 0

    def note(self, turn: Turn | None, now: float) -> None:
        """After a turn that ended `now`, monotonic s; None: the PLC had no part."""
        if turn is None:
            self.failures.pop("plc", None)
            return
        if turn.sample:
            self.batch = turn.sample.data.trigger.batch
        if isinstance(turn.percept, Fault):
            self._note_fault(turn.percept, turn.decision.part_id)
        else:
            self.failures.pop("plc", None)
            self.failures.pop("camera", None)
            if turn.percept.quality is Quality.GOOD:  # no network was asked of a bad picture
                self.failures.pop("inference", None)
                self._worked(now)
        if turn.decision.part_id:
            self._note_part(turn)

    def proved(self, now: float) -> None:
        """The known board was seen right, monotonic s: who fails on parts is not well yet."""
        if not self._part_failed:
            self.failures.pop("inference", None)
        self._part_failed = False
        self._worked(now)

    def note_plc(self, plc: PlcView) -> None:
        """What the PLC counts."""
        self.refused_ids = _more(plc.refused, self._refused) or self.refused_ids
        self.stale_triggers = _more(plc.stale, self._stale) or self.stale_triggers
        self._refused, self._stale = plc.refused, plc.stale

    def _note_fault(self, fault: Fault, part_id: int) -> None:
        if fault.device == WITHHELD:
            return  # this part's alone: the PLC has answered
        source = self._sources.get(fault.device, "inference")
        if source != "plc" or fault.stage == "act" or not part_id:
            self.failures[source] = fault.cause  # else: one missed part, no dead PLC
        self._part_failed |= source == "inference"

    def _note_part(self, turn: Turn) -> None:
        decision, fault = turn.decision, turn.percept
        withheld = isinstance(fault, Fault) and fault.device == WITHHELD
        reason = decision.reasons[0] if decision.reasons else ""
        self.bad_pictures = reason if decision.verdict is Verdict.BAD_IMAGE else ""
        self.late = reason if withheld or decision.verdict is Verdict.LATE else ""
        self.refused_ids = self.stale_triggers = ""

    def _worked(self, now: float) -> None:
        self.beats += 1
        self.last_work = now


def _more(now: int, before: int) -> str:
    """What is told of a count of triggers that has risen; empty when it has not."""
    return f"{now} triggers since the start, {now - before} just now" if now > before else ""
