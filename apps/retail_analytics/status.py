"""How the shop is seen at this moment: which views are usable, and the queues as they are."""

from collections.abc import Mapping

from apps.retail_analytics.config import QueueRules
from apps.retail_analytics.crowd import Doors
from apps.retail_analytics.decide import CameraState
from apps.retail_analytics.domain import Decision
from apps.retail_analytics.queue_watch import QueueWatch
from apps.retail_analytics.record import Turn
from common.pipeline import Fault

STARTING = "starting"


class Status:
    """Takes note of turns; nothing in it tells of anybody."""

    def __init__(self, rules: QueueRules) -> None:
        self._rules = rules
        self.reasons: dict[str, str] = {}
        """Camera → why its last view was unusable; "" where it was good."""
        self.failure = ""
        """A fault of the loop itself; empty while it works."""
        self.queues: dict[tuple[str, str], QueueWatch] = {}
        """(camera, zone) → its queue."""

    def note(self, turn: Turn, state: Mapping[str, CameraState]) -> None:
        """After a turn; `state` is what the rules remember."""
        decision = turn.decision
        if isinstance(turn.percept, Fault):
            self.failure = f"{turn.percept.stage}: {turn.percept.cause}"
            return
        self.failure = ""
        self.reasons[decision.camera] = "" if decision.usable else decision.reason
        if decision.usable:
            self._note_queues(decision, state[decision.camera])

    def _note_queues(self, decision: Decision, state: CameraState) -> None:
        for zone, queue in state.queues.items():
            watched = self.queues.setdefault((decision.camera, zone), QueueWatch(self._rules))
            watched.add(len(queue.waiting), decision.seconds, decision.monotonic)
            for wait in decision.waits:
                if wait.zone == zone:
                    watched.served(wait)

    def forget(self, camera: str) -> None:
        """Its queues were drawn anew."""
        self.queues = {key: queue for key, queue in self.queues.items() if key[0] != camera}

    def faults(self) -> list[str]:
        """What keeps the shop from being seen, in words."""
        found = [f"{name}: {why}" for name, why in self.reasons.items() if why]
        return [*found, self.failure] if self.failure else found

    def unseen(self, doors: Doors) -> str:
        """Why who goes in and out is not seen now; empty while it is."""
        names = sorted({camera for camera, _ in doors})
        if not names:
            return "no line is a door"
        reasons = {name: self.reasons.get(name, STARTING) for name in names}
        return "; ".join(f"{name}: {why}" for name, why in reasons.items() if why)
