"""The same charts as another hospital might have kept them: does the model still rank?

One hospital's charts cannot prove another. But what usually differs there can be put on:
signs charted less often, gaps, devices that read otherwise, oxygen that nobody charted. The
model and NEWS2 see the same shifted charts, and what counts is the distance between them.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from apps.patient_monitoring import skill
from apps.patient_monitoring.charts import Charts
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.hourly import BATCH, Hours, hours_of
from common.inference.bundle import Model

ROUND_H = 4
GAPS = 0.3
SEED = 3
OFFSET = np.array([0.0, -1.0, -0.3, 6.0, 1.5], np.float32)
NOISE = np.array([3.0, 1.0, 0.2, 5.0, 2.0], np.float32)
"""Of MODEL_SIGNS, in their units."""
Shift = Callable[[Charts], Charts]


def rounds(charts: Charts) -> Charts:
    """On a ward: the newest values of each sign, charted every fourth hour only."""
    row = np.arange(len(charts.signs))
    begins = charts.first[charts.patient]
    newest = np.full_like(charts.signs, np.nan)
    for back in range(ROUND_H - 1, -1, -1):
        then = row - back
        value = np.where((then >= begins)[:, None], charts.signs[np.maximum(then, 0)], np.nan)
        newest = np.where(np.isfinite(value), value, newest)
    of_round = (row - begins) % ROUND_H == 0
    return _with(charts, np.where(of_round[:, None], newest, np.nan))


def gaps(charts: Charts) -> Charts:
    """A third of all values was never charted, whichever."""
    gone = np.random.default_rng(SEED).random(charts.signs.shape) < GAPS
    return _with(charts, np.where(gone, np.nan, charts.signs))


def no_temperature(charts: Charts) -> Charts:
    """Nobody took a temperature."""
    return _with(charts, np.where(np.arange(5) == 2, np.nan, charts.signs))


def other_devices(charts: Charts) -> Charts:
    """Cuff, oximeter and thermometer of another maker, and breaths counted otherwise."""
    return _with(charts, charts.signs + OFFSET)


def noisy_devices(charts: Charts) -> Charts:
    """Devices that waver, and people who round."""
    noise = np.random.default_rng(SEED).standard_normal(charts.signs.shape, np.float32)
    return _with(charts, charts.signs + noise * NOISE)


def no_oxygen(charts: Charts) -> Charts:
    """Nobody charted who was given oxygen."""
    return replace(charts, oxygen=np.full_like(charts.oxygen, np.nan))


SHIFTS: dict[str, Shift] = {
    "as charted": lambda charts: charts,
    "charted every 4 h": rounds,
    "a third never charted": gaps,
    "no temperature": no_temperature,
    "devices of another maker": other_devices,
    "devices that waver": noisy_devices,
    "oxygen never charted": no_oxygen,
}


def figures(model: Model, charts: Charts) -> dict[str, dict[str, float]]:
    """Shift → AUROC of model and NEWS2, and the worst of the kinds of unit beside it."""
    return {name: _judged(model, charts, hours_of(shift(charts)))
            for name, shift in SHIFTS.items()}  # fmt: skip


def _judged(model: Model, charts: Charts, hours: Hours) -> dict[str, float]:
    risk, points = _risks(model, hours), hours.news2.astype(float)
    every = np.ones(len(charts.label), bool)
    ours, theirs = (skill.auroc(charts.label, one) for one in (risk, points))
    above = [_above(charts.label[rows], risk[rows], points[rows])
             for rows in (every, *_units(charts))]  # fmt: skip
    return {
        "news2_auroc": round(theirs, 4),
        "model_auroc": round(ours, 4),
        "least_above_news2_in_a_unit": round(min(above), 4),
    }


def _risks(model: Model, hours: Hours) -> Array:
    edges = [*range(0, len(hours.features), BATCH), len(hours.features)]
    parts = [
        model.run({"features": hours.features[a:b]})["risk"][:, 0] for a, b in pairwise(edges)
    ]
    return np.concatenate(parts).astype(float)


def _units(charts: Charts) -> list[Array]:
    """Rows of each kind of unit in which some fell ill and some did not."""
    units = np.array(charts.units)[charts.patient] if charts.units else np.zeros(0)
    kinds = [units == kind for kind in np.unique(units)]
    return [rows for rows in kinds if 0 < charts.label[rows].sum() < rows.sum()]


def _above(label: Array, risk: Array, points: Array) -> float:
    return skill.auroc(label, risk) - skill.auroc(label, points)


def _with(charts: Charts, signs: Array) -> Charts:
    return replace(charts, signs=signs.astype(np.float32))


def table(found: dict[str, dict[str, float]]) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Heads and rows for a reader."""
    heads = ("charts", "AUROC of NEWS2", "of the model", "least above NEWS2 in a unit")
    return heads, [[name, *of.values()] for name, of in found.items()]
