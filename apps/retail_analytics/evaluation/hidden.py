"""Detections where people hide each other, as a small network gives them: boxes cut and uneven.

A network that sees no legs ends its box where it sees the body end, or completes it, and
changes its mind within a second. Its edges wander rather than jump, the lower one most; on
held-out pictures it scatters twice as much as the others. Who is hardly seen is missed, and
of two boxes on the same place one is left, now and then as one around both people.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.evaluation.detections import Found
from apps.retail_analytics.evaluation.truth import Recording
from common.inference.images import iou

Floats = NDArray[np.float64]
WANDER = np.array([0.03, 0.03, 0.03, 0.05])
"""Slow errors of left, top, right and bottom (1 s.d.), as shares of the height."""
WANDER_S, SHIVER = 0.5, 0.02
COMPLETES, CHANGES_S = 0.35, 0.7
LEAST_SEEN, UNSURE = 0.3, 0.06  # share of the body from which it is found, and how sharply
MISSED, GAPS_PER_S, GAP_S = 0.04, 0.05, 0.5
SAME, BOTH, TWO_IN_ONE = 0.65, 0.45, 0.1
FALSE_PER_VIEW = 0.05


@dataclass
class _Habit:
    """What a network does with one person over time."""

    wander: Floats
    completes: bool = False
    blind_until: float = 0.0


@dataclass
class _Network:
    """A network that never was."""

    fps: float
    size: tuple[int, int]
    random: np.random.Generator
    habits: dict[int, _Habit] = field(default_factory=dict)

    def sees(self, number: int, box: Floats, edges: Floats, share: float, now: float) -> Floats:
        """The box found for one person, and its score; empty when none is."""
        random, habit = self.random, self._habit(number, now)
        hidden = edges * (1, 1, 1, 0 if habit.completes else 1)
        wide, high = box[2] - box[0], box[3] - box[1]
        cut = box + hidden * (wide, high, -wide, -high)
        found = cut + (habit.wander + random.normal(0, SHIVER, 4)) * high
        found = found.clip(0.0, (*self.size, *self.size))
        inside = np.prod(cut.clip(0, (*self.size, *self.size))[2:] - cut[:2].clip(0))
        seen = share * min(1.0, max(0.0, inside / max(wide * high, 1.0)))
        missed = MISSED + (1 - MISSED) / (1 + np.exp((seen - LEAST_SEEN) / UNSURE))
        if random.random() < missed or now < habit.blind_until or share == 0:
            return np.zeros(0)
        if (found[2:] - found[:2]).min() < 2.0:
            return np.zeros(0)
        score = 0.88 - 0.45 * (1 - seen) + random.normal(0, 0.08)
        return np.array([*found, np.clip(score, 0.05, 0.99)])

    def _habit(self, number: int, now: float) -> _Habit:
        random = self.random
        if number not in self.habits:
            wander = random.normal(0, WANDER)
            self.habits[number] = _Habit(wander, bool(random.random() < COMPLETES))
        habit = self.habits[number]
        kept = float(np.exp(-1 / self.fps / WANDER_S))
        habit.wander = kept * habit.wander + np.sqrt(1 - kept**2) * random.normal(0, WANDER)
        if random.random() < 1 / self.fps / CHANGES_S:
            habit.completes = bool(random.random() < COMPLETES)
        if random.random() < GAPS_PER_S / self.fps:
            habit.blind_until = now + random.exponential(GAP_S)
        return habit


def detections(recording: Recording, seed: int = 7) -> Found:
    """What such a network would have said, picture by picture."""
    network = _Network(recording.fps, recording.size, np.random.default_rng(seed))
    found: Found = []
    views = zip(recording.views, recording.hidden, strict=True)
    for index, ((ids, boxes), (edges, shares)) in enumerate(views):
        people = zip(ids.tolist(), boxes, edges, shares.tolist(), strict=True)
        rows = [network.sees(*person, index / recording.fps) for person in people]
        rows += _false(network)
        table = np.array([row for row in rows if len(row)], np.float64).reshape(-1, 5)
        found.append(_without_doubles(table, network.random))
    return found


def _false(network: _Network) -> list[Floats]:
    random, (width, height) = network.random, network.size
    rows = []
    for _ in range(random.poisson(FALSE_PER_VIEW)):
        high = float(random.uniform(0.1, 0.5)) * height
        left, top = random.uniform(0, width - 0.4 * high), random.uniform(0, height - high)
        score = float(random.beta(2, 4))
        rows.append(np.array([left, top, left + 0.4 * high, top + high, score]))
    return rows


def _without_doubles(table: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Boxes and scores, the surest first, of two on the same place one."""
    table = table[np.argsort(-table[:, 4])]
    boxes = table[:, :4].astype(np.float32)
    alike = iou(boxes, boxes)
    kept: list[int] = []
    for row in range(len(table)):
        rivals = alike[row, kept]
        if (rivals > SAME).any():
            continue
        if (rivals > BOTH).any() and random.random() < TWO_IN_ONE:
            other = kept[int(rivals.argmax())]
            table[other, :2] = np.minimum(table[other, :2], table[row, :2])
            table[other, 2:4] = np.maximum(table[other, 2:4], table[row, 2:4])
            continue
        kept.append(row)
    return table[kept, :4], table[kept, 4]
