"""How often a ward is called: this app's alarms beside plain limits, on the same days.

The same simulated ward is watched in two ways: by limits on every raw value, as a monitor
with its factory settings does, and by this app. Every course must be caught before its
crisis; how long before is stated, and how often somebody is called for nothing.

    python -m apps.patient_monitoring.burden --patients 100 --days 7 > burden.json
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.patient_monitoring.config import Settings
from apps.patient_monitoring.courses import Course, CourseKind, schedule
from apps.patient_monitoring.decide import Protocol, start
from apps.patient_monitoring.domain import Priority, Risk, Sign
from apps.patient_monitoring.perceive import Perceive
from apps.patient_monitoring.physiology import DAY_S
from apps.patient_monitoring.protocol import CHART
from apps.patient_monitoring.readings import Readings
from apps.patient_monitoring.simulate import SimulatedWard, together
from apps.patient_monitoring.ward import Change, Decision, Kind
from common.ports import Sample

PLAIN_LIMITS = {
    Sign.HR: (50.0, 120.0),
    Sign.PULSE: (50.0, 120.0),
    Sign.SPO2: (90.0, 101.0),
    Sign.RR: (8.0, 30.0),
    Sign.SBP: (90.0, 180.0),
}
"""A monitor's factory settings: below the first or above the second is an alarm at once."""
GRACE_S = 300.0
"""An alarm this soon after the crisis still counts: an arrhythmia has no time before it."""


class PlainLimits:
    """Each sign's crossing into alarm is one alarm; heart rate and pulse are one sign."""

    def __init__(self, beds: int) -> None:
        self._out = np.zeros((beds, len(Sign)), bool)
        self.alarms = np.zeros(beds, np.int64)

    def watch(self, new: Readings) -> None:
        """Count what these values raise; "not available" and sentinels raise nothing."""
        for sign, (low, high) in PLAIN_LIMITS.items():
            here = (new.sign == sign) & np.isfinite(new.value) & (new.value < 1000)
            bed, out = new.bed[here], (new.value[here] < low) | (new.value[here] > high)
            raised = out & ~self._out[bed, sign]
            if sign is Sign.PULSE:
                raised &= ~self._out[bed, Sign.HR]
            np.add.at(self.alarms, bed[raised], 1)
            self._out[bed, sign] = out


@dataclass
class Log:
    """Everything that this app told, with its time."""

    told: list[tuple[float, Change]] = field(default_factory=list)
    incomplete_s: float = 0.0
    watched_s: float = 0.0

    def add(self, decision: Decision, seconds: float) -> list[int]:
        """Keep a decision's news; the beds whose physiological alarm was raised."""
        self.told += [(decision.at, change) for change in decision.changes]
        self.incomplete_s += float((~decision.score.complete).sum()) * seconds
        self.watched_s += len(decision.risk) * seconds
        return [c.bed for c in decision.changes if raises(c)]

    def raised(self) -> list[tuple[float, Change]]:
        """Physiological alarms only."""
        return [(at, change) for at, change in self.told if raises(change)]


def raises(change: Change) -> bool:
    """Whether somebody is called: a higher risk that alarms, worse, or a new extreme."""
    if change.kind is Kind.RISK:
        return change.now > change.was and CHART[Risk(change.now)].priority > Priority.NONE
    if change.kind is Kind.EXTREME:
        return bool(change.now & ~change.was)
    return change.kind is Kind.WORSE


def measure(
    patients: int = 100, days: float = 7.0, seed: int = 7, each: int = 4,
    step_s: float = 1.0, settings: Settings | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Alarms of both ways and what became of every course, as JSON.

    `step_s` is how often the devices send; the ward's own time is what counts.
    """
    settings = settings or Settings()
    courses = schedule(patients, days, each, seed)
    ward = SimulatedWard(patients, seed, courses)
    plain, log = PlainLimits(patients), Log()
    perceive = Perceive(ward.patients, settings, None)
    decide = Protocol(settings.escalation, settings.advisory)
    state = start(patients, 0.0)
    for number, second in enumerate(ward.seconds(0.0, days * DAY_S, step_s)):
        new = together([second.devices, second.nurses])
        plain.watch(new)
        percept = perceive(Sample("", new, number, second.now, second.now))
        state, decision = decide(state, percept)
        called = log.add(decision, step_s)
        ward.follow(second.now, percept.due_s, called)
    ended = [c for c in courses if c.crisis + GRACE_S <= days * DAY_S]
    figures = report(patients, days, plain, log, ended)
    return {"patients": patients, "days": days, "seed": seed, "step_s": step_s, **figures}


def report(
    patients: int, days: float, plain: PlainLimits, log: Log, courses: Sequence[Course]
) -> dict[str, Any]:
    """The figures of one run."""
    patient_days = patients * days
    raised = log.raised()
    technical = [c for _, c in log.told if c.kind is Kind.TECHNICAL and c.now & ~c.was]
    ours, limits = len(raised) + len(technical), int(plain.alarms.sum())
    outside = [at for at, c in raised if not _during(courses, c.bed, at)]
    return {
        "alarms_per_patient_day": {
            "plain_limits": round(limits / patient_days, 2),
            "ours": round(ours / patient_days, 2),
            "ours_physiological": round(len(raised) / patient_days, 2),
            "ours_technical": round(len(technical) / patient_days, 2),
            "ours_outside_courses": round(len(outside) / patient_days, 2),
        },
        "fewer_percent": round(100 * (1 - ours / limits), 1),
        "fewer_percent_physiological": round(100 * (1 - len(raised) / limits), 1),
        "score_incomplete_percent": round(100 * log.incomplete_s / log.watched_s, 1),
        "missed_courses": sum(_lead(course, raised) is None for course in courses),
        "courses": {kind: _of_kind(kind, courses, raised) for kind in CourseKind},
    }


def _during(courses: Sequence[Course], bed: int, at: float) -> bool:
    return any(c.bed == bed and c.onset <= at <= c.end for c in courses)


def _lead(course: Course, raised: Sequence[tuple[float, Change]]) -> float | None:
    """From the first alarm after the onset to the crisis, in s; None: a missed course.

    Negative where the alarm came just after the crisis.
    """
    last = course.crisis + GRACE_S
    mine = (at for at, change in raised if change.bed == course.bed)
    times = [at for at in mine if course.onset <= at <= last]
    return course.crisis - min(times) if times else None


def _of_kind(
    kind: CourseKind, courses: Sequence[Course], raised: Sequence[tuple[float, Change]]
) -> dict[str, Any]:
    mine = [course for course in courses if course.kind is kind]
    leads = [lead for course in mine if (lead := _lead(course, raised)) is not None]
    lasts = mine[0].shape.lasts_s if mine else 0.0
    return {
        "courses": len(mine),
        "missed": len(mine) - len(leads),
        "onset_to_crisis_min": round(lasts / 60, 1),
        "lead_before_crisis_min": _spread([lead / 60 for lead in leads]),
        "delay_after_onset_min": _spread([(lasts - lead) / 60 for lead in leads]),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {
        "least": round(min(values), 1),
        "median": round(float(np.median(values)), 1),
        "most": round(max(values), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--each", type=int, default=4, help="courses of every kind")
    parser.add_argument("--step", type=float, default=1.0, help="s between sendings")
    options = parser.parse_args()
    figures = measure(options.patients, options.days, options.seed, options.each, options.step)
    print(json.dumps(figures, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
