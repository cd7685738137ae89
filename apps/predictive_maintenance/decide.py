"""From what was measured on a machine to its verdict: the rules, and nothing but the rules.

Pure: no clock, no device, no disk. A reliability engineer should be able to read this page
and correct it. The first part says which limits hold for which figure; the second how
figures over limits become a verdict. One law holds throughout and is property-tested: more
vibration never gets a better verdict.

    velocity      in the standard's scope: PLAN above ALARM, STOP above C/D
                  elsewhere: PLAN at plan_ratio × baseline, STOP at stop_ratio × baseline
    acceleration  WATCH four standard deviations above the healthy mean, PLAN at plan_ratio ×
                  baseline; outside the standard's scope STOP at stop_ratio × baseline
    temperature   PLAN above the machine's own limit, also where no vibration can be judged
    bearing       WATCH when a fault frequency stands out of the envelope spectrum
    impulses      WATCH when the record is full of shocks
    signature     WATCH when the spectrum is no longer the machine's own (advisory)
    sequence      WATCH when the sequence model says so (advisory)
    agreement     PLAN when the spectrum has changed and impacts are there as well

A figure must be over its limit several readings running, and well below it for longer
before it is taken back. STOP stays until a person acknowledges it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from apps.predictive_maintenance import zones
from apps.predictive_maintenance.config import DecideRules, Machine
from apps.predictive_maintenance.domain import (
    Decision,
    Evidence,
    Health,
    Verdict,
)
from apps.predictive_maintenance.latches import Latch
from apps.predictive_maintenance.remembered import Memory, State
from common.pipeline import Fault
from common.quality import Quality

Limits = dict[Verdict, float]
IMPACTS = {"bearing", "impulses"}
SPECTRUM = {"signature", "sequence"}


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


# ------------------------------------------------------------------ which limits hold


def readings(health: Health, machine: Machine, rules: DecideRules) -> tuple[Reading, ...]:
    """Every figure of a window that has a limit: its vibration's, where that is judged."""
    found = _temperature(health, machine)
    return (*_vibration(health, machine, rules), *found) if health.judged else found


def _vibration(health: Health, machine: Machine, rules: DecideRules) -> tuple[Reading, ...]:
    in_scope = not zone_reason(health, machine)
    found = [
        Reading("velocity", health.velocity_mm_s, "mm/s",
                _velocity_limits(health, machine, rules, in_scope)),
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
    if not machine.group:
        return f"not declared as a machine of {zones.EDITION} (group = 0)"
    reason = zones.out_of_scope(machine.kind, machine.power_kw, health.rpm)
    if reason or health.rpm is None:
        return reason
    return zones.not_measured(
        health.rpm, machine.velocity_low_hz, health.fs_hz, health.duration_s
    )


def _velocity_limits(
    health: Health, machine: Machine, rules: DecideRules, in_scope: bool
) -> Limits:
    if not in_scope:
        return _ratio_limits(health.velocity_baseline, rules, stop=True)
    limits = zones.limits(machine.group, machine.support)
    alarm = limits.alarm(health.velocity_baseline)
    return {Verdict.PLAN: alarm, Verdict.STOP: limits.trip}


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


# ------------------------------------------------------- from figures to a verdict


@dataclass(frozen=True)
class Rules:
    """decide(state, percept) for a plant's machines."""

    machines: Mapping[str, Machine]
    rules: DecideRules

    def __call__(
        self, state: State, percept: tuple[Health, ...] | Fault
    ) -> tuple[State, tuple[Decision, ...]]:
        """The verdict on every machine of the batch, and what is remembered of it."""
        if isinstance(percept, Fault):
            cause = f"{percept.stage}: {percept.cause}"
            return state, tuple(_unjudged(a, m, cause) for a, m in state.items())
        after, decisions = dict(state), []
        for health in percept:
            memory = after.get(health.asset, Memory())
            after[health.asset], decision = self._judge(memory, health)
            decisions.append(decision)
        return after, tuple(decisions)

    def _judge(self, memory: Memory, health: Health) -> tuple[Memory, Decision]:
        machine = self.machines.get(health.asset)
        if machine is None:
            return memory, _unjudged(health.asset, memory, "asset is not known")
        found = readings(health, machine, self.rules)
        after = self._after(memory, health, found) if found else memory
        if health.judged:
            return after, _decision(health, machine, after)
        reason = health.reason or health.state.motion.value
        return after, replace(_unjudged(health.asset, after, reason), judged=bool(found))

    def _after(self, memory: Memory, health: Health, found: tuple[Reading, ...]) -> Memory:
        latches = _latched(memory.latches, found, self.rules)
        evidence = _evidence(found, latches, memory.evidence)
        ever = health.judged or memory.severity > 0  # else nobody knows how it vibrates
        nothing = Verdict.RUN if ever else Verdict.UNKNOWN
        asked = max((e.verdict for e in evidence), key=lambda v: v.rank, default=nothing)
        news = _stopping(evidence) - _stopping(memory.evidence)
        unacknowledged = memory.unacknowledged or bool(news)
        after = replace(
            memory, verdict=Verdict.STOP if unacknowledged else asked, latches=latches,
            evidence=evidence, unacknowledged=unacknowledged,
        )  # fmt: skip
        if not health.judged:
            return after
        forecast = memory.forecast.after(health, _level(found), self.rules)
        return replace(after, severity=severity(found), forecast=forecast)


def _latched(
    latches: Mapping[str, Latch], found: tuple[Reading, ...], rules: DecideRules
) -> Mapping[str, Latch]:
    changed = {}
    for reading in found:
        for verdict, limit in reading.limits.items():
            key = latch_key(reading.kind, verdict)
            latch = latches.get(key)
            after = (latch or Latch()).after(reading.value, limit, rules, reading.usual)
            if after is not latch:
                changed[key] = after
    return {**latches, **changed} if changed else latches


@cache
def latch_key(kind: str, verdict: Verdict) -> str:
    """The name of one limit's latch."""
    return f"{kind}/{verdict.value}"


def _evidence(
    found: tuple[Reading, ...], latches: Mapping[str, Latch], before: tuple[Evidence, ...]
) -> tuple[Evidence, ...]:
    """What holds, worst first; a figure that was not measured now keeps its old words."""
    held = [
        _said(reading, verdict, limit)
        for reading in found
        for verdict, limit in reading.limits.items()
        if latches[latch_key(reading.kind, verdict)].on
    ]
    measured = {reading.kind for reading in found}
    held += [e for e in before if e.kind not in measured and e.kind != "agreement"]
    kinds = {evidence.kind for evidence in held}
    if kinds & IMPACTS and kinds & SPECTRUM:
        sentence = "the spectrum has changed and impacts are there: two independent signs"
        held.append(Evidence("agreement", Verdict.PLAN, 2, 2, "signs", sentence))
    return tuple(sorted(held, key=lambda e: -e.verdict.rank))


def _stopping(evidence: tuple[Evidence, ...]) -> set[str]:
    """The kinds that ask for a STOP; one that was there before is known, or waits for it."""
    return {one.kind for one in evidence if one.verdict is Verdict.STOP}


def _said(reading: Reading, verdict: Verdict, limit: float) -> Evidence:
    what = f"{reading.kind} ({reading.note})" if reading.note else reading.kind
    sentence = f"{what} {reading.value:.3g} {reading.unit}, limit {limit:.3g}"
    return Evidence(reading.kind, verdict, reading.value, limit, reading.unit, sentence)


def severity(found: tuple[Reading, ...]) -> float:
    """The largest figure over its lowest limit."""
    return max((reading.ratio for reading in found), default=0.0)


def _level(found: tuple[Reading, ...]) -> Reading | None:
    """The level whose trend is followed: the one nearest to its limit."""
    levels = [r for r in found if r.kind in ("velocity", "acceleration")]
    return max(levels, key=lambda reading: reading.ratio, default=None)


def _decision(health: Health, machine: Machine, memory: Memory) -> Decision:
    reason = zone_reason(health, machine)
    limits = zones.limits(machine.group, machine.support) if not reason else None
    return Decision(
        health.asset, memory.verdict, True, "", memory.severity, memory.evidence,
        limits.zone(health.velocity_mm_s) if limits else "", reason,
        memory.forecast.outlook, memory.unacknowledged,
    )  # fmt: skip


def _unjudged(asset: str, memory: Memory, reason: str) -> Decision:
    return Decision(
        asset, memory.verdict, False, reason, memory.severity, memory.evidence,
        outlook=memory.forecast.outlook, latched=memory.unacknowledged,
    )  # fmt: skip


# ----------------------------------------------------------- what a person changes


def acknowledge(state: State, asset: str) -> State:
    """A person knows of the STOP: it goes when its evidence goes."""
    memory = state.get(asset)
    if memory is None:
        return state
    return {**state, asset: replace(memory, unacknowledged=False)}
