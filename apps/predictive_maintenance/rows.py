"""Figures of a machine as JSON: rows of its history, and back into healthy time.

A row has what a trend shows and the features that a baseline is learned from, so that
healthy time can be chosen afterwards, from days ago and over restarts.
"""

import base64
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.baseline import Healthy
from apps.predictive_maintenance.domain import Decision, Health
from common.errors import ConfigError

FIGURES = (
    "velocity_mm_s", "acceleration_m_s2", "crest", "kurtosis", "signature",
    "reconstruction", "sequence", "rpm", "load", "temperature_c",
)  # fmt: skip
BESIDE = {"rpm", "load", "temperature_c"}
"""Known also of a window whose vibration is not judged."""
Features = NDArray[np.float32]
"""[axes, features]."""
MOST_ROWS = 20_000
"""Of one machine that a baseline is learned from: four months of ten-minute rows."""
SELECT = (
    "SELECT body FROM records WHERE kind = 'health' AND subject = ?"
    " AND json_extract(body, '$.taken') >= ? AND json_extract(body, '$.taken') <= ?"
    " ORDER BY seq DESC LIMIT ?"
)


def health_row(health: Health, decision: Decision, features: Features | None) -> dict[str, Any]:
    """One row of a machine's history."""
    row = {
        "asset": health.asset,
        "at_s": round(health.at_s, 3),
        "taken": health.wall_time,
        "verdict": decision.verdict.value,
        "severity": rounded(decision.severity),
        "zone": decision.zone,
        "state": health.state.key,
        **figures(health),
    }
    return row if features is None else row | {"features": packed(features)}


def figures(health: Health) -> dict[str, Any]:
    """What was measured, four digits of it; null where it was not."""
    return {
        name: rounded(getattr(health, name)) if health.judged or name in BESIDE else None
        for name in FIGURES
    }


def outlook_as_json(decision: Decision) -> dict[str, Any] | None:
    """Remaining hours; an end that never comes is null."""
    outlook = decision.outlook
    if outlook is None:
        return None
    return {name: rounded(value) for name, value in asdict(outlook).items()}


def rounded(value: Any) -> Any:
    """A float with four digits; null where it is not finite; anything else as it is."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.4g}") if np.isfinite(value) else None


def packed(features: Features) -> dict[str, Any]:
    """Features as text: float32 in base 64."""
    data = base64.b64encode(np.ascontiguousarray(features, "<f4").tobytes())
    return {"axes": len(features), "f32": data.decode("ascii")}


def unpacked(body: Mapping[str, Any]) -> Features:
    """The features of `packed`; raises ValueError for what is none."""
    data = base64.b64decode(body["f32"], validate=True)
    return np.frombuffer(data, "<f4").reshape(int(body["axes"]), -1).astype(np.float32)


def healthy_rows(
    connection: sqlite3.Connection, asset: str, start: float, end: float
) -> Healthy:
    """A machine's rows taken from `start` to `end` (UTC, s), as healthy time.

    Rows whose axes differ from the latest one's are left out. Raises ConfigError where
    there are none.
    """
    found = connection.execute(SELECT, (asset, start, end, MOST_ROWS)).fetchall()
    rows = [row for (body,) in reversed(found) if "features" in (row := json.loads(body))]
    features = [unpacked(row["features"]) for row in rows]
    pairs = [
        (row, one)
        for row, one in zip(rows, features, strict=True)
        if one.shape == features[-1].shape
    ]
    if not pairs:
        raise ConfigError(f"{asset}: nothing was steady and of good quality in this time")

    def column(name: str) -> NDArray[np.float32]:
        return np.array([row[name] for row, _ in pairs], np.float32)

    return Healthy(
        np.stack([one for _, one in pairs]),
        tuple(row["state"] for row, _ in pairs),
        column("velocity_mm_s"), column("acceleration_m_s2"), column("kurtosis"),
        np.array([row["taken"] for row, _ in pairs], np.float64),
        tuple(row["verdict"] for row, _ in pairs),
    )  # fmt: skip
