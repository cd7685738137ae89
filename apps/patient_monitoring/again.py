"""The same score again, from the record alone: what an alert rested on can be proved later.

NEWS2 is computed anew from the inputs that were kept, and must agree in every part. The
model's risk is computed anew from its features, where the model at hand is, byte for byte,
the one that was in use; the anomaly from the patient's own normal as it was at that moment.
Advice that began or ended must do so again by the limits that were set.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from apps.patient_monitoring import news2
from apps.patient_monitoring.baseline import Usual, distance
from apps.patient_monitoring.domain import NONE, Parameter
from apps.patient_monitoring.risk import RiskModel
from apps.patient_monitoring.trends import FEATURES
from apps.patient_monitoring.ward import Kind
from common.canonical import read_object
from common.errors import LinesideError
from common.storage.queries import open_readonly

ADVICE = {
    Kind.ADVICE_MODEL: ("model_risk", "model", "risk"),
    Kind.ADVICE_ANOMALY: ("anomaly", "anomaly", "anomaly"),
}
"""What each kind of advice rests on: its value in the record, in `above_s`, in the limits."""
SAME_RISK = 1e-6
"""Runtimes add up in another order; a probability that differs by less is the same."""


def again(
    folder: Path, alert_id: str, model: RiskModel | None, model_sha256: str
) -> dict[str, Any]:
    """What is on record of an alert, what comes out now, and whether it is the same."""
    body = find(folder, alert_id)
    score, risk = score_again(body), risk_again(body, model, model_sha256)
    anomaly = anomaly_again(body)
    advice = advice_again(body, {"model_risk": risk["again"], "anomaly": anomaly["again"]})
    said = (score["same"], risk["same"], anomaly["same"], advice["same"])
    return {
        "alert_id": alert_id,
        "at": body["at"],
        "bed": body["bed"],
        "patient": body["patient"],
        "news2": score,
        "model": risk,
        "anomaly": anomaly,
        "advice": advice,
        "same": False not in said,
    }


def find(folder: Path, alert_id: str) -> dict[str, Any]:
    """The record of an alert; raises LinesideError where there is none."""
    with closing(open_readonly(folder / "station.sqlite")) as connection:
        try:
            row = connection.execute(
                "SELECT body FROM records WHERE kind = 'alert' AND subject = ?", (alert_id,)
            ).fetchone()
        except sqlite3.Error as error:
            raise LinesideError(f"{folder}: cannot be read ({error})") from error
    if row is None:
        raise LinesideError(f"{folder}: no alert {alert_id} is on record")
    return read_object(row[0])


def score_again(body: Mapping[str, Any]) -> dict[str, Any]:
    """NEWS2 from the recorded inputs, beside the recorded one."""
    inputs = np.array([[_value(body["inputs"][p.name]["value"]) for p in Parameter]])
    refused = np.array([bool(body["refused"])])
    made = news2.score(inputs, np.array([bool(body["scale2"])]), refused)
    parts = {p.name: None if made.missing[0, p] else int(made.parts[0, p]) for p in Parameter}
    return {
        "recorded": body["score"]["parts"],
        "again": parts,
        "at_least": int(made.at_least[0]),
        "complete": bool(made.complete[0]),
        "same": parts == body["score"]["parts"]
        and int(made.at_least[0]) == body["score"]["at_least"]
        and bool(made.complete[0]) == body["score"]["complete"],
    }


def risk_again(
    body: Mapping[str, Any], model: RiskModel | None, model_sha256: str
) -> dict[str, Any]:
    """The model's risk from the recorded features; `same` is None where it cannot be said."""
    told: dict[str, Any] = {"model": body["model"], "recorded": body["model_risk"]}
    if body["model_risk"] is None:
        return {**told, "again": None, "same": None, "why": "the model had said nothing"}
    if model is None or body["model_sha256"] != model_sha256:
        return {**told, "again": None, "same": None, "why": "another model is at hand"}
    features = np.array([[_value(body["features"][name]) for name in FEATURES]], np.float32)
    risk = float(model.predict(features)[0][0])
    same = abs(risk - body["model_risk"]) <= SAME_RISK
    return {**told, "again": risk, "same": same, "why": ""}


def anomaly_again(body: Mapping[str, Any]) -> dict[str, Any]:
    """The distance from the patient's own normal; `same` is None where it cannot be said."""
    told: dict[str, Any] = {"recorded": body["anomaly"]}
    if "usual" not in body:
        return {**told, "again": None, "same": None, "why": "it is not on record"}
    made, _ = distance(_usual(body["usual"]))
    again = None if np.isnan(made[0]) else float(made[0])
    return {**told, "again": again, "same": _close(again, body["anomaly"]), "why": ""}


def advice_again(body: Mapping[str, Any], values: Mapping[str, float | None]) -> dict[str, Any]:
    """Whether the advice begins or ends again; `same` is None for an alert that is none."""
    if body["kind"] not in ADVICE or "above_s" not in body:
        return {"same": None, "why": "this alert is no advice, or its limits are not on record"}
    recorded, line, limit = ADVICE[Kind(body["kind"])]
    value, above_s, rules = values[recorded], body["above_s"][line], body["advisory"]
    if value is None and body[recorded] is not None:
        return {"same": None, "why": f"the {line} cannot be computed anew"}
    above = value is not None and value >= rules[f"{limit}_above"] - SAME_RISK
    lasts = above_s is not None and above_s >= rules[f"{limit}_persist_s"]
    return {"same": (above and lasts) is bool(body["now"]), "why": ""}


def _usual(kept: Mapping[str, Any]) -> Usual:
    """One bed's own normal, as the record has it."""
    value, mean = ([[_value(one) for one in kept[name]]] for name in ("value", "mean"))
    spread = [[[_value(one) for one in line] for line in kept["spread"]]]
    return Usual(np.array(value), np.array(mean), np.array(spread))


def _close(again: float | None, recorded: float | None) -> bool:
    if again is None or recorded is None:
        return again is recorded
    return abs(again - recorded) <= SAME_RISK


def _value(value: float | None) -> float:
    return NONE if value is None else float(value)
