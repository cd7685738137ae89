"""Which alarms are active: the shop's condition, read off as alarms.toml names it.

Pure, like `decide`: a table that an engineer can check against alarms.toml. No detail of an
alarm tells a count of people; it tells the limit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from apps.retail_analytics.config import APP, QueueRules
from common.alarms.definition import AlarmDefinition, at_place, load_definitions
from common.alarms.diagnostics import well

EACH = ("queue_long", "camera_away", "camera_blind", "camera_moved", "camera_slow")
"""Alarms that every camera has for itself: `camera_away.door`."""
STATES = {
    "gone": "camera_away",
    "dark": "camera_blind",
    "blocked": "camera_blind",
    "frozen": "camera_blind",
    "moved": "camera_moved",
    "size": "camera_moved",
    "slow": "camera_slow",
}
"""First word of why a view is unusable → the alarm of it."""
GOOD = "good"


@dataclass(frozen=True, slots=True)
class CameraCondition:
    """One camera as the alarms see it."""

    reason: str = ""
    """Why its view is unusable; empty while it is good."""
    called: tuple[str, ...] = ()
    """Its queues that staff is called to."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the loop knows; texts are empty when all is well."""

    cameras: Mapping[str, CameraCondition]
    over_limit: int = 0
    """The limit, while more are inside; else 0."""
    model: str = ""
    dropped: str = ""
    """How many pictures were given up, where that is too many."""
    refused: str = ""
    """Why an interval could not be published."""
    clock: str = ""
    diagnostics: Mapping[str, str] = field(default_factory=well)
    """What the station tells of itself."""
    closed: bool = False
    """Outside opening hours: darkness is what is expected."""


def definitions(cameras: Iterable[str]) -> dict[str, AlarmDefinition]:
    """All alarms of this shop; raises ConfigError."""
    found: dict[str, AlarmDefinition] = {}
    names = tuple(cameras)
    for name, definition in load_definitions(APP / "alarms.toml").items():
        if name not in EACH:
            found[name] = definition
            continue
        for camera in names:
            alarm_id = f"{name}.{camera}"
            found[alarm_id] = at_place(definition, alarm_id, camera)
    return found


def active_alarms(now: Condition, queue: QueueRules) -> dict[str, str]:
    """Alarm id → detail of every alarm; an empty detail is "not active"."""
    found = {
        "occupancy_limit": f"more than {now.over_limit} inside" if now.over_limit else "",
        "inference_failed": now.model,
        "overload": now.dropped,
        "intervals_refused": now.refused,
        "clock_stepped": now.clock,
        **now.diagnostics,
    }
    for name, camera in now.cameras.items():
        for alarm, detail in _of_camera(camera, queue, now.closed).items():
            found[f"{alarm}.{name}"] = detail
    return found


def state_of(reason: str) -> str:
    """One word for a view: good, dark, blocked, frozen, moved, size, slow, gone or model."""
    return reason.partition(":")[0] if reason else GOOD


def _of_camera(camera: CameraCondition, queue: QueueRules, closed: bool) -> dict[str, str]:
    found = dict.fromkeys(EACH, "")
    state = state_of(camera.reason)
    alarm = STATES.get(state)
    if alarm is not None and not (closed and state == "dark"):
        found[alarm] = camera.reason
    if camera.called:
        where = ", ".join(camera.called)
        found["queue_long"] = f"{where}: {queue.call_length} or more for {queue.call_s:g} s"
    return found
