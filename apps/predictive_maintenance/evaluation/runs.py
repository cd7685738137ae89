"""Run-to-failure histories: how long before the end, and was anything said too early?

The first fifth of a run is its healthy time. Fixed before any detector was run on them:

* The first alarm is the first window at which a verdict of WATCH or worse stands, or, for a
  single method, the first at which its score was over its limit several readings running.
* The onset is fixed in hindsight from the whole run, by plain octave levels: the moment
  after which the machine never again looked as in its healthy time. An alarm before it is a
  false one: it spoke of a change that did go away. (An onset from RMS would call every
  detection that is earlier than RMS a false alarm; that moment is given beside it.)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.config import Machine, Settings
from apps.predictive_maintenance.domain import Health, Verdict, Window
from apps.predictive_maintenance.evaluation.offline import (
    METHODS,
    Bench,
    Plain,
    Scores,
    confirmed,
    scores,
    series,
)
from apps.predictive_maintenance.evaluation.onset import onset
from apps.predictive_maintenance.evaluation.recordings import Run, read_run
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.vibration import Measured
from apps.predictive_maintenance.wizard import healthy_time, propose
from common.errors import ConfigError
from common.inference.ranking import auprc, auroc

ASSET = "machine"
RIG = Machine(kind="rig")
HEALTHY_SHARE = 0.2
LEAST_WINDOWS = 6
"""Of healthy time, to learn anything from."""
FLOOR_READINGS = 5
"""The plain floor: over four deviations five times in a row."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One run under all methods; series are of the judged windows, in order."""

    run: Run
    learned: int
    """How many of the windows are its healthy time."""
    times_s: NDArray[np.float64]
    scores: list[Scores]
    verdicts: list[Verdict]
    """Of the windows after the healthy time."""
    unseen: list[Scores]
    """Of the healthy windows, each by a baseline that did not see its block."""
    onset_s: float
    rms_onset_s: float | None
    notes: tuple[str, ...]


def evaluate(
    settings: Settings,
    data: Path,
    rows: list[dict[str, str]],
    model: SequenceModel | None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Figures per run, and per method over all runs."""
    watched = []
    for row in rows:
        progress(row["file"])
        watched.append(watch(settings, read_run(data, row), model))
    runs = [_run_figures(settings, one) for one in watched]
    return {
        "methods": {name: _method(settings, watched, name) for name in METHODS},
        "runs": runs,
        "median_lead_fraction": _median([run["lead_fraction"] for run in runs]),
    }


def watch(settings: Settings, run: Run, model: SequenceModel | None) -> Watched:
    """Learn from the first fifth, then watch the whole run as the station would."""
    healthy, baseline = learn(rig(settings, model), run)
    bench = rig(settings, model)
    fifth = _fifth(run)
    plain = Plain.of([health for health, _ in healthy])
    bench.use(baseline)
    looked, verdicts = [], []
    for at in range(len(run.times_s)):
        for health, figures in _judged(bench, run, at):
            looked.append((health, figures))
            if at >= fifth:
                verdicts.append(bench.judge((health,))[0].verdict)
    found = [scores(bench, plain, health) for health, _ in looked]
    unseen = [
        scores(bench, plain, _as_unseen(health, baseline, at))
        for at, (health, _) in enumerate(healthy)
    ]
    times = np.array([health.at_s for health, _ in looked])
    rms = series(found, "rms") > 1
    rms_onset = confirmed(rms[len(healthy) :], FLOOR_READINGS)
    return Watched(
        run, len(healthy), times, found, verdicts, unseen,
        onset_s=float(times[onset([figures for _, figures in looked], len(healthy))]),
        rms_onset_s=None if rms_onset is None else float(times[len(healthy) + rms_onset]),
        notes=baseline.notes,
    )  # fmt: skip


def rig(settings: Settings, model: SequenceModel | None = None) -> Bench:
    """A bench for one run."""
    return Bench({ASSET: RIG}, settings, model)


def learn(bench: Bench, run: Run) -> tuple[list[tuple[Health, Measured]], Baseline]:
    """The judged windows of the first fifth, and the baseline that they make."""
    healthy = [pair for at in range(_fifth(run)) for pair in _judged(bench, run, at)]
    if len(healthy) < LEAST_WINDOWS:
        raise ConfigError(
            f"{run.file}: {len(healthy)} windows of healthy time in the first "
            f"{HEALTHY_SHARE:.0%} of the run; {LEAST_WINDOWS} are needed{_why(bench, run)}"
        )
    model = bench.model
    sequence = (model.name, model.history) if model else None
    rules = bench.settings.baseline
    return healthy, propose(ASSET, healthy_time(healthy), RIG, rules, sequence=sequence)


def _why(bench: Bench, run: Run) -> str:
    """What was wrong with the first window, if anything was."""
    health, _ = rig(bench.settings).look((_window(run, 0),))[0]
    return f" ({health.reason})" if health.reason and not health.judged else ""


def _fifth(run: Run) -> int:
    return math.ceil(HEALTHY_SHARE * len(run.times_s))


def _judged(bench: Bench, run: Run, at: int) -> list[tuple[Health, Measured]]:
    health, figures = bench.look((_window(run, at),))[0]
    return [] if figures is None else [(health, figures)]


def _window(run: Run, at: int) -> Window:
    when = float(run.times_s[at])
    return Window(ASSET, run.snapshots[at], run.fs_hz, when, when, run.rpm)


def _as_unseen(health: Health, baseline: Baseline, at: int) -> Health:
    held = {name: float(values[at]) for name, values in baseline.held_out.items()}
    return replace(
        health, signature=held["signature"], reconstruction=held["pca"],
        sequence=held.get("lstm"), kurtosis_baseline=baseline.kurtosis,
        acceleration_baseline=float(baseline.acceleration_m_s2[0]),
        acceleration_usual=baseline.acceleration_usual(0),
        velocity_baseline=float(baseline.velocity_mm_s[0]),
    )  # fmt: skip


def _run_figures(settings: Settings, one: Watched) -> dict[str, Any]:
    alarms = {
        verdict: _first(one, [v.rank >= verdict.rank for v in one.verdicts], 1)
        for verdict in (Verdict.WATCH, Verdict.PLAN, Verdict.STOP)
    }
    first = alarms[Verdict.WATCH]
    return {
        "file": one.run.file,
        "first_alarm_s": first,
        **_lead(one, first),
        "false_alarms": _episodes_before(one, [v.rank >= 1 for v in one.verdicts]),
        "onset_s": one.onset_s,
        "rms_onset_s": one.rms_onset_s,
        "baseline_end_s": float(one.times_s[one.learned - 1]),
        "first_plan_s": alarms[Verdict.PLAN],
        "first_stop_s": alarms[Verdict.STOP],
        "end_s": one.run.end_s,
        "baseline_notes": list(one.notes),
        "windows_not_judged": len(one.run.times_s) - len(one.times_s),
        "lead_fraction_by_method": {
            name: _lead(one, _alarm(settings, one, name))["lead_fraction"] for name in METHODS
        },
    }


def _alarm(settings: Settings, one: Watched, name: str) -> float | None:
    """When one method alone confirmed its first alarm."""
    if name == "fused":
        return _first(one, [verdict.rank >= 1 for verdict in one.verdicts], 1)
    running = FLOOR_READINGS if name == "rms" else settings.decide.persist_readings
    return _first(one, [score[name] > 1 for score in one.scores[one.learned :]], running)


def _first(one: Watched, over: list[bool], running: int) -> float | None:
    """When it had held so many windows running after the healthy time; None: never."""
    at = confirmed(np.array(over, bool), running)
    return None if at is None else float(one.times_s[one.learned + at])


def _lead(one: Watched, alarm_s: float | None) -> dict[str, float | None]:
    if alarm_s is None:
        return {"lead_s": None, "lead_fraction": None}
    lead = one.run.end_s - alarm_s
    return {"lead_s": lead, "lead_fraction": round(lead / one.run.end_s, 4)}


def _episodes_before(one: Watched, over: list[bool]) -> int:
    """Alarms that began after the healthy time and before the onset."""
    began = np.diff(np.array([False, *over], int)) > 0
    early = one.times_s[one.learned :] < one.onset_s
    return int(np.count_nonzero(began & early))


def _method(settings: Settings, watched: list[Watched], name: str) -> dict[str, Any]:
    """Mean of the areas by run: healthy time unseen, against the time after the onset."""
    areas, leads = [], []
    for one in watched:
        bad = [s for s, at in zip(one.scores, one.times_s, strict=True) if at >= one.onset_s]
        good = series(one.unseen, name)
        areas.append((auroc(good, series(bad, name)), auprc(good, series(bad, name))))
        leads.append(_lead(one, _alarm(settings, one, name))["lead_fraction"])
    return {
        "auroc": _mean([roc for roc, _ in areas]),
        "auprc": _mean([prc for _, prc in areas]),
        "runs_with_alarm": sum(lead is not None for lead in leads),
        "median_lead_fraction": _median(leads),
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def _median(leads: list[float | None]) -> float | None:
    """Runs without an alarm count as a lead of nothing."""
    return round(float(np.median([lead or 0.0 for lead in leads])), 4) if leads else None
