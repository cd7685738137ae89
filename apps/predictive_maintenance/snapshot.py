"""The station's state as one document: for the screens, the API and Prometheus.

Spectra are large and change slowly: each machine's is a document of its own in the station's
file, under "spectrum:<asset>".
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from apps.predictive_maintenance import zones
from apps.predictive_maintenance.config import Machine
from apps.predictive_maintenance.domain import Health, Motion, Verdict
from apps.predictive_maintenance.learning import summary
from apps.predictive_maintenance.limits import zone_reason
from apps.predictive_maintenance.memory import evidence_as_json
from apps.predictive_maintenance.remembered import Memory
from apps.predictive_maintenance.rows import outlook_as_json, rounded
from apps.predictive_maintenance.status import Status
from common.metrics import Metrics
from common.snapshot import keep, shared

if TYPE_CHECKING:
    from apps.predictive_maintenance.station import Station

MOTIONS = {
    Motion.STOPPED: "it is stopped", Motion.RAMPING: "it is ramping",
    Motion.STEADY: "it is steady",
}  # fmt: skip
SPECTRUM = "spectrum:"
"""Key of a machine's spectra in the station's file."""


class Snapshots:
    """Takes the document and hands it to the store; `last` may be read by any thread."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self.last: dict[str, Any] = {}

    def take(self) -> None:
        """Make the document of this moment."""
        station, parts = self._station, self._station.parts
        desk, faults = station.act.desk, station.faults()
        document = {
            **shared(station.settings.station, "predictive_maintenance", parts),
            "model": parts.model.document() if parts.model else None,
            "healthy": not faults,
            "faults": faults,
            "simulation": station.simulation(),
            "machines": [
                self._machine(asset, station.settings.machines[asset], status)
                for asset, status in station.plant.machines.items()
            ],
            "sensing": self._sensing(),
            "orders": [desk.told(order) for order in desk.open_orders()],
            "orders_unstored": desk.unstored,
            "light": station.act.light_state.name.lower(),
            "counts": self._counts(),
            "latency_ms": station.pipeline.timings.percentiles(),
        }
        before, self.last = self.last, document
        keep(parts.store, document, before)

    def _counts(self) -> dict[str, int]:
        station = self._station
        return {
            "machines": len(station.plant.machines),
            "open_orders": len(station.act.desk.open_orders()),
            "unreadable": len(station.unreadable),
            **{name: station.sense.counts[name] for name in sorted(station.sense.counts)},
            **{f"verdict_{name}": count for name, count in station.plant.verdicts.items()},
        }

    def _sensing(self) -> dict[str, Any]:
        sense = self._station.sense
        return {
            "waiting": sense.waiting,
            "dropped": sense.dropped,
            "sources_away": dict(sense.failures),
            "unknown_assets": list(sense.unknown()),
        }

    def _machine(self, asset: str, machine: Machine, status: Status) -> dict[str, Any]:
        station = self._station
        memory = station.pipeline.state.get(asset, Memory())
        health, judged, decision = status.health, status.judged, status.judged_decision
        now, seen = station.parts.clock.monotonic(), station.sense.last_seen(asset)
        unjudged = "" if health is None or health.judged else _why_not(health)
        unjudged = station.failure or unjudged  # then what came last was not looked at
        return {
            "asset": asset,
            "name": machine.name or asset,
            "kind": machine.kind,
            "criticality": machine.criticality,
            "verdict": memory.verdict.value,
            "severity": rounded(memory.severity),
            "latched": memory.unacknowledged,
            "evidence": [evidence_as_json(evidence) for evidence in memory.evidence],
            "outlook": outlook_as_json(status.decision) if status.decision else None,
            "judged": bool(health and not unjudged),
            "not_judged": unjudged,
            "note": health.reason if health and not unjudged else "",
            "not_compared": status.not_compared,
            "quality": health.quality.value if health and not station.failure else "stale",
            "data_age_s": round(now - seen, 1) if seen is not None else None,
            "silent": seen is None or now - seen > station.settings.sense.silent_s,
            "taken": health.wall_time if health else None,
            "state": health.state.key if health else "",
            "motion": health.state.motion.value if health else "",
            "rpm": rounded(health.rpm) if health else None,
            "load": rounded(health.load) if health else None,
            "temperature_c": rounded(health.temperature_c) if health else None,
            "temperature_alarm_c": machine.temperature_alarm_c or None,
            "zone": decision.zone if decision else "",
            "zone_reason": decision.zone_reason if decision else "",
            "velocity": velocity(judged, machine),
            "acceleration": _acceleration(judged, station.settings.decide.plan_ratio),
            "kurtosis": rounded(judged.kurtosis) if judged else None,
            "crest": rounded(judged.crest) if judged else None,
            "signature": rounded(judged.signature) if judged else None,
            "sequence": rounded(judged.sequence) if judged else None,
            "lines": [asdict(line) for line in judged.lines] if judged else [],
            "changes": [asdict(change) for change in judged.changes] if judged else [],
            "orders": [order.key for order in station.act.desk.open_orders(asset)],
            "records": status.records,
            "bad_records": status.bad,
            "baseline": self._baseline(asset),
        }

    def _baseline(self, asset: str) -> dict[str, Any]:
        station = self._station
        current = station.look.baselines.get(asset)
        proposal = station.learning.proposals.get(asset)
        return {
            "version": current.version if current else 0,
            "versions": station.learning.versions.get(asset, []),
            "learned": summary(current) if current else None,
            "proposal": summary(proposal) if proposal else None,
            "rows": station.rows_since_forget.get(asset, 0),
            "rows_needed": station.settings.baseline.min_windows,
        }

    def metrics(self) -> bytes:
        """The counts and states that a plant's Prometheus watches."""
        metrics, last = Metrics("maintenance", self.last), self.last
        verdict = metrics.gauge("verdict", "0 run … 3 stop, -1 unknown", "asset")
        severity = metrics.gauge("severity", "1 is the first limit", "asset")
        age = metrics.gauge("data_age_s", "Since the last record", "asset")
        for machine in last.get("machines", ()):
            verdict.labels(machine["asset"]).set(Verdict(machine["verdict"]).rank)
            severity.labels(machine["asset"]).set(_number(machine["severity"]))
            age.labels(machine["asset"]).set(_number(machine["data_age_s"]))
        return metrics.text()


def _why_not(health: Health) -> str:
    return health.reason or MOTIONS[health.state.motion]


def velocity(health: Health | None, machine: Machine) -> dict[str, Any] | None:
    """Velocity RMS beside everything it is compared with, mm/s."""
    if health is None:
        return None
    in_scope = not zone_reason(health, machine)
    limits = zones.limits(machine.group, machine.support) if in_scope else None
    return {
        "value": rounded(health.velocity_mm_s),
        "baseline": rounded(health.velocity_baseline),
        "alarm": rounded(limits.alarm(health.velocity_baseline)) if limits else None,
        "trip": rounded(limits.trip) if limits else None,
        "zones": [limits.ab, limits.bc, limits.cd] if limits else None,
        "edition": zones.EDITION,
    }


def _acceleration(health: Health | None, plan_ratio: float) -> dict[str, Any] | None:
    """RMS beside what is usual, m/s²."""
    if health is None:
        return None
    baseline = health.acceleration_baseline
    return {
        "value": rounded(health.acceleration_m_s2),
        "baseline": rounded(baseline),
        "usual": rounded(health.acceleration_usual),
        "plan": rounded(plan_ratio * baseline) if baseline else None,
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
