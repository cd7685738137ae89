"""The bench measures what it says: real pictures, real counting, a station in real time."""

import itertools
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics import bench, bench_library, bench_shop
from apps.retail_analytics.bench_chain import Chain, Parts, busy_camera, drawn
from apps.retail_analytics.bench_shop import BLOCKS, cores, slope
from apps.retail_analytics.config import Settings
from apps.retail_analytics.evaluation.library import missing
from common.inference.bundle import Model, open_bundle
from common.inference.selection import Choice
from common.ports import TensorSpec

CARD = """
name = "walker"
version = "1"
task = "detection"
licence = "none: a fake"
labels = ["person"]
[[inputs]]
name = "images"
shape = [1, 3, 96, 128]
layout = "NCHW, BGR, 0-255, top-left"
[[outputs]]
name = "out"
shape = [1, 5, 2]
layout = "yolo"
[[artefacts]]
runtime = "fake"
precision = "fp32"
file = "x.onnx"
sha256 = "0"
"""


class Walker:
    """A network that sees one person walk from left to right, over and over, and one stand."""

    name, device = "fake", "CPU"
    inputs = (TensorSpec("images", (1, 3, 96, 128), "float32"),)
    outputs = (TensorSpec("out", (1, 5, 2), "float32"),)

    def __init__(self):
        self.asked = 0

    def run(self, arrays):
        assert arrays["images"].max() > 0, "it is shown a picture"
        self.asked += 1
        x = 10.0 + 0.8 * (self.asked % 130)
        rows = [[x, 60.0], [60.0, 70.0], [8.0, 8.0], [24.0, 24.0], [0.9, 0.8]]
        return {"out": np.array([rows], np.float32)}

    def close(self):
        pass


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.toml").write_text(CARD)
    card = open_bundle(tmp_path).card
    return Model(card, card.artefacts[0], Walker())


@pytest.fixture(scope="module")
def pictures():
    return drawn(12)


SETTINGS = Settings(camera=(busy_camera(),))


def test_the_pictures_are_of_people(pictures):
    assert {picture.shape for picture in pictures} == {(480, 640, 3)}
    moved = [np.abs(a.astype(int) - b).max() for a, b in itertools.pairwise(pictures)]
    assert min(moved) > 20


def test_the_whole_way_is_gone_with_a_network_and_from_memory(model, pictures):
    parts = Parts(SETTINGS, model, pictures * 4)
    for used in (model, parts.without_model()):
        chain = Chain(SETTINGS, used, pictures)
        decisions = chain.work(48)
        assert len(decisions) == 48
        assert all(decision.usable for decision in decisions)
        assert max(len(decision.spots) for decision in decisions) == 2


def test_with_several_under_way_the_same_is_decided_and_nothing_stays_under_way(
    model, pictures
):
    replayed = Parts(SETTINGS, model, pictures * 4).without_model
    one_by_one, three = (Chain(SETTINGS, replayed(), pictures, depth) for depth in (1, 3))
    for stretch in (20, 1, 27):
        alone = one_by_one.work(stretch)
        together = three.work(stretch)
        assert len(together) == stretch
        assert [len(one.spots) for one in alone] == [len(one.spots) for one in together]
    three.close()


def test_the_bare_runtime_is_asked_and_from_memory_it_is_not(model, pictures):
    parts = Parts(SETTINGS, model, pictures)
    asked = model.runtime.asked
    assert asked == len(pictures)
    parts.bare()()
    assert model.runtime.asked == asked + 1
    parts.bare_several(3, 7)()
    assert model.runtime.asked == asked + 8
    Chain(SETTINGS, parts.without_model(), pictures).work()
    assert model.runtime.asked == asked + 8


def test_every_part_is_timed(model, pictures):
    steps = Parts(SETTINGS, model, pictures).steps(5)
    assert list(steps) == ["mask", "sight", "fit", "infer", "read", "track", "decide"]
    assert all(0 < ms["p50"] <= ms["p99"] for ms in steps.values())


def test_four_cameras_of_a_whole_station_are_counted(model, pictures):
    shop = bench_shop.run(SETTINGS, Choice(model, "the only one"), pictures, 2.0, 0.0)
    assert shop["cameras"] == 4
    assert shop["pictures"] > 0
    assert shop["dropped"] + shop["missing"] + shop["pictures"] >= 4 * 15 * 1.9
    assert shop["cpu_share"] > 0
    memory = shop["memory"]
    assert 10 < memory["least_mb"] <= memory["rss_mb"] <= memory["most_mb"]
    assert {"perceive", "decide", "act", "total"} <= set(shop["latency_ms"])
    assert not [thread for thread in threading.enumerate() if "bench" in thread.name]


def test_the_library_beside_it_does_the_same_work_or_is_not_here(model, pictures):
    found = Parts(SETTINGS, model, pictures).found
    cost = bench_library.cost(found, 5)
    if missing():
        assert cost is None
    else:
        assert cost["track_and_count_ms"]["p50"] > 0


@pytest.mark.timeout(200)
def test_all_figures_are_there(model, pictures, monkeypatch):
    monkeypatch.setattr(bench, "QUICK_ROUNDS", 5)
    monkeypatch.setattr(bench, "QUICK_SECONDS", 1.0)
    monkeypatch.setattr(bench, "drawn", lambda: pictures)
    figures = bench.bench(SETTINGS, None, Choice(model, "the only one"), quick=True)
    assert figures["reason"] == "the only one"
    assert figures["pipeline_ms"]["p50"] > figures["runtime_ms"]["p50"]
    assert figures["as_shipped"]["depth"] == SETTINGS.model.depth
    assert figures["as_shipped"]["pipeline_ms"]["p50"] > 0
    assert figures["beside_model_ms"]["p50"] > 0
    assert figures["beside_model_cpu_ms"]["p50"] > 0
    assert figures["shop"]["cameras"] == 4


# ------------------------------------------------------------------------------ arithmetic


@given(st.floats(-5, 5), st.floats(10, 1000), st.integers(20, 200))
def test_a_straight_growth_is_found_without_doubt(growth, size, count):
    seconds = 100.0
    sizes = [size + growth * seconds * (i + 0.5) / count for i in range(count - count % BLOCKS)]
    found, either_way = slope(sizes, seconds * len(sizes) / count)
    assert found == pytest.approx(growth, abs=1e-6)
    assert either_way == pytest.approx(0.0, abs=1e-6)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    random, held = np.random.default_rng(3), 0
    for _ in range(400):
        sizes = 300 + 0.01 * np.arange(100) + random.normal(0, 2.0, 100)
        found, either_way = slope(list(sizes), 100.0)
        held += abs(found - 0.01) <= either_way
    assert 0.92 <= held / 400 <= 0.98


def test_the_cores_are_given_back():
    before = os.sched_getaffinity(0)
    with cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
