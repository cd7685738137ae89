"""Counts against the truth: per line and direction, and event by event."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from apps.retail_analytics.domain import IN, OUT, Crossing
from apps.retail_analytics.evaluation.truth import Passing
from apps.retail_analytics.geometry import Line

SAME_EVENT_S = 1.0


def counting(
    found: Sequence[Crossing], truth: Sequence[Crossing], lines: Sequence[Line]
) -> dict[str, Any]:
    """Per line and direction `count` and `truth`; over all: precision, recall, WAPE, bias."""
    by_line: dict[str, Any] = {}
    pairs, hits = [], 0
    for line in lines:
        by_line[line.name] = {}
        for direction in (IN, OUT):
            mine = [one.monotonic for one in _of(found, line, direction)]
            real = [_span(one) for one in _of(truth, line, direction)]
            hit = matched(mine, real)
            by_line[line.name][direction] = {
                "count": len(mine), "truth": len(real), "matched": hit,
            }  # fmt: skip
            pairs.append((len(mine), len(real)))
            hits += hit
    return {"lines": by_line, **pooled(pairs, hits)}


def pooled(pairs: Sequence[tuple[int, int]], hits: int) -> dict[str, Any]:
    """Figures over all (count, truth) of a line and a direction; None where none can be."""
    counted, real = sum(c for c, _ in pairs), sum(t for _, t in pairs)
    apart = sum(abs(c - t) for c, t in pairs)
    return {
        "crossings": real,
        "counted": counted,
        "crossing_precision": share(hits, counted),
        "crossing_recall": share(hits, real),
        "crossing_precision_interval": wilson(hits, counted),
        "crossing_recall_interval": wilson(hits, real),
        "wape": share(apart, real),
        "bias": share(counted - real, real),
    }


def _of(crossings: Sequence[Crossing], line: Line, direction: str) -> list[Crossing]:
    return [c for c in crossings if c.line == line.name and c.direction == direction]


def _span(crossing: Crossing) -> tuple[float, float]:
    """From when to when it happened."""
    if isinstance(crossing, Passing):
        return crossing.began, crossing.ended
    return crossing.monotonic, crossing.monotonic


def matched(found: Sequence[float], truth: Sequence[tuple[float, float]]) -> int:
    """How many times can be paired with a span within SAME_EVENT_S of it, each once."""
    if not found or not truth:
        return 0
    times, spans = np.array(found)[:, None], np.array(truth)
    apart = np.maximum(0.0, np.maximum(spans[:, 0] - times, times - spans[:, 1]))
    cost = np.where(apart <= SAME_EVENT_S, apart, 1000.0)
    rows, columns = linear_sum_assignment(cost)
    return int((cost[rows, columns] < 1000.0).sum())


def share(part: float, whole: float) -> float | None:
    """None when there was nothing: not the same as all wrong."""
    return round(part / whole, 4) if whole else None


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """The 95 % interval of a share (Wilson 1927); None when there was nothing."""
    if not of:
        return None
    z, p = 1.959964, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)
