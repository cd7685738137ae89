"""Weeks of simulated plant in which nothing is wrong: how often would somebody be called?

Every machine changes speed and load, warms up and cools down by day, wanders slowly, drifts
with the season and is bumped into. Its first week is its baseline; what follows is watched
at the cadence of a wireless sensor, one short window every ten minutes.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.domain import Batch, Health
from apps.predictive_maintenance.evaluation.offline import METHODS, Bench, Plain, scores
from apps.predictive_maintenance.latches import Latch
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.simulate import DAY_STEPS, STEP_S, WEEK_S, SimulatedMachine
from apps.predictive_maintenance.vibration import Measured
from apps.predictive_maintenance.wizard import healthy_time, propose

SEED = 20_816
FS_HZ, SAMPLES, AXES = 12_800.0, 8192, 2
"""0.64 s of two axes."""
MACHINES_AT_ONCE = 10
BASELINE_WEEKS = 1.0
FLOOR_READINGS = 5
AHEAD = 4
"""Steps whose windows wait to be looked at."""
Pairs = list[tuple[Health, Measured]]


def evaluate(
    settings: Settings,
    model: SequenceModel | None,
    weeks: float,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """False alarms per machine-week, fused and by method, over `weeks` of machine time."""
    if weeks <= 0:
        return {"by_method": {}}
    machines = min(MACHINES_AT_ONCE, math.ceil(weeks))
    steps = math.ceil(weeks / machines * WEEK_S / STEP_S)
    plant = [SimulatedMachine(SEED, number) for number in range(machines)]
    bench = Bench({machine.asset: machine.settings() for machine in plant}, settings, model)
    progress(f"simulated healthy time of {machines} machines")
    first = round(BASELINE_WEEKS * WEEK_S / STEP_S)
    pairs: dict[str, Pairs] = {machine.asset: [] for machine in plant}
    for batch in _batches(plant, range(first)):
        for health, figures in bench.look(batch):
            if figures is not None:
                pairs[health.asset].append((health, figures))
    counter = _Counter(
        bench, {asset: Plain.of([h for h, _ in p]) for asset, p in pairs.items()}
    )
    for asset, healthy in pairs.items():
        _learn(bench, asset, healthy)
    for step, batch in enumerate(_batches(plant, range(first, first + steps)), start=first):
        if step % DAY_STEPS == 0:
            progress(f"simulated day {step // DAY_STEPS}")
        counter.add(tuple(health for health, _ in bench.look(batch)))
    return counter.figures(machines * steps * STEP_S / WEEK_S)


def _batches(plant: list[SimulatedMachine], steps: Iterable[int]) -> Iterator[Batch]:
    """The plant's windows, step by step; the next ones are made while one is looked at."""
    with ThreadPoolExecutor(1, thread_name_prefix="plant") as maker:
        ahead: deque[Future[Batch]] = deque()
        for step in steps:
            ahead.append(maker.submit(_batch, plant, step))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _batch(plant: list[SimulatedMachine], step: int) -> Batch:
    return tuple(machine.window(step * STEP_S, FS_HZ, SAMPLES, AXES) for machine in plant)


def _learn(bench: Bench, asset: str, healthy: Pairs) -> None:
    machine, rules = bench.machines[asset], bench.settings.baseline
    sequence = (bench.model.name, bench.model.history) if bench.model else None
    bench.use(propose(asset, healthy_time(healthy), machine, rules, sequence=sequence))


class _Counter:
    """Alarms that begin, by method, and what kinds of evidence began the fused ones."""

    def __init__(self, bench: Bench, plain: dict[str, Plain]) -> None:
        self._bench, self._plain = bench, plain
        self._latches: dict[tuple[str, str], Latch] = {}
        self._ranks: dict[str, int] = {}
        self._alarms = dict.fromkeys(METHODS, 0)
        self._kinds: dict[str, int] = {}
        self._windows = self._judged = 0

    def add(self, health: tuple[Health, ...]) -> None:
        """One batch of windows in which nothing is wrong."""
        self._windows += len(health)
        for one in health:
            if one.judged:
                self._judged += 1
                self._single(one)
        for decision in self._bench.judge(health):
            if decision.verdict.rank >= 1 > self._ranks.get(decision.asset, 0):
                self._alarms["fused"] += 1
                for evidence in decision.evidence:
                    self._kinds[evidence.kind] = self._kinds.get(evidence.kind, 0) + 1
            self._ranks[decision.asset] = decision.verdict.rank

    def figures(self, weeks: float) -> dict[str, Any]:
        """Rates per machine-week."""
        rates = {name: round(count / weeks, 3) for name, count in self._alarms.items()}
        return {
            "by_method": rates,
            "false_alarms_per_machine_week": rates["fused"],
            "simulated": {
                "machine_weeks": round(weeks, 2),
                "minutes_between_windows": STEP_S / 60,
                "windows": self._windows,
                "judged": self._judged,
                "false_alarms": self._alarms["fused"],
                "false_alarms_by_evidence": self._kinds,
            },
        }

    def _single(self, health: Health) -> None:
        found = scores(self._bench, self._plain[health.asset], health)
        for name, score in found.items():
            if name == "fused" or math.isnan(score):
                continue
            before = self._latches.get((health.asset, name), Latch())
            rules = self._bench.settings.decide
            if name == "rms":
                rules = replace(rules, persist_readings=FLOOR_READINGS)
            after = before.after(score, 1.0, rules)
            self._alarms[name] += after.on and not before.on
            self._latches[health.asset, name] = after
