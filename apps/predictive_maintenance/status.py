"""What the station knows of each machine from turn to turn: the last of everything."""

from collections import Counter
from dataclasses import dataclass

from apps.predictive_maintenance.domain import Batch, Decision, Health, Motion, Verdict
from apps.predictive_maintenance.remembered import Memory
from apps.predictive_maintenance.watch import MachineCondition
from common.pipeline import Outcome
from common.quality import Quality

Turn = Outcome[Batch, tuple[Health, ...], tuple[Decision, ...]]


@dataclass(slots=True)
class Status:
    """One machine."""

    health: Health | None = None
    """Of its last record."""
    judged: Health | None = None
    """Of its last judged record: the figures on the screen are of this one."""
    decision: Decision | None = None
    judged_decision: Decision | None = None
    """The last that gave a zone."""
    not_compared: str = ""
    """Why its last judged record could be compared with no level; empty: it was compared."""
    ran_unjudged_s: float = 0.0
    """For how long it ran since it was last judged and compared, in the records' own time."""
    records: int = 0
    bad: int = 0


class Plant:
    """All machines; filled by the loop, read by snapshot and alarms."""

    def __init__(self, assets: tuple[str, ...]) -> None:
        self.machines = {asset: Status() for asset in assets}
        self.verdicts: Counter[str] = Counter()
        """Decisions since the start, judged ones by verdict and `not_judged`."""

    def note(self, health: Health, decision: Decision) -> None:
        """One machine of one turn."""
        status = self.machines.get(health.asset)
        if status is None:
            return
        before = status.health
        status.health, status.decision = health, decision
        status.records += 1
        status.bad += health.quality is not Quality.GOOD
        if health.judged:
            status.judged, status.judged_decision = health, decision
            status.not_compared = "" if has_level(health, decision) else health.reason
        self.verdicts[decision.verdict.value if health.judged else "not_judged"] += 1
        if health.judged and not status.not_compared:
            status.ran_unjudged_s = 0.0
        elif health.quality is Quality.GOOD and before is not None:
            runs = Motion.STOPPED not in (before.state.motion, health.state.motion)
            status.ran_unjudged_s += health.at_s - before.at_s if runs else 0.0

    def forget(self, asset: str) -> None:
        """Nothing of before holds: it was repaired, has a new baseline, or is here no more."""
        status = self.machines.get(asset)
        if status is not None:
            status.decision = status.judged_decision = None
            status.not_compared = ""

    def condition(
        self, asset: str, memory: Memory, age_s: float | None, damaged: str = ""
    ) -> MachineCondition:
        """One machine as the alarms see it; `damaged` is what is wrong with its baseline."""
        status = self.machines[asset]
        health = status.health
        wrong = health.reason if health and health.quality is not Quality.GOOD else ""
        stopping = [e for e in memory.evidence if e.verdict is Verdict.STOP]
        return MachineCondition(
            memory.verdict,
            "; ".join(e.sentence for e in stopping or memory.evidence[:1]),
            frozenset(e.kind for e in stopping), wrong, age_s,
            status.ran_unjudged_s, damaged,
            health.temperature_fault if health else "",
        )  # fmt: skip


def has_level(health: Health, decision: Decision) -> bool:
    """Whether vibration was compared with the standard's limits, or with its own normal."""
    return bool(decision.zone or health.velocity_baseline or health.acceleration_baseline)
