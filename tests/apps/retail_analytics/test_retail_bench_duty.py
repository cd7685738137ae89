"""The bench of resting: both ways see the same shop, and an empty one is mostly held."""

import numpy as np
import pytest

from apps.retail_analytics import bench_duty
from apps.retail_analytics.config import APP, Settings
from common.config import load
from common.inference.images import Detections


class Nobody:
    """A detector that finds nobody."""

    def __init__(self, _model):
        pass

    def begin(self, _picture, _threshold):
        empty = np.zeros((0, 4), np.float32)
        return lambda: Detections(empty, np.zeros(0, np.float32), np.zeros(0, np.int64))


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.setattr(bench_duty, "PersonDetector", Nobody)
    return bench_duty.duty(load(Settings, APP / "app.toml"), None, quick=True)


def test_the_network_rests_where_nobody_is_and_works_where_somebody_walks(figures):
    assert set(figures) == {"empty", "quiet", "busy"}
    for shop in figures.values():
        assert shop["always"]["held_share"] == 0.0
        assert shop["always"]["network_runs_per_s"] == pytest.approx(15.0)
    held = {name: shop["on_motion"]["held_share"] for name, shop in figures.items()}
    assert held["empty"] > 0.6 > held["busy"]
    assert figures["empty"]["people_per_min"] is None
