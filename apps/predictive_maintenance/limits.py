"""Which limits hold for which figure of a machine, as a reliability engineer reads them. Pure.

    velocity      in the standard's scope: PLAN above ALARM, STOP above C/D
                  elsewhere: PLAN at plan_ratio × baseline, STOP at stop_ratio × baseline;
                  where a part of its band is not measured: at whichever comes first
    acceleration  WATCH four standard deviations above the healthy mean, PLAN at plan_ratio ×
                  baseline; outside the standard's scope STOP at stop_ratio × baseline
    temperature   PLAN above the machine's own limit, also where no vibration can be judged
    bearing       WATCH when a fault frequency stands out of the envelope spectrum
    impulses      WATCH when the record is full of shocks
    signature     WATCH when the spectrum is no longer the machine's own (advisory)
    sequence      WATCH when the sequence model says so (advisory)

What is advisory never asks for more by itself.
"""

import math
from dataclasses import dataclass

from apps.predictive_maintenance import zones
from apps.predictive_maintenance.config import DecideRules, Machine
from apps.predictive_maintenance.domain import Health, Verdict
from common.quality import Quality

Limits = dict[Verdict, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure beside its limits."""

    kind: str
    value: float
    unit: str
    limits: Limits
    """The verdict each limit asks for."""
    note: str = ""
    """What the figure is of, e.g. the fault frequency."""
    usual: float = 0.0
    """What the machine shows when it is healthy; 0 is not known."""

    @property
    def ratio(self) -> float:
        """The figure over its lowest limit; infinite where it is not a number."""
        ratio = self.value / min(self.limits.values())
        return math.inf if math.isnan(ratio) else ratio


def readings(health: Health, machine: Machine, rules: DecideRules) -> tuple[Reading, ...]:
    """Every figure of a window that has a limit: its vibration's, where that is judged."""
    found = _temperature(health, machine)
    return (*_vibration(health, machine, rules), *found) if health.judged else found


def _vibration(health: Health, machine: Machine, rules: DecideRules) -> tuple[Reading, ...]:
    in_scope = not zone_reason(health, machine)
    found = [
        Reading("velocity", health.velocity_mm_s, "mm/s",
                _velocity_limits(health, machine, rules)),
        Reading("acceleration", health.acceleration_m_s2, "m/s²",
                _acceleration_limits(health, rules, stop=not in_scope),
                usual=health.acceleration_baseline or 0.0),
        Reading("impulses", health.kurtosis, "raw kurtosis",
                {Verdict.WATCH: max(rules.kurtosis, health.kurtosis_baseline or 0.0)}),
        *_bearing(health, rules),
        *_advice("signature", health.signature, 1.0),
        *_advice("sequence", health.sequence, rules.sequence_weight),
    ]  # fmt: skip
    return tuple(reading for reading in found if reading.limits)


def _temperature(health: Health, machine: Machine) -> tuple[Reading, ...]:
    """Also where the vibration's sensor is broken; not while the machine stands or ramps."""
    rests = not health.judged and health.quality is Quality.GOOD
    if rests or health.temperature_c is None or not machine.temperature_alarm_c:
        return ()
    limits = {Verdict.PLAN: machine.temperature_alarm_c}
    return (Reading("temperature", health.temperature_c, "°C", limits),)


def zone_reason(health: Health, machine: Machine) -> str:
    """Why ISO 20816-3 gives this window no zone; empty when it does."""
    reason = _out_of_scope(health, machine)
    if reason or health.rpm is None:
        return reason
    return zones.not_measured(health.rpm, machine.velocity_low_hz, health.fs_hz)


def _out_of_scope(health: Health, machine: Machine) -> str:
    if not machine.group:
        return f"not declared as a machine of {zones.EDITION} (group = 0)"
    return zones.out_of_scope(machine.kind, machine.power_kw, health.rpm, health.duration_s)


def _velocity_limits(health: Health, machine: Machine, rules: DecideRules) -> Limits:
    """Of a band that is measured in part both hold: it shows too little, never too much."""
    own = _ratio_limits(health.velocity_baseline, rules, stop=True)
    if _out_of_scope(health, machine):
        return own
    limits = zones.limits(machine.group, machine.support)
    found = {Verdict.PLAN: limits.alarm(health.velocity_baseline), Verdict.STOP: limits.trip}
    if not zone_reason(health, machine):
        return found
    return {verdict: min(limit, own.get(verdict, limit)) for verdict, limit in found.items()}


def _ratio_limits(baseline: float | None, rules: DecideRules, *, stop: bool) -> Limits:
    if not baseline:
        return {}
    limits = {Verdict.PLAN: rules.plan_ratio * baseline}
    return limits | ({Verdict.STOP: rules.stop_ratio * baseline} if stop else {})


def _acceleration_limits(health: Health, rules: DecideRules, *, stop: bool) -> Limits:
    limits = _ratio_limits(health.acceleration_baseline, rules, stop=stop)
    if health.acceleration_usual is not None:
        limits[Verdict.WATCH] = health.acceleration_usual
    return limits


def _bearing(health: Health, rules: DecideRules) -> tuple[Reading, ...]:
    if not health.lines:
        return ()
    worst = max(health.lines, key=lambda line: line.db)
    note = f"{worst.fault} at {worst.hz:.1f} Hz"
    return (Reading("bearing", worst.db, "dB", {Verdict.WATCH: rules.bearing_db}, note),)


def _advice(kind: str, ratio: float | None, weight: float) -> tuple[Reading, ...]:
    if ratio is None or not weight:
        return ()
    return (Reading(kind, ratio * weight, "× normal", {Verdict.WATCH: 1.0}),)


def severity(found: tuple[Reading, ...]) -> float:
    """The largest figure over its lowest limit."""
    return max((reading.ratio for reading in found), default=0.0)


def level(found: tuple[Reading, ...]) -> Reading | None:
    """The level whose trend is followed: the one nearest to its limit."""
    levels = [r for r in found if r.kind in ("velocity", "acceleration")]
    return max(levels, key=lambda reading: reading.ratio, default=None)
