"""What the shipped model is compared with, fitted on the same hours.

Logistic regression and boosted trees on the same features, and each method again with the
time since admission, which no shipped model may know.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.training import additive, card, export
from apps.patient_monitoring.training.additive import Additive
from apps.patient_monitoring.training.lesson import Lesson, Recipe
from apps.patient_monitoring.trends import FEATURES


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
        model_with_time=additive.fit(
            np.hstack([features, hours]), label, weight, recipe.ridge, recipe.news2
        ),
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
            graph, export.contributions(graph, timed, with_time), with_time.at_typical
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
