"""The recipe: from hourly charts to the shipped model, its peers and their card, in one go.

1. Patients are split by the content of their charts: a fifth is never trained on.
2. On the rest, four folds by patient give every patient a risk from a model that has not
   seen them: from these the calibration is made, and the figures of the search.
3. The additive model is fitted on all of the training patients, then the peers: logistic
   regression and boosted trees on the same features, and each again with the time since
   admission, which no shipped model may know.
"""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from apps.patient_monitoring import charts, skill
from apps.patient_monitoring.charts import Charts
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.evaluate import URGENT
from apps.patient_monitoring.hourly import lower_bounds
from apps.patient_monitoring.training import additive, card, export, peers
from apps.patient_monitoring.training.additive import Additive
from apps.patient_monitoring.training.lesson import Lesson, Recipe, lesson_of, small
from apps.patient_monitoring.trends import FEATURES
from common.inference.selection import OpenRuntime

UNITS = {0: "unnamed", 1: "medical", 2: "surgical"}
HELD_OUT_OF = 5
"""One patient in so many is held out."""


def run(
    data: Path, out: Path, name: str, *, open_runtime: OpenRuntime,
    data_licence: str = "as the data's owner says", smoke: bool = False,
) -> Path:  # fmt: skip
    """Train into out/name; returns the folder of the bundles. Raises ConfigError."""
    bundles = out / name / "bundles"
    train(data, bundles, small() if smoke else Recipe(), data_licence, open_runtime)
    return bundles


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
    beside = peers.fit_peers(lesson, recipe)
    trained_on = [name for name, held in zip(prints, held_out, strict=True) if not held]
    facts = card.Facts(data.name, data_licence, asdict(recipe), search, tuple(trained_on))
    golden = made_up(model, recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    write_model(out / "deterioration", model, golden, facts)
    peers.write_peers(out / "compared", beside, golden, facts)
    card.measure(out, data, facts, open_runtime)


def fit_model(
    learn: Charts, lesson: Lesson, recipe: Recipe
) -> tuple[Additive, dict[str, float]]:
    """The calibrated model, and what the folds said of it beside NEWS2."""
    fold = np.random.default_rng(recipe.seed).integers(0, recipe.folds, len(learn.names))
    odds = np.zeros(len(lesson.label))
    for k in range(recipe.folds):
        out = fold[learn.patient] == k
        odds[out] = _fit(lesson, ~out, recipe).log_odds(lesson.features[out])
    slope, offset = skill.fit_line(odds, lesson.label)
    model = _fit(lesson, np.ones(len(odds), bool), recipe)
    figures = _in_folds(learn, lesson, odds) | _units_left_out(learn, lesson, recipe)
    figures["calibration_slope"] = float(slope)
    return calibrated(model, float(slope), float(offset)), figures


def _fit(lesson: Lesson, rows: Array, recipe: Recipe) -> Additive:
    features, label, weight, _, _ = lesson.where(rows)
    return additive.fit(features, label, weight, recipe.ridge, recipe.news2)


def _in_folds(learn: Charts, lesson: Lesson, odds: Array) -> dict[str, float]:
    found: dict[str, float] = {}
    share = float((lesson.news2 >= URGENT).mean())
    for name, risk in (("", odds), ("_news2", lesson.news2.astype(float))):
        flagged = risk >= skill.limit_for(risk, share)
        found |= {
            f"auroc{name}": skill.auroc(learn.label, risk),
            f"auprc{name}": skill.auprc(learn.label, risk),
            f"auroc_same_hour{name}": skill.auroc_within_hour(learn.label, risk, learn.stay_h),
            f"sensitivity_at_news2_alarm_rate{name}": float(flagged[learn.label].mean()),
        }
    return found


def _units_left_out(learn: Charts, lesson: Lesson, recipe: Recipe) -> dict[str, float]:
    """How far above NEWS2 on a kind of unit never trained on, with and without oxygen known.

    The nearest thing to another hospital that one hospital's charts can say.
    """
    units, found = np.array(learn.units), {}
    for number, name in UNITS.items() if len(units) else ():
        there = (units == number)[learn.patient]
        told = 0 < learn.label[there].sum() < there.sum()
        if not (told and learn.label[~there].any()):
            continue
        model = _fit(lesson, ~there, recipe)
        for oxygen in ("", "_oxygen_unknown"):
            seen = lesson.features[there].copy()
            if oxygen:
                seen[:, FEATURES.index("oxygen")] = 0
            ours = skill.auroc(learn.label[there], model.log_odds(seen))
            theirs = skill.auroc(learn.label[there], lower_bounds(seen).astype(float))
            found[f"auroc_above_news2_left_out_{name}{oxygen}"] = ours - theirs
    return found


def made_up(model: Additive, seed: int, count: int = 64) -> Array:
    """Features of nobody, for golden answers: around the typical patient, with gaps."""
    rng = np.random.default_rng(seed)
    off = rng.normal(size=(count, len(FEATURES))) * 1.5
    found = (model.typical + off * model.scale).round(1)
    found[rng.random(found.shape) < 0.1] = np.nan
    found[:, FEATURES.index("oxygen")] = rng.random(count) < 0.3
    return found.astype(np.float32)


def calibrated(model: Additive, slope: float, offset: float) -> Additive:
    """The model whose log odds are slope · log odds + offset."""
    return replace(
        model,
        line=model.line * slope,
        bends=model.bends * slope,
        per_point=model.per_point * slope,
        offset=model.offset * slope + offset,
    )


def write_model(folder: Path, model: Additive, golden: Array, facts: card.Facts) -> None:
    """The shipped bundle."""
    folder.mkdir(exist_ok=True)
    graph = export.Graph({"features": len(FEATURES)})
    parts = export.contributions(graph, "features", model)
    odds = export.summed(graph, parts, model.at_typical)
    graph.output(graph.add("Sigmoid", odds), "risk", 1)
    graph.output(parts, "contributions", len(FEATURES))
    graph.save(folder / "fp32.onnx")
    card.write_model(folder, facts, golden, {"risk": skill.sigmoid(model.log_odds(golden))})
