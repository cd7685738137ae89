"""What is remembered of a machine from window to window. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.predictive_maintenance.domain import Evidence, Verdict
from apps.predictive_maintenance.latches import Latch
from apps.predictive_maintenance.outlook import Forecast


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one machine from window to window."""

    verdict: Verdict = Verdict.UNKNOWN
    latches: Mapping[str, Latch] = field(default_factory=dict)
    """By kind and verdict, "velocity/plan"."""
    evidence: tuple[Evidence, ...] = ()
    severity: float = 0.0
    unacknowledged: bool = False
    """STOP was reached and no person has said that they know."""
    forecast: Forecast = field(default_factory=Forecast)


State = Mapping[str, Memory]
"""By asset."""
