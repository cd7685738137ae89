"""The recipe: from hourly charts to the shipped model, its peers and their card, in one go.

1. Patients are split by the content of their charts: a fifth is never trained on.
2. On the rest, four folds by patient give every patient a risk from a model that has not
   seen them: from these the calibration is made, and the figures of the search.
3. The additive model is fitted on all of the training patients, then the peers: logistic
   regression and boosted trees on the same features, and each again with the time since
   admission, which no shipped model may know.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from apps.patient_monitoring import charts, skill
from apps.patient_monitoring.charts import Charts
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.hourly import hours_of
from apps.patient_monitoring.training import additive, card, export
from apps.patient_monitoring.training.additive import Additive
from apps.patient_monitoring.trends import FEATURES
from common.inference.selection import OpenRuntime

HELD_OUT_OF = 5
"""One patient in so many is held out."""


@dataclass(frozen=True)
class Recipe:
    """What was chosen; printed on the card."""

    every: int = 3
    """Of patients who never fall ill only each such hour is trained on, weighted up."""
    ridge: float = additive.RIDGE
    folds: int = 4
    trees: int = 150
    leaves: int = 8
    rate: float = 0.06
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Lesson:
    """Hours to learn from."""

    features: Array
    label: Array
    stay_h: Array
    news2: Array
    patient: Array
    weight: Array
    chosen: Array
    """Bool: trained on."""

    def where(self, rows: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Features, label, weight, stay and NEWS2 of some rows that are trained on."""
        kept = rows & self.chosen
        return (self.features[kept], self.label[kept], self.weight[kept], self.stay_h[kept],
                self.news2[kept])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Peers:
    """What the shipped model is compared with."""

    typical: Array
    scale: Array
    logistic: Array
    boosted: Any
    news2_with_time: Array
    logistic_with_time: Array
    model_with_time: Additive
    boosted_with_time: Any


def smoke() -> Recipe:
    """Seconds instead of minutes: for tests of the way, not of the result."""
    return Recipe(trees=5, folds=2)


def train(
    data: Path, out: Path, recipe: Recipe, data_licence: str, open_runtime: OpenRuntime
) -> None:
    """The two bundles below `out`: deterioration (ships) and compared (for evaluate only)."""
    everyone = charts.read_2019(data)
    prints = everyone.fingerprints()
    held_out = np.array([int(name, 16) % HELD_OUT_OF == 0 for name in prints])
    learn = everyone.of(~held_out)
    lesson = lesson_of(learn, recipe)
    model, search = fit_model(learn, lesson, recipe)
    peers = fit_peers(lesson, recipe)
    trained_on = [name for name, held in zip(prints, held_out, strict=True) if not held]
    facts = card.Facts(data.name, data_licence, asdict(recipe), search, tuple(trained_on))
    golden = lesson.features[:: max(len(lesson.features) // 64, 1)]
    out.mkdir(parents=True, exist_ok=True)
    write_model(out / "deterioration", model, golden, facts)
    write_peers(out / "compared", peers, golden, facts)
    card.measure(out, data, facts, open_runtime)


def lesson_of(learn: Charts, recipe: Recipe) -> Lesson:
    """Features of every hour, and which hours count how much."""
    seen = hours_of(learn)
    ill = np.zeros(len(learn.names), bool)
    ill[learn.patient[learn.label]] = True
    of_ill = ill[learn.patient]
    chosen = of_ill | (np.arange(len(of_ill)) * 7919 % recipe.every == 0)
    return Lesson(
        features=seen.features,
        label=learn.label.astype(float),
        stay_h=learn.stay_h,
        news2=seen.news2,
        patient=learn.patient,
        weight=np.where(of_ill, 1.0, float(recipe.every)),
        chosen=chosen,
    )


def fit_model(
    learn: Charts, lesson: Lesson, recipe: Recipe
) -> tuple[Additive, dict[str, float]]:
    """The calibrated model, and what the folds said of it beside NEWS2."""
    fold = np.random.default_rng(recipe.seed).integers(0, recipe.folds, len(learn.names))
    odds = np.zeros(len(lesson.label))
    for k in range(recipe.folds):
        out = fold[learn.patient] == k
        features, label, weight, _, _ = lesson.where(~out)
        fitted = additive.fit(features, label, weight, recipe.ridge)
        odds[out] = fitted.log_odds(lesson.features[out])
    slope, offset = skill.fit_line(odds, lesson.label)
    features, label, weight, _, _ = lesson.where(np.ones(len(odds), bool))
    model = additive.fit(features, label, weight, recipe.ridge)
    figures = {
        "auroc": skill.auroc(learn.label, odds),
        "auroc_news2": skill.auroc(learn.label, lesson.news2),
        "auprc": skill.auprc(learn.label, odds),
        "auprc_news2": skill.auprc(learn.label, lesson.news2),
        "auroc_same_hour": skill.auroc_within_hour(learn.label, odds, learn.stay_h),
        "auroc_same_hour_news2": skill.auroc_within_hour(
            learn.label, lesson.news2, learn.stay_h
        ),
        "calibration_slope": float(slope),
    }
    return calibrated(model, float(slope), float(offset)), figures


def calibrated(model: Additive, slope: float, offset: float) -> Additive:
    """The model whose log odds are slope · log odds + offset."""
    return replace(
        model,
        line=model.line * slope,
        bends=model.bends * slope,
        offset=model.offset * slope + offset,
    )


def fit_peers(lesson: Lesson, recipe: Recipe) -> Peers:
    """Logistic regression and boosted trees, without and with the time since admission."""
    features, label, weight, stay_h, news2 = lesson.where(np.ones(len(lesson.label), bool))
    typical = np.nanmedian(features, axis=0).astype(np.float32)
    there = np.where(np.isfinite(features), features, typical)
    scale = np.maximum(there.std(axis=0), 1e-6).astype(np.float32)
    z = ((there - typical) / scale).astype(np.float32)
    hours = stay_h[:, None].astype(np.float32)
    return Peers(
        typical=typical,
        scale=scale,
        logistic=additive.logistic(z, label, weight, 1.0),
        boosted=boosted(there, label, weight, recipe),
        news2_with_time=additive.logistic(
            np.hstack([news2[:, None], hours / 24]).astype(np.float32), label, weight, 1.0
        ),
        logistic_with_time=additive.logistic(np.hstack([z, hours / 24]), label, weight, 1.0),
        model_with_time=additive.fit(np.hstack([features, hours]), label, weight, recipe.ridge),
        boosted_with_time=boosted(np.hstack([there, hours]), label, weight, recipe),
    )


def boosted(features: Array, label: Array, weight: Array, recipe: Recipe) -> Any:
    """Boosted trees."""
    trees = HistGradientBoostingClassifier(
        max_iter=recipe.trees, learning_rate=recipe.rate, max_leaf_nodes=recipe.leaves,
        min_samples_leaf=100, l2_regularization=20.0, max_bins=64, early_stopping=False,
        random_state=recipe.seed,
    )  # fmt: skip
    return trees.fit(features, label, sample_weight=weight)


def write_model(folder: Path, model: Additive, golden: Array, facts: card.Facts) -> None:
    """The shipped bundle."""
    folder.mkdir(exist_ok=True)
    graph = export.Graph({"features": len(FEATURES)})
    parts = export.contributions(graph, "features", model)
    at_typical = (np.maximum(-model.knots, 0) * model.bends).sum() + model.offset
    odds = export.summed(graph, parts, float(at_typical))
    graph.output(graph.add("Sigmoid", odds), "risk", 1)
    graph.output(parts, "contributions", len(FEATURES))
    graph.save(folder / "fp32.onnx")
    card.write_model(folder, facts, golden, {"risk": skill.sigmoid(model.log_odds(golden))})


def write_peers(folder: Path, peers: Peers, golden: Array, facts: card.Facts) -> None:
    """The bundle that only `evaluate` opens."""
    folder.mkdir(exist_ok=True)
    graph = export.Graph({"features": len(FEATURES), "news2": 1, "stay_h": 1})
    there = export.filled(graph, "features", peers.typical)
    z = graph.add("Sub", there, graph.constant(peers.typical))
    z = graph.add("Div", z, graph.constant(peers.scale))
    days = graph.add("Div", "stay_h", graph.constant([24.0]))
    both = graph.add("Concat", there, "stay_h", axis=1)
    timed = graph.add("Concat", "features", "stay_h", axis=1)
    with_time = peers.model_with_time
    at_typical = (np.maximum(-with_time.knots, 0) * with_time.bends).sum() + with_time.offset
    log_odds = {
        "logistic": _linear(graph, z, peers.logistic),
        "boosting": export.trees(graph, there, peers.boosted),
        "news2_with_time": _linear(
            graph, graph.add("Concat", "news2", days, axis=1), peers.news2_with_time
        ),
        "logistic_with_time": _linear(
            graph, graph.add("Concat", z, days, axis=1), peers.logistic_with_time
        ),
        "model_with_time": export.summed(
            graph, export.contributions(graph, timed, with_time), float(at_typical)
        ),
        "boosting_with_time": export.trees(graph, both, peers.boosted_with_time),
    }
    for name, edge in log_odds.items():
        graph.output(graph.add("Sigmoid", edge), name, 1)
    graph.save(folder / "fp32.onnx")
    there = np.where(np.isfinite(golden), golden, peers.typical)
    expected = {"boosting": peers.boosted.predict_proba(there)[:, 1]}
    card.write_peers(folder, facts, golden, expected, tuple(log_odds))


def _linear(graph: export.Graph, inputs: str, found: Array) -> str:
    return export.linear(graph, inputs, found[:-1], float(found[-1]))
