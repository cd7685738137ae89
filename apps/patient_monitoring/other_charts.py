"""Other data the early warning is tried on: deaths of 2012, and real streams at 1 Hz.

PhysioNet/CinC 2012 has the coma scale, so NEWS2 is nearly whole there; its outcome is death
in hospital. BIDMC has no outcome at all: it shows how often the anomaly speaks on real
streams, and how far heart rate and pulse disagree.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apps.patient_monitoring import news2, skill
from apps.patient_monitoring.baseline import BaselineBoard, distance
from apps.patient_monitoring.charts import files
from apps.patient_monitoring.config import AdvisoryRules, BaselineRules, ExtremeRules, SignRules
from apps.patient_monitoring.domain import Acvpu, Array, Sign
from apps.patient_monitoring.hourly import lower_bounds
from apps.patient_monitoring.readings import readings
from apps.patient_monitoring.signs import SignBoard
from apps.patient_monitoring.trends import HOURS, features
from common.errors import ConfigError
from common.inference.bundle import Model

HEADER = "Time,Parameter,Value"
STAY_H = 48
NAMES = {
    "HR": 0, "SaO2": 1, "Temp": 2, "NISysABP": 3, "SysABP": 3, "RespRate": 4, "FiO2": 5,
    "GCS": 6,
}  # fmt: skip
"""Parameter → column: MODEL_SIGNS, then FiO2 and the coma scale."""
ALERT = 15
HAS_2012 = (
    "as on the 2019 charts, and consciousness: a coma scale of 15 is alert, less is not; "
    "sedation cannot be told apart; respiration was charted for few patients"
)


def deaths(model: Model, folder: Path) -> dict[str, Any] | None:
    """AUROC of the mean over two days for death in hospital; None without 2012 data.

    Raises ConfigError for what cannot be read, and where no chart's outcome is known.
    """
    outcomes = _outcomes(folder)
    stays = list(_stays(folder))
    if not stays:
        return None
    found = [(stay, outcomes[name]) for name, stay in stays if name in outcomes]
    if not found:
        raise ConfigError(
            f"{folder}: {len(stays)} charts of 2012, but no Outcomes*.csv that says of one of "
            "them what became of the patient"
        )
    died = np.array([dead for _, dead in found])
    risks: dict[str, list[float]] = {
        "news2": [],
        "news2_without_consciousness": [],
        "model": [],
    }
    for stay, _ in found:
        made = features(_windows(stay[:, :5]), _oxygen(stay[:, 5]))
        without = lower_bounds(made)
        coma = _held(stay[:, 6], 6)
        points = news2.ACVPU_POINTS[Acvpu.VOICE]
        risks["news2"].append(float((without + points * (coma < ALERT)).mean()))
        risks["news2_without_consciousness"].append(float(without.mean()))
        risks["model"].append(float(model.run({"features": made})["risk"].mean()))
    figures = {name: _ranking(died, np.array(values)) for name, values in risks.items()}
    return {
        "data": "PhysioNet/CinC 2012, first 48 h",
        "patients": len(died),
        "deaths": int(died.sum()),
        "outcome": "death in hospital, by the mean over the stay",
        "news2_has": HAS_2012,
        "methods": figures,
    }


def _ranking(died: Array, risk: Array) -> dict[str, float | None]:
    if died.all() or not died.any():  # nobody to be ranked above anybody
        return {"auroc": None, "auprc": None}
    return {
        "auroc": round(skill.auroc(died, risk), 4),
        "auprc": round(skill.auprc(died, risk), 4),
    }


def _outcomes(folder: Path) -> dict[str, bool]:
    found = {}
    for path in sorted(folder.rglob("Outcomes*.csv")):
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                lines = [[value.strip() for value in line] for line in csv.reader(file)]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is no CSV file ({error})") from error
        for line in filter(any, lines[1:]):
            row = dict(zip(lines[0], line, strict=False))
            if not {"RecordID", "In-hospital_death"} <= set(row):
                raise ConfigError(f"{path}: no RecordID and In-hospital_death")
            number, died = row["RecordID"], row["In-hospital_death"]
            if died not in ("0", "1"):
                raise ConfigError(
                    f"{path}: In-hospital_death of {number} is {died!r}, not 0 or 1"
                )
            found[number] = died == "1"
    return found


def _stays(folder: Path) -> Iterator[tuple[str, Array]]:
    """(record id, [48, 7] hourly medians) of every chart of 2012 below a folder."""
    for name, text in files(folder, ".txt"):
        if text.startswith(HEADER):
            yield Path(name).stem, _stay(name, text)


def _stay(name: str, text: str) -> Array:
    values: dict[tuple[int, int], list[float]] = {}
    try:
        for row in csv.DictReader(io.StringIO(text)):
            hour, _, _ = row["Time"].partition(":")
            column, value = NAMES.get(row["Parameter"]), float(row["Value"])
            if column is not None and int(hour) < STAY_H and value > 0:
                values.setdefault((int(hour), column), []).append(value)
    except (TypeError, ValueError, csv.Error) as error:
        raise ConfigError(f"{name}: not a chart of {HEADER}") from error
    table = np.full((STAY_H, 7), np.nan, np.float32)
    for at, seen in values.items():
        table[at] = np.median(seen)
    return table


def _windows(signs: Array) -> Array:
    """[48, 24, 5]: each hour's day, newest first."""
    back = np.arange(STAY_H)[:, None] - np.arange(HOURS)
    return np.where((back >= 0)[:, :, None], signs[np.maximum(back, 0)], np.nan)


def _held(values: Array, hours: int) -> Array:
    """The newest value of the last hours; NaN where there is none."""
    row = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isfinite(values), row, -1))
    return np.where((last >= 0) & (row - last <= hours), values[last], np.nan)


def _oxygen(fio2: Array) -> Array:
    return np.where(_held(np.where(fio2 > 0.21, fio2, np.nan), 6) > 0, 1.0, np.nan)


# ------------------------------------------------------------------ streams

COLUMNS = {"HR": Sign.HR, "PULSE": Sign.PULSE, "RESP": Sign.RR, "SpO2": Sign.SPO2}
WARM_UP_S = 120.0


def streams(folder: Path) -> dict[str, Any] | None:
    """How often the anomaly speaks on BIDMC's 8-minute streams; None where there are none."""
    runs = [_watched(path) for path in sorted(folder.rglob("*_Numerics.csv"))]
    if not runs:
        return None
    seconds = sum(run[0] for run in runs)
    return {
        "data": "BIDMC numerics at 1 Hz",
        "recordings": len(runs),
        "hours": round(seconds / 3600, 2),
        "warm_up_s": WARM_UP_S,
        "anomalies": sum(run[1] for run in runs),
        "anomalous_percent": round(100 * sum(run[2] for run in runs) / max(seconds, 1), 2),
        "heart_rate_and_pulse_differ_percent": round(
            100 * float(np.mean([run[3] for run in runs])), 2
        ),
    }


def _watched(path: Path) -> tuple[int, int, int, float]:
    """Seconds judged, anomalies that lasted, seconds in one, share with HR ≠ pulse."""
    table, signs = _numerics(path)
    board = SignBoard(1, SignRules(), ExtremeRules())
    baseline = BaselineBoard(1, BaselineRules(warm_up_s=WARM_UP_S))
    rules, due = AdvisoryRules(), np.full(1, 3600.0)
    judged = told = inside = above_s = 0
    for second, row in enumerate(table):
        now = float(second)
        board.update(readings([(0, s, v, now) for s, v in zip(signs, row, strict=True)]))
        away, _ = distance(baseline.follow(board.read(now, due), now))
        judged += int(np.isfinite(away[0]))
        above_s = above_s + 1 if away[0] >= rules.anomaly_above else 0
        told += above_s == int(rules.anomaly_persist_s)
        inside += above_s >= int(rules.anomaly_persist_s)
    differ = np.abs(table[:, signs.index(Sign.HR)] - table[:, signs.index(Sign.PULSE)]) > 15
    return judged, told, inside, float(differ.mean())


def _numerics(path: Path) -> tuple[Array, list[Sign]]:
    try:
        lines = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
        names = [name.strip() for name in lines[0]]
        wanted = {name: names.index(name) for name in COLUMNS}
        rows = [[_number(row[i]) for i in wanted.values()] for row in lines[1:]]
    except (OSError, UnicodeDecodeError, IndexError, ValueError) as error:
        raise ConfigError(f"{path}: not numerics of {', '.join(COLUMNS)}") from error
    if not rows:
        raise ConfigError(f"{path}: holds no seconds")
    return np.array(rows).reshape(-1, len(wanted)), [COLUMNS[name] for name in wanted]


def _number(text: str) -> float:
    return float(text) if text.strip() not in ("", "-") else float("nan")
