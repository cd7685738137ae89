"""A ward's document as its gateway says it, with patients of nobody."""

import time
from typing import Any

from common import records
from common.records import Record

PARTS = (
    "RESPIRATION", "SPO2", "OXYGEN", "SYSTOLIC", "PULSE", "CONSCIOUSNESS", "TEMPERATURE",
)  # fmt: skip
VALUES = {
    "HR": 78.0, "SPO2": 97.0, "RR": 16.0, "SBP": 124.0, "DBP": 76.0, "TEMP": 36.8,
    "OXYGEN": 0.0, "ACVPU": 0.0, "PI": 4.2,
}  # fmt: skip


def bed(name: str, **changes: Any) -> dict[str, Any]:
    """An occupied bed with a complete score of 0; `score` and `signs` are merged."""
    number = int(name)
    word: dict[str, Any] = {
        "bed": name, "row": number - 1, "patient": f"p{number:04}", "initials": "AB",
        "age": 71, "scale2": False, "pregnant": False, "refusal": "",
        "admitted_at": time.time() - 86_400, "risk": "ROUTINE", "priority": "NONE",
        "observe": "every 12 h", "due_s": 43_200.0, "due_in_s": 7_260.0, "oldest_s": 8_100.0,
        "oldest": "TEMP", "invalid_since": None, "extreme": [], "technical": [],
        "technical_flags": [], "model_risk": 0.012, "advised_model": False,
        "advised_anomaly": False, "anomaly": 0.8, "reasons": [], "alarms": [], "owner": "",
        "paused_until": None,
        "score": {
            "parts": dict.fromkeys(PARTS, 0), "missing": [], "at_least": 0, "complete": True,
            "red": [], "trend": 0, "history": [0, 1, None, 0],
        },
        "signs": {
            sign: {"value": value, "age_s": 4.0, "flags": []} for sign, value in VALUES.items()
        },
    }  # fmt: skip
    for key, value in changes.items():
        merges = isinstance(value, dict) and isinstance(word[key], dict)
        word[key] = word[key] | value if merges else value
    return word


def empty(name: str) -> dict[str, Any]:
    """A bed in which nobody lies."""
    return bed(name) | {"patient": None, "initials": "", "score": None, "signs": {}}


def bed_alarm(name: str, kind: str = "bed_risk", **changes: Any) -> dict[str, Any]:
    """An alarm as the bed's tile has it."""
    now = time.time()
    return {
        "id": f"{kind}/{name}", "state": "UNACK", "priority": "MEDIUM", "text": "NEWS2",
        "detail": "", "since": now - 45, "active_since": now - 45, "respond_by": now + 135,
        "owner": "", "ack_user": "", "ack_time": None, "revision": 3,
    } | changes  # fmt: skip


def ward(*beds: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a ward's document has beside that of every station."""
    return {
        "app": "patient_monitoring",
        "not_a_device": "Reference software for simulation and research.",
        "model": {
            "name": "deterioration", "version": "1.0.0", "artefact": "onnxruntime/fp32",
            "device": "CPU", "reason": "",
        },
        "ward": {
            "name": "ward-7", "unit": "W7", "beds": len(beds),
            "occupied": sum(bool(one["patient"]) for one in beds), "fault": "",
        },
        "beds": list(beds), "refused": {}, "refusals": [], "sources": [], "counts": {},
    } | changes  # fmt: skip


def sick(name: str = "3") -> dict[str, Any]:
    """A patient at 8 whose pressure and consciousness nobody has entered for long."""
    return bed(
        name,
        risk="HIGH", priority="HIGH", observe="continuously", due_s=1800.0, due_in_s=-600.0,
        oldest="SPO2", oldest_s=12.0, invalid_since=time.time() - 900,
        technical=["probe off"], model_risk=0.081, advised_model=True, anomaly=6.1,
        advised_anomaly=True,
        reasons=[
            {"text": "x", "factor": 1.9, "feature": "rr_mean_6h", "value": 27.0},
            {"text": "x", "factor": 1.4, "feature": "hr_change", "value": 14.2},
            {"text": "a text of a newer gateway", "factor": 1.2},
        ],
        alarms=[bed_alarm(name, priority="HIGH", respond_by=time.time() - 30)],
        score={
            "parts": {"RESPIRATION": 3, "SPO2": 3, "OXYGEN": 2, "SYSTOLIC": None,
                      "PULSE": 0, "CONSCIOUSNESS": None, "TEMPERATURE": 0},
            "missing": ["SYSTOLIC", "CONSCIOUSNESS"], "at_least": 8, "complete": False,
            "red": ["RESPIRATION", "SPO2"], "trend": 1, "history": [1, 2, 4, 5, 8],
        },
        signs={
            "RR": {"value": 27.0, "age_s": 3.0, "flags": []},
            "SPO2": {"value": 90.0, "age_s": 12.0, "flags": ["LOW_SIGNAL"]},
            "SBP": {"value": None, "age_s": 9_000.0, "flags": ["STALE"]},
            "OXYGEN": {"value": 1.0, "age_s": 1_700.0, "flags": []},
        },
    )  # fmt: skip


def write_records(station: Any, minutes: int = 30) -> None:
    """Minutes of the ward and what happened, as its gateway records them."""
    now = time.time()

    def write(connection: Any) -> None:
        for back in range(minutes, 0, -1):
            body = {
                "at": now - 60 * back, "beds": [0, 2], "patients": ["p0001", "p0003"],
                "HR": [78.0, 80.0 + back % 7], "SPO2": [97.0, None], "RR": [16.0, 27.0],
                "SBP": [124.0, None], "DBP": [76.0, None], "TEMP": [36.8, 37.2],
                "PULSE": [None, 81.0], "at_least": [0, 8 if back < 10 else 4],
                "complete": [True, False], "model_risk": [0.01, None],
            }  # fmt: skip
            _add(connection, "signs", "ward", now - 60 * back, body)
        alert = {
            "kind": "risk", "was": 1, "now": 4, "bed": "3", "patient": "p0003",
            "risk": "HIGH", "priority": "HIGH", "extreme": [], "technical": [],
            "score": {"at_least": 8, "complete": False},
        }  # fmt: skip
        _add(connection, "alert", "a-1", now - 540, alert)
        entry = {"bed": "3", "patient": "p0003", "values": {"ACVPU": "A", "SBP": 118.0},
                 "by": "anna/operator"}  # fmt: skip
        _add(connection, "entry", "3", now - 480, entry)
        other = {**entry, "patient": "p9999", "values": {"SBP": 71.0}}
        _add(connection, "entry", "3", now - 470, other)
        move = {"action": "admit", "bed": "3", "patient": "p0003", "by": "hl7/system"}
        _add(connection, "move", "3", now - 9_000, move)

    station._write(write)


def _add(connection: Any, kind: str, subject: str, wall: float, body: dict[str, Any]) -> None:
    records.add(connection, Record(kind, subject, wall, wall, "boot", body))
