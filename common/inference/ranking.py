"""How well a score ranks bad above good: areas under two curves, ties counted fairly."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]


def auroc(good: Scores, bad: Scores) -> float | None:
    """Chance that a bad one scores above a good one, a tie counting half; None if empty."""
    if not len(good) or not len(bad):
        return None
    ordered = np.sort(good)
    below = np.searchsorted(ordered, bad, side="left")
    not_above = np.searchsorted(ordered, bad, side="right")
    return float(np.mean(below + not_above) / 2 / len(good))


def auprc(good: Scores, bad: Scores) -> float | None:
    """Average precision: its mean over all recalls, ties taken together; None if empty."""
    if not len(good) or not len(bad):
        return None
    thresholds = np.unique(bad)[::-1]
    hits = len(bad) - np.searchsorted(np.sort(bad), thresholds, side="left")
    alarms = len(good) - np.searchsorted(np.sort(good), thresholds, side="left")
    gained = np.diff(np.concatenate([[0], hits]))
    return float(np.sum(gained * hits / (hits + alarms)) / len(bad))
