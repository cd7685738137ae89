"""NEWS2's bands as steps of the features that hold each sign's newest value.

The model begins at what the chart says and learns what the chart does not see. That half
is measured: on units left out of the training, with signs charted less often, shifted or
blurred, the sum of both ranks better than what was learned alone.
"""

from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring import news2
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.trends import FEATURES

NEVER = 1e9
"""The edge of a step that no value reaches."""
HALF = {"temp_now": 0.05}
"""NEWS2 rounds: its next band begins half a step above an edge; else half of 1."""
BANDS = {
    "rr_now": news2.RESPIRATION,
    "spo2_now": news2.SPO2_SCALE_1,
    "sbp_now": news2.SYSTOLIC,
    "hr_now": news2.PULSE,
    "temp_now": news2.TEMPERATURE,
    "oxygen": ((0.0, 0), (1.0, news2.OXYGEN_POINTS)),
}


@dataclass(frozen=True, eq=False)
class ChartPoints:
    """Points of a feature: `first` below its first edge, and what each edge adds."""

    first: Array
    """[features]"""
    edges: Array
    """float32 [features, steps]: from here on, this included."""
    adds: Array
    """[features, steps]"""

    def of(self, there: Array) -> Array:
        """[n, features]: points, of values without NaN."""
        reached = there.astype(np.float32)[:, :, None] >= self.edges
        return np.asarray(self.first + (reached * self.adds).sum(axis=2))


def chart_points(width: int) -> ChartPoints:
    """Of `width` features: FEATURES, and further ones that have no points."""
    most = max(len(bands) for bands in BANDS.values()) - 1
    first, adds = np.zeros(width), np.zeros((width, most))
    edges = np.full((width, most), NEVER, np.float32)
    for name, bands in BANDS.items():
        row, half = FEATURES.index(name), HALF.get(name, 0.5)
        points = [worth for _, worth in bands]
        first[row] = points[0]
        edges[row, : len(bands) - 1] = [upper + half for upper, _ in bands[:-1]]
        adds[row, : len(bands) - 1] = np.diff(points)
    return ChartPoints(first, edges, adds)
