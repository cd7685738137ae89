"""Dwell and presence in zones against the truth."""

from typing import Any

from apps.retail_analytics.config import Counting
from apps.retail_analytics.evaluation.counting import Counted
from apps.retail_analytics.evaluation.truth import Recording, foot
from apps.retail_analytics.geometry import Zone


def figures(recording: Recording, counted: Counted, rules: Counting) -> dict[str, Any]:
    """Per zone: visits and mean dwell beside the truth, and the mean error of who is in it."""
    if not recording.views:
        return {}
    return {zone.name: _zone(recording, zone, counted, rules) for zone in recording.zones}


def _zone(
    recording: Recording, zone: Zone, counted: Counted, rules: Counting
) -> dict[str, Any]:
    real, lengths = true_stays(recording, zone, rules)
    found = [visit.dwell_s for visit in counted.visits if visit.zone == zone.name]
    seen = counted.lengths.get(zone.name, [])
    pairs = list(zip(seen, lengths, strict=False))
    return {
        "visits": {"count": len(found), "truth": len(real)},
        "mean_dwell_s": {"measured": _mean(found), "truth": _mean(real)},
        "length": {
            "measured": _mean([a for a, _ in pairs]),
            "truth": _mean([b for _, b in pairs]),
        },
        "length_mae": _mean([abs(a - b) for a, b in pairs]),
    }


def true_stays(
    recording: Recording, zone: Zone, rules: Counting
) -> tuple[list[float], list[int]]:
    """Stays in s that have ended, by the same definition on true places; how many at a time."""
    spans: dict[int, list[float]] = {}
    stays: list[float] = []
    lengths = []
    for index, (ids, boxes) in enumerate(recording.views):
        now, inside = index / recording.fps, 0
        for number, box in zip(ids.tolist(), boxes, strict=True):
            if zone.holds(foot(box)):
                inside += 1
                span = spans.setdefault(number, [now, now])
                span[1] = now
        for number, (entered, left) in list(spans.items()):
            if now - left > rules.gap_s:
                del spans[number]
                if left - entered >= max(rules.bounce_s, rules.enter_s):
                    stays.append(left - entered)
        lengths.append(inside)
    return stays, lengths


def _mean(values: list[float] | list[int]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None
