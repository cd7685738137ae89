"""What is known at every hour of a chart: the model's features and NEWS2."""

from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring import news2
from apps.patient_monitoring.charts import Charts
from apps.patient_monitoring.domain import Array, Parameter
from apps.patient_monitoring.trends import FEATURES, features

BATCH = 20_000
SCORED = {
    Parameter.RESPIRATION: "rr_now",
    Parameter.SPO2: "spo2_now",
    Parameter.OXYGEN: "oxygen",
    Parameter.SYSTOLIC: "sbp_now",
    Parameter.PULSE: "hr_now",
    Parameter.TEMPERATURE: "temp_now",
}


@dataclass(frozen=True, eq=False)
class Hours:
    """What is known at every hour of some charts."""

    features: Array
    """float32 [hours, features]"""
    news2: Array
    """int [hours]: lower bounds."""


def hours_of(charts: Charts) -> Hours:
    """Features and NEWS2 of every hour."""
    found, totals = [], []
    for begin in range(0, len(charts.signs), BATCH):
        rows = slice(begin, begin + BATCH)
        found.append(features(charts.windows(rows), charts.oxygen[rows]))
        totals.append(lower_bounds(found[-1]))
    return Hours(np.concatenate(found), np.concatenate(totals))


def lower_bounds(found: Array) -> Array:
    """NEWS2 of hours, from the newest value of each sign."""
    inputs = np.full((len(found), len(Parameter)), np.nan)
    for parameter, name in SCORED.items():
        inputs[:, parameter] = found[:, FEATURES.index(name)]
    on_air = inputs[:, Parameter.OXYGEN] != 1
    inputs[on_air, Parameter.OXYGEN] = np.nan  # nothing was charted: not known to be air
    nobody = np.zeros(len(found), bool)
    return news2.score(inputs, nobody, nobody).at_least
