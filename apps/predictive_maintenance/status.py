"""What the station knows of each machine from turn to turn: the last of everything."""

from collections import Counter
from dataclasses import dataclass

from apps.predictive_maintenance.domain import Batch, Decision, Health, Motion, Verdict
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
    ran_unjudged_since: float | None = None
    """In the records' own time; None: it was judged, or it stands still."""
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
        status.health, status.decision = health, decision
        status.records += 1
        status.bad += health.quality is not Quality.GOOD
        if health.judged:
            status.judged, status.judged_decision = health, decision
        self.verdicts[decision.verdict.value if decision.judged else "not_judged"] += 1
        stands = health.state.motion is Motion.STOPPED or health.quality is not Quality.GOOD
        if health.judged or stands:
            status.ran_unjudged_since = None
        elif status.ran_unjudged_since is None:
            status.ran_unjudged_since = health.at_s

    def forget(self, asset: str) -> None:
        """Nothing of before holds: it was repaired, has a new baseline, or is here no more."""
        status = self.machines.get(asset)
        if status is not None:
            status.decision = status.judged_decision = None

    def condition(self, asset: str, verdict: Verdict, age_s: float | None) -> MachineCondition:
        """One machine as the alarms see it."""
        status = self.machines[asset]
        health, decision = status.health, status.decision
        wrong = health.reason if health and health.quality is not Quality.GOOD else ""
        since = status.ran_unjudged_since
        return MachineCondition(
            verdict,
            decision.evidence[0].sentence if decision and decision.evidence else "",
            wrong, age_s,
            health.at_s - since if health and since is not None else 0.0,
        )  # fmt: skip
