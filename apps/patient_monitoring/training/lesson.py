"""What a training run is made of: the recipe, and the hours that are learned from."""

from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring.charts import Charts
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.hourly import hours_of
from apps.patient_monitoring.training import additive


@dataclass(frozen=True)
class Recipe:
    """What was chosen; printed on the card."""

    every: int = 3
    """Of patients who never fall ill only each such hour is trained on, weighted up."""
    ridge: float = additive.RIDGE
    news2: float = additive.NEWS2_SHARE
    """How far NEWS2 spreads the log odds, beside what was learned."""
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


def small() -> Recipe:
    """Seconds instead of minutes: for tests of the way, not of the result."""
    return Recipe(trees=5, folds=2)


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
