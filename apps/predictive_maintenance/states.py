"""What the machine is doing: stopped, ramping, or steady in a bin of speed and load.

A healthy machine sounds different at every speed and load, so each bin has a baseline of
its own, and while the speed changes nothing is judged at all.
"""

import math

from apps.predictive_maintenance.config import StateRules
from apps.predictive_maintenance.domain import Motion, OperatingState, Window

ANY = "any"


def state_of(window: Window, before: Window | None, rules: StateRules) -> OperatingState:
    """The state of `window`; `before` is the same machine's last window, if there is one."""
    rpm = window.rpm
    if rpm is not None and abs(rpm) < rules.stopped_rpm:
        return OperatingState(Motion.STOPPED, Motion.STOPPED.value)
    if rpm is None and _rms(window) < rules.stopped_rms_m_s2:
        return OperatingState(Motion.STOPPED, Motion.STOPPED.value)
    if rpm is not None and _speed_change(window, rpm, before, rules) > rules.ramp_share:
        return OperatingState(Motion.RAMPING, Motion.RAMPING.value)
    return OperatingState(Motion.STEADY, state_key(rpm, window.load, rules))


def denied(window: Window, running_m_s2: float) -> str:
    """Why a window is not of a machine that stands, though its speed says so.

    `running_m_s2` is the least RMS that the machine is known to run with. Empty: it may stand.
    """
    if window.rpm is None or _rms(window) < running_m_s2:
        return ""
    return "its speed says that it stands, its vibration that it runs"


def state_key(rpm: float | None, load: float | None, rules: StateRules) -> str:
    """The name of the bin that a speed and a load fall into."""
    parts = []
    if rpm is not None:
        parts.append(f"{_speed(rpm, rules):.0f} r/min")
    if load is not None:
        parts.append(f"load {_load(load, rules):.0%}")
    return ", ".join(parts) or ANY


def _speed(rpm: float, rules: StateRules) -> float:
    """Centre of the speed bin; bins are equal in proportion."""
    width = math.log1p(rules.speed_bin)
    return math.exp((math.floor(math.log(abs(rpm)) / width) + 0.5) * width)


def _load(load: float, rules: StateRules) -> float:
    return (math.floor(load / rules.load_bin) + 0.5) * rules.load_bin


def _speed_change(
    window: Window, rpm: float, before: Window | None, rules: StateRules
) -> float:
    """Share by which the speed moved during the window or since one just before it."""
    change = abs(window.rpm_change or 0.0)
    recent = before is not None and window.at_s - before.at_s <= rules.ramp_memory_s
    if recent and before is not None and before.rpm is not None:
        change = max(change, abs(rpm - before.rpm))
    return change / abs(rpm)


def _rms(window: Window) -> float:
    samples = window.acceleration
    return float(samples.std(axis=1).max()) if samples.size else 0.0
