"""How good a risk is: ranking, calibration, alarms per patient-day, and the 2019 utility.

AUROC hides the alarm load where few hours are followed by harm; so every method is also
judged at the same number of alarms per patient-day. An alarm is an hour at or above the
limit; a call is one with none in the six hours before it.
"""

from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring.charts import LABEL_LEAD_H, Charts
from apps.patient_monitoring.domain import Array

REFRACTORY_H = 6
WINDOW_H = 12
"""An alarm this long before the onset, or less, has seen it coming."""


def auroc(label: Array, risk: Array) -> float:
    """Probability that a positive hour outranks a negative one; ties count half."""
    _, inverse, count = np.unique(risk, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    positive = int(label.sum())
    negative = len(label) - positive
    total = rank[inverse[label]].sum() - positive * (positive + 1) / 2
    return float(total / (positive * negative))


def auprc(label: Array, risk: Array) -> float:
    """Average precision, ties taken together."""
    order = np.argsort(-risk, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(risk[order]) != 0, True])
    hits = np.cumsum(label[order])[ends]
    gained = np.diff(np.r_[0, hits])
    return float((gained * hits / (ends + 1)).sum() / hits[-1])


def auroc_within_hour(label: Array, risk: Array, stay_h: Array) -> float | None:
    """AUROC of pairs that are equally long in the unit: time since admission helps nobody.

    None where there is no such pair.
    """
    band = np.digitize(stay_h, np.r_[3:24:3, 24:72:6, 72:168:12, 168:337:24])
    won = pairs = 0.0
    for which in np.unique(band):
        here = band == which
        positive = float(label[here].sum())
        number = positive * (here.sum() - positive)
        if number:
            won += number * auroc(label[here], risk[here])
            pairs += number
    return won / pairs if pairs else None


@dataclass(frozen=True)
class Calibration:
    """How far a probability may be taken at its word."""

    brier: float
    expected_error: float
    """Mean distance of predicted and seen share over ten equally filled bins."""
    slope: float
    """Of seen log odds on predicted ones: 1 is right, below 1 too sure."""
    mean_predicted: float
    mean_seen: float


def calibration(label: Array, probability: Array) -> Calibration:
    """Of probabilities; 0 and 1 are taken as nearly so."""
    probability = probability.clip(1e-6, 1 - 1e-6)
    bins = np.array_split(np.argsort(probability, kind="stable"), 10)
    gaps = [abs(probability[b].mean() - label[b].mean()) * len(b) for b in bins]
    odds = np.log(probability / (1 - probability))
    return Calibration(
        brier=float(((probability - label) ** 2).mean()),
        expected_error=float(sum(gaps) / len(label)),
        slope=float(fit_line(odds, label)[0]),
        mean_predicted=float(probability.mean()),
        mean_seen=float(label.mean()),
    )


def sigmoid(odds: Array) -> Array:
    """Log odds → probability, strictly between 0 and 1."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30.0, 30.0))))


def fit_line(odds: Array, label: Array) -> Array:
    """[slope, offset] of the logistic regression of `label` on one input (Newton)."""
    inputs = np.stack([odds, np.ones_like(odds)], axis=1)
    found = np.array([1.0, 0.0])
    for _ in range(25):
        p = sigmoid(inputs @ found)
        bend = (inputs * (p * (1 - p) + 1e-9)[:, None]).T @ inputs
        step = np.linalg.solve(bend, inputs.T @ (label - p))
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return found


# ------------------------------------------------------------------ alarms


@dataclass(frozen=True, eq=False)
class Stays:
    """Hours as a table [patients, longest stay], to walk through them side by side."""

    row: Array
    column: Array
    shape: tuple[int, int]
    onset: Array
    """int64 [patients]: the hour of the onset; -1 where there is none, or it was at once."""

    @classmethod
    def of(cls, charts: Charts) -> "Stays":
        """The table's layout for these charts."""
        first = charts.first
        column = np.arange(len(charts.patient)) - first[charts.patient]
        shape = (len(charts.names), int(column.max()) + 1)
        label = np.zeros(shape, bool)
        label[charts.patient, column] = charts.label
        start = np.where(label.any(axis=1), label.argmax(axis=1), 0)
        onset = np.where(start > 0, start + LABEL_LEAD_H, -1)
        return cls(charts.patient, column, shape, onset)

    def table(self, flagged: Array) -> Array:
        """Bool [patients, hours]"""
        found = np.zeros(self.shape, bool)
        found[self.row, self.column] = flagged
        return found

    def calls(self, flagged: Array) -> Array:
        """Bool [patients, hours]: alarms with none in the hours before."""
        table = self.table(flagged)
        quiet_until = np.zeros(self.shape[0], np.int64)
        told = np.zeros(self.shape, bool)
        for hour in range(self.shape[1]):
            now = table[:, hour] & (hour >= quiet_until)
            told[:, hour] = now
            quiet_until[now] = hour + REFRACTORY_H
        return told

    def per_day(self, flagged: Array) -> float:
        """Calls per patient-day."""
        return float(self.calls(flagged).sum() / len(self.row) * 24)

    def caught(self, flagged: Array) -> tuple[float, float | None]:
        """Share of the onsets seen coming, and the median lead of those in h."""
        ill = np.flatnonzero(self.onset >= 0)
        hours = np.arange(self.shape[1])
        lead = self.onset[ill][:, None] - hours
        seen = self.table(flagged)[ill] & (lead >= 0) & (lead <= WINDOW_H)
        hit = seen.any(axis=1)
        leads = np.where(seen, lead, -1).max(axis=1)[hit]
        return float(hit.mean()), float(np.median(leads)) if hit.any() else None


def limit_for(risk: Array, share: float) -> float:
    """The lowest limit that no more than this share of hours reaches."""
    ordered = np.sort(risk)
    first = len(ordered) - int(share * len(ordered) + 1e-9)
    above = ordered[first:]
    if not len(above):
        return float(np.nextafter(ordered[-1], np.inf))
    if first and ordered[first - 1] == above[0]:  # a tie: all of it would be too many
        above = above[above > above[0]]
    return float(above[0]) if len(above) else float(np.nextafter(ordered[-1], np.inf))


# ------------------------------------------------------------------ PhysioNet 2019

EARLY_H, BEST_H, LATE_H = -12, -6, 3
HIT, MISS, FALSE_ALARM = 1.0, -2.0, -0.05


def utility(worth: Array, flagged: Array) -> float:
    """The challenge's normalised utility: 0 for silence, 1 for the best possible."""
    alarm, silent = worth
    gained = np.where(flagged, alarm, silent).sum()
    best, inaction = np.maximum(alarm, silent).sum(), silent.sum()
    return float((gained - inaction) / (best - inaction))


def best_limit(risk: Array, worth: Array) -> float:
    """The limit with the greatest utility on these hours."""
    order = np.argsort(-risk, kind="stable")
    gained = np.cumsum((worth[0] - worth[1])[order])
    ends = np.flatnonzero(np.r_[np.diff(risk[order]) != 0, True])  # ties go together
    return float(risk[order][ends[gained[ends].argmax()]])


def hourly_utility(charts: Charts) -> Array:
    """[2, hours]: what an alarm, and what silence, is worth in every hour."""
    hour = np.arange(len(charts.patient)) - charts.first[charts.patient]
    start = np.full(len(charts.names), 10**6)
    np.minimum.at(start, charts.patient[charts.label], hour[charts.label])
    ill = (start < 10**6)[charts.patient]
    since = hour - (start + LABEL_LEAD_H)[charts.patient]
    rising = HIT * (since - EARLY_H) / (BEST_H - EARLY_H)
    falling = HIT * (LATE_H - since) / (LATE_H - BEST_H)
    alarm = np.where(since <= BEST_H, np.maximum(rising, FALSE_ALARM), falling)
    silent = np.where(since <= BEST_H, 0.0, MISS * (since - BEST_H) / (LATE_H - BEST_H))
    late = since > LATE_H
    alarm = np.where(ill, np.where(late, 0.0, alarm), FALSE_ALARM)
    return np.stack([alarm, np.where(ill & ~late, silent, 0.0)])
