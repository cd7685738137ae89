"""From what was measured on a machine to its verdict: the rules, and nothing but the rules.

Pure: no clock, no device, no disk. A reliability engineer should be able to read this page
and `limits.py`, which says what limit holds for which figure, and correct them. One law holds
throughout and is property-tested: more vibration never gets a better verdict.

A figure must be over its limit several readings running, and well below it for longer
before it is taken back. A changed spectrum and impacts together are two independent signs
and ask for PLAN. STOP stays until a person acknowledges it.
"""

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
from apps.predictive_maintenance.limits import (
    Reading,
    level,
    readings,
    severity,
    zone_reason,
)
from apps.predictive_maintenance.remembered import Memory, State
from common.pipeline import Fault

IMPACTS = {"bearing", "impulses"}
SPECTRUM = {"signature", "sequence"}


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
        forecast = memory.forecast.after(health, level(found), self.rules)
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
