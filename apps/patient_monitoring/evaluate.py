"""How good the early warning is on charts with known outcomes, beside plainer methods.

NEWS2, logistic regression, boosted trees and the shipped model see the same signs at the
same hours; patients that a model was trained on are left out. What the time since admission
would add stands apart under `with_time`: it is a property of the data set, not of a body, and
no shipped model knows it.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from apps.patient_monitoring import elsewhere, skill
from apps.patient_monitoring.charts import Charts, has_2019, read_2019
from apps.patient_monitoring.config import Settings
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.hourly import BATCH, hours_of
from apps.patient_monitoring.other_charts import deaths, streams
from apps.patient_monitoring.risk import RiskModel
from apps.patient_monitoring.skill import Stays
from common.errors import BundleError, ConfigError
from common.inference.bundle import Model, open_bundle
from common.inference.selection import OpenRuntime, open_model

URGENT = 5
COMPARED, TRAINED_ON = "compared", "trained_on.json"
"""Beside the model's bundle: what it is compared with; in it: who it was trained on."""
WINNER = 0.36
"""Utility of the challenge's winner on its hidden hospitals, with laboratory and time."""
NEWS2_HAS = (
    "respiration, SpO2 (scale 1), systolic pressure, pulse, temperature, each not older than "
    "4 h (temperature 8 h); oxygen only where a FiO2 above 21 % was charted in the last 6 h; "
    "no consciousness: every total is a lower bound"
)
DEFINITIONS = {
    "auroc": "of hours, by the label that is 1 from 6 h before the onset on",
    "auroc_same_hour": "the same among hours equally long after admission",
    "sensitivity_at_news2_alarm_rate": "share of labelled hours with an alarm, the limit set "
    "so that as many hours alarm (are at or above it) per patient-day as with NEWS2 >= 5",
    "onsets_caught": "share of onsets with an alarm in the 12 h before, at that limit",
    "lead_h": "median time from the first such alarm to the onset",
    "calls_per_patient_day": "alarms with none in the 6 h before, at that limit",
    "utility": "PhysioNet 2019, limit chosen on one half of the patients, used on the other",
}


def run(
    settings: Settings, path: Path, data: Path, open_runtime: OpenRuntime
) -> dict[str, Any]:
    """All figures of the model that `settings` (read from `path`) name, on charts in `data`.

    Raises ConfigError for data that say nothing, BundleError or BackendMissing for a model
    that cannot be opened.
    """
    folder = path.parent / settings.model.bundle
    wanted = settings.model.runtime, settings.model.precision
    model = open_model(open_bundle(folder), open_runtime, *wanted).model
    try:
        RiskModel(model)  # raises BundleError for one of other features
        compared = open_model(open_bundle(folder.parent / COMPARED), open_runtime).model
        try:
            return evaluate(model, compared, _trained_on(folder), data)
        finally:
            compared.close()
    finally:
        model.close()


def _trained_on(folder: Path) -> frozenset[str]:
    path = folder / TRAINED_ON
    try:
        return frozenset(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: needed to leave out who was trained on") from error


def evaluate(
    model: Model, compared: Model, trained_on: frozenset[str], folder: Path
) -> dict[str, Any]:
    """All figures of the shipped model and its peers on the charts below `folder`.

    `trained_on` are fingerprints of patients who are left out. Raises ConfigError where
    there are no charts, or too few outcomes to say anything.
    """
    made: dict[str, Any] = {"model": model.describe(), "definitions": DEFINITIONS}
    beside = {"deaths": deaths(model, folder), "streams": streams(folder)}
    if has_2019(folder) or not any(beside.values()):
        made |= _hourly(model, compared, trained_on, folder)
    elif beside["deaths"]:
        made["methods"] = beside["deaths"]["methods"]
    return made | beside


def _hourly(
    model: Model, compared: Model, trained_on: frozenset[str], folder: Path
) -> dict[str, Any]:
    everyone = read_2019(folder)
    known = np.array([name in trained_on for name in everyone.fingerprints()])
    charts = everyone.of(~known)
    _require_outcomes(charts, folder)
    risks = risks_of(model, compared, charts)
    places = sorted(set(charts.hospitals))
    made: dict[str, Any] = {
        "data": "PhysioNet/CinC 2019 hourly charts",
        "patients": len(charts.names),
        "left_out_as_trained_on": int(known.sum()),
        "hospitals": places,
        "news2_has": NEWS2_HAS,
        "published_winner_utility": WINNER,
        **figures(charts, risks),
        "elsewhere": elsewhere.figures(model, charts),
    }
    if len(places) > 1:
        made["by_hospital"] = {
            place: _one_hospital(charts, risks, place)
            for place in places
            if _onsets(charts.of(np.array(charts.hospitals) == place)) > 1
        }
    return made


def _require_outcomes(charts: Charts, folder: Path) -> None:
    onsets = _onsets(charts)
    if onsets < 2 or charts.label.all():
        raise ConfigError(
            f"{folder}: {len(charts.names)} patients the model was not trained on, "
            f"{onsets} of them with an onset: too few to say anything"
        )


def _onsets(charts: Charts) -> int:
    return int((Stays.of(charts).onset >= 0).sum()) if charts.names else 0


def risks_of(model: Model, compared: Model, charts: Charts) -> dict[str, Array]:
    """Each method's risk of every hour."""
    hours = hours_of(charts)
    risks: dict[str, list[Array]] = {}
    for begin in range(0, len(hours.news2), BATCH):
        rows = slice(begin, begin + BATCH)
        arrays = {
            "features": hours.features[rows],
            "news2": hours.news2[rows, None].astype(np.float32),
            "stay_h": charts.stay_h[rows, None].astype(np.float32),
        }
        outputs = compared.run(arrays)
        outputs["model"] = model.run({"features": arrays["features"]})["risk"]
        for name, values in outputs.items():
            risks.setdefault(name, []).append(values[:, 0].astype(float))
    return {"news2": hours.news2.astype(float)} | {
        name: np.concatenate(parts) for name, parts in risks.items()
    }


def figures(charts: Charts, risks: dict[str, Array]) -> dict[str, Any]:
    """`methods` and `with_time`, each method with the same figures."""
    stays = Stays.of(charts)
    alarmed = risks["news2"] >= URGENT
    methods: dict[str, Any] = {}
    with_time: dict[str, Any] = {}
    for name, risk in risks.items():
        plain = name.removesuffix("_with_time")
        into = methods if plain == name else with_time
        into[plain] = _method(charts, stays, risk, alarmed)
        if name != "news2":
            into[plain]["calibration"] = _rounded(asdict(skill.calibration(charts.label, risk)))
    return {
        "hours": len(charts.label),
        "onsets": int((stays.onset >= 0).sum()),
        "labelled_hours_percent": round(100 * float(charts.label.mean()), 2),
        "alarms_per_patient_day": round(24 * float(alarmed.mean()), 2),
        "methods": methods,
        "with_time": with_time,
    }


def _method(charts: Charts, stays: Stays, risk: Array, alarmed: Array) -> dict[str, Any]:
    limit = skill.limit_for(risk, float(alarmed.mean()))
    flagged = risk >= limit
    caught, lead = stays.caught(flagged)
    return _rounded(
        {
            "auroc": skill.auroc(charts.label, risk),
            "auprc": skill.auprc(charts.label, risk),
            "auroc_same_hour": skill.auroc_within_hour(charts.label, risk, charts.stay_h),
            "sensitivity_at_news2_alarm_rate": float(flagged[charts.label].mean()),
            "limit": limit,
            "alarms_per_patient_day": 24 * float(flagged.mean()),
            "calls_per_patient_day": stays.per_day(flagged),
            "onsets_caught": caught,
            "lead_h": lead,
            "utility": crossed_utility(charts, risk),
        }
    )


def crossed_utility(charts: Charts, risk: Array) -> float:
    """Utility with a limit that was chosen on other patients."""
    half = np.arange(len(charts.names)) % 2 == 0
    worth = skill.hourly_utility(charts)
    flagged = np.zeros(len(risk), bool)
    for mine in (half, ~half):
        here = mine[charts.patient]
        flagged[here] = risk[here] >= skill.best_limit(risk[~here], worth[:, ~here])
    return skill.utility(worth, flagged)


def _one_hospital(charts: Charts, risks: dict[str, Array], place: str) -> dict[str, Any]:
    mine = np.array([hospital == place for hospital in charts.hospitals])
    rows = mine[charts.patient]
    part = charts.of(mine)
    return {
        "patients": len(part.names),
        **figures(part, {name: risk[rows] for name, risk in risks.items()}),
    }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}
