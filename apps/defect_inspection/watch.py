"""Which alarms are active: the station's condition, read off as alarms.toml names it.

Pure, like `decide`: a table that a process engineer can check against alarms.toml.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.defect_inspection.decide import LineState
from common.alarms.diagnostics import well
from common.ports import PlcView

REJECT_BIN = 0b0011  # PLC's REJECT_FAULT: bin full, air low
CONFIRM_MISSING = 0b0100
TRACK_LOST = 0b1000


@dataclass(frozen=True)
class Condition:
    """What the loop knows of its surroundings; texts are empty when all is well."""

    line: LineState
    plc: PlcView | None = None
    failures: dict[str, str] = field(default_factory=dict)
    """Stage or device → cause, as long as it lasts: plc, camera, inference."""
    bad_pictures: str = ""
    late: str = ""
    unknown_recipe: str = ""
    refused_ids: str = ""
    stale_triggers: str = ""
    diagnostics: Mapping[str, str] = field(default_factory=well)
    """What the station tells of itself."""


def active_alarms(now: Condition) -> dict[str, str]:
    """Alarm id → detail for every alarm of alarms.toml; an empty detail is "not active"."""
    plc, challenge = now.plc, now.line.challenge
    faults = plc.reject_faults if plc else 0
    still = plc is not None and plc.heartbeat_lost and "plc" not in now.failures
    return {
        "plc_unreachable": now.failures.get("plc", ""),
        "plc_heartbeat_lost": "its heartbeat does not change" if still else "",
        "recipe_unknown": now.unknown_recipe,
        "confirm_missing": "the confirm eye saw nothing" if faults & CONFIRM_MISSING else "",
        "track_lost": "the PLC does not know where parts are" if faults & TRACK_LOST else "",
        "part_ids_refused": now.refused_ids,
        "triggers_stale": now.stale_triggers,
        "line_stopped": now.line.line_stop,
        "challenge_failed": _failed(challenge.passed) if challenge else "",
        "camera_failed": now.failures.get("camera", ""),
        "inference_failed": now.failures.get("inference", ""),
        "bad_pictures": now.bad_pictures,
        "reject_bin": "bin full" * (faults & 1) or "air low" * bool(faults & REJECT_BIN),
        "late_verdicts": now.late,
        **now.diagnostics,
    }


def _failed(passed: frozenset[int]) -> str:
    return f"passed: part {', '.join(str(p) for p in sorted(passed))}" if passed else ""
