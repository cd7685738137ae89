"""The recipe: the additive model's arithmetic, and the way through, in seconds."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.patient_monitoring import skill
from apps.patient_monitoring.charts import read_2019
from apps.patient_monitoring.hourly import lower_bounds
from apps.patient_monitoring.training import additive
from apps.patient_monitoring.training.chart_points import chart_points
from apps.patient_monitoring.training.lesson import Recipe, lesson_of
from apps.patient_monitoring.trends import FEATURES
from common.inference.bundle import open_bundle
from common.inference.selection import open_model
from hardware.catalog import open_runtime

from .drawn_charts import draw_charts

LOWEST = {"hr_now": 20, "rr_now": 2, "spo2_now": 40, "sbp_now": 30, "temp_now": 25}
HIGHEST = {"hr_now": 300, "rr_now": 80, "spo2_now": 100, "sbp_now": 300, "temp_now": 45}


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 1))
def test_the_chart_s_points_are_those_of_news2(seed, digits):
    rng = np.random.default_rng(seed)
    rows = np.zeros((50, len(FEATURES)), np.float32)
    for name, low in LOWEST.items():
        column = rng.uniform(low, HIGHEST[name], 50).round(digits)
        rows[:, FEATURES.index(name)] = column
    rows[:, FEATURES.index("oxygen")] = rng.integers(0, 2, 50)
    assert np.array_equal(chart_points(len(FEATURES)).of(rows).sum(axis=1), lower_bounds(rows))


def lesson(count=6000, seed=1):
    """Hours whose risk rises with the first feature, bends with the second, not the third."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, len(FEATURES))).astype(np.float32) + 100
    odds = -3 + 1.2 * (features[:, 0] - 100) + 2 * np.maximum(features[:, 1] - 100.5, 0)
    label = (rng.random(count) < skill.sigmoid(odds)).astype(float)
    features[rng.random(features.shape) < 0.05] = np.nan
    return features, label, odds


def test_it_finds_lines_and_bends():
    features, label, odds = lesson()
    model = additive.fit(features, label, np.ones(len(label)), news2_share=0.0)
    assert np.corrcoef(model.log_odds(features), odds)[0, 1] > 0.9
    spread = model.contributions(features).std(axis=0)
    assert spread[0] > 5 * np.median(spread)
    assert spread[1] > 5 * np.median(spread)
    mean = float(skill.sigmoid(model.log_odds(features)).mean())
    assert mean == pytest.approx(float(label.mean()), rel=0.02)


def test_the_log_odds_are_the_sum_of_the_contributions_and_the_typical_patient():
    features, label, _ = lesson(2000)
    model = additive.fit(features, label, np.ones(len(label)))
    whole = model.contributions(features).sum(axis=1) + model.at_typical
    assert np.allclose(model.log_odds(features), whole)
    nobody = np.full((1, len(FEATURES)), np.nan)
    assert np.allclose(model.contributions(nobody), 0)


def test_news2_spreads_the_log_odds_by_its_share():
    features, label, _ = lesson(2000)
    rng = np.random.default_rng(3)
    for name, low in LOWEST.items():
        column = rng.uniform(low, HIGHEST[name], 2000)
        features[:, FEATURES.index(name)] = column
    weight = np.ones(len(label))
    learned = additive.fit(features, label, weight, news2_share=0.0)
    both = additive.fit(features, label, weight, news2_share=0.5)
    added = both.log_odds(features) - learned.log_odds(features)
    assert added.std() == pytest.approx(0.5 * learned.log_odds(features).std(), rel=0.05)


@pytest.mark.parametrize("far", [1.0, 1e3])
def test_the_fit_never_ends_worse_than_it_began(far):
    rng = np.random.default_rng(4)
    basis = (rng.normal(size=(500, 3)) * [1, far, 1]).astype(np.float32)
    label = (basis[:, 0] > 1.2).astype(float)
    found = additive.logistic(basis, label, np.ones(500), 1.0)
    assert np.isfinite(found).all()
    risk = skill.sigmoid(basis @ found[:-1] + found[-1])
    assert skill.auroc(label > 0, risk) > 0.95


def test_a_weight_counts_as_that_many_hours():
    features, label, _ = lesson(1500)
    basis = np.nan_to_num(features[:, :4] - 100)
    twice = additive.logistic(
        np.vstack([basis, basis]), np.r_[label, label], np.ones(3000), 5.0
    )
    once = additive.logistic(basis, label, np.full(1500, 2.0), 5.0)
    assert np.allclose(once, twice, atol=1e-3)


def test_of_those_who_stay_well_only_some_hours_are_taken_and_count_more(tmp_path):
    charts = read_2019(draw_charts(tmp_path / "setA", 12))
    found = lesson_of(charts, Recipe(every=3))
    ill = np.isin(charts.patient, np.unique(charts.patient[charts.label]))
    assert found.chosen[ill].all()
    assert found.chosen[~ill].mean() == pytest.approx(1 / 3, abs=0.01)
    assert set(found.weight[~ill]) == {3.0}
    assert set(found.weight[ill]) == {1.0}


def test_the_whole_way_in_seconds(tmp_path):
    pytest.importorskip("sklearn", reason="training runs in .venv-train: make setup-train")
    pytest.importorskip("onnx", reason="training runs in .venv-train: make setup-train")
    from apps.patient_monitoring.training import train  # noqa: PLC0415 - heavy

    data = draw_charts(tmp_path / "data" / "setA", 80)
    bundles = train.run(data, tmp_path / "out", "ward", open_runtime=open_runtime, smoke=True)
    for name in ("deterioration", "compared"):
        model = open_model(open_bundle(bundles / name), open_runtime).model
        golden = json.loads((bundles / name / "golden.json").read_text())
        features = np.array(golden.pop("features"), float).astype(np.float32)
        inputs = {"features": features, "news2": features[:, :1], "stay_h": features[:, :1]}
        wanted = {spec.name: inputs[spec.name] for spec in model.card.inputs}
        answers = model.run(wanted)
        for output, values in golden.items():
            assert np.allclose(answers[output][:, 0], values, atol=1e-4)
        model.close()
    results = json.loads((bundles / "deterioration" / "results.json").read_text())
    assert results["held_out"]["methods"]["model"]["auroc"] > 0.7
    trained_on = json.loads((bundles / "deterioration" / "trained_on.json").read_text())
    assert 0 < len(trained_on) == 80 - results["held_out"]["patients"]
    assert "Not a medical device" in (bundles / "deterioration" / "README.md").read_text()
