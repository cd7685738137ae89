"""The bench measures what it says: real verdicts, the whole way to the store."""

from dataclasses import replace

import pytest

from apps.predictive_maintenance import bench_fleet
from apps.predictive_maintenance.bench_fleet import Fleet
from apps.predictive_maintenance.bench_latency import latency
from apps.predictive_maintenance.config import Settings


@pytest.fixture
def fleet(monkeypatch):
    monkeypatch.setattr(bench_fleet, "FS_HZ", 12_800.0)
    monkeypatch.setattr(bench_fleet, "SAMPLES", 2048)
    settings = Settings()
    rules = replace(settings.baseline, smooth_windows=3)
    return Fleet(replace(settings, baseline=rules), None)


def test_every_machine_is_judged_and_compared_with_its_baseline(fleet):
    verdicts = [one for batch in fleet.look(70)() for one in batch]
    assert len({decision.asset for decision in verdicts}) == 70
    assert all(decision.judged for decision in verdicts)
    health, _ = fleet.perceive(2).look(next(fleet.batches(2)))
    assert all(one.velocity_baseline is not None for one in health)


def test_the_bare_work_is_work(fleet):
    assert fleet.bare(2)() is None  # no model here: the FFTs alone


def test_latency_is_of_rows_that_are_in_the_store(fleet):
    found = latency(fleet, 1.5)
    assert found["lost"] == 0
    assert found["records"] > 20
    assert 0 < found["p50"] <= found["p99"]
