"""From decisions to the outside world: a work order, and a stack light where there is one.

Safe state: the light says that nothing is known. Work orders stand as they are: a dead
sensor neither opens nor closes one.
"""

import logging
from collections.abc import Callable

from apps.predictive_maintenance.desk import Desk
from apps.predictive_maintenance.domain import Decision, Verdict
from apps.predictive_maintenance.remembered import State
from common.errors import PlcError
from common.pipeline import Fault
from common.ports import LightState, StatusLight

LIGHT = {
    Verdict.UNKNOWN: LightState.FAULT,
    Verdict.RUN: LightState.RUN,
    Verdict.WATCH: LightState.WATCH,
    Verdict.PLAN: LightState.PLAN,
    Verdict.STOP: LightState.STOP,
}
log = logging.getLogger(__name__)


class Act:
    """Takes decisions to the desk, and the worst verdict of all machines to the light.

    A verdict of plan or stop shows until it is taken back; a better one is believed only while
    its machine is heard and judged.

    A light that does not answer is a failure beside the work orders, told as an alarm: it
    costs no machine its verdict.
    """

    def __init__(
        self, desk: Desk, light: StatusLight | None, state: Callable[[], State]
    ) -> None:
        self.desk = desk
        self._light, self._state = light, state
        self._fault = ""
        self.unsure: frozenset[str] = frozenset()
        """Machines of which no good verdict is believed now."""
        self.light_failure = ""
        """Why the light cannot be told; empty when it can, or there is none."""

    def __call__(self, decision: tuple[Decision, ...]) -> None:
        """Carry the decisions of one batch out."""
        for one in decision:
            self.desk.take(one)
        self.desk.flush()
        if any(one.judged for one in decision):
            self._fault = ""

    def safe_state(self, fault: Fault) -> None:
        """The light says that nothing is known; never raises."""
        known, self._fault = self._fault, f"{fault.device}: {fault.cause}"
        if self._fault != known:
            self.show()

    def show(self) -> None:
        """Bring the light up to date; to be called now and then, it is also its beat."""
        if self._light is None:
            return
        try:
            self._light.show(self.light_state)
        except PlcError as error:
            if not self.light_failure:
                log.warning("the light cannot be told: %s", error)
            self.light_failure = str(error)
        else:
            self.light_failure = ""

    @property
    def light_state(self) -> LightState:
        """What the light has to say."""
        if self._fault:
            return LightState.FAULT
        verdicts = [
            memory.verdict
            for asset, memory in self._state().items()
            if asset not in self.unsure or memory.verdict.rank >= Verdict.PLAN.rank
        ]
        return LIGHT[max(verdicts, key=lambda one: one.rank, default=Verdict.UNKNOWN)]
