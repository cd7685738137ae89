"""Which alarm of a group came first: where an operator looks for the cause.

One failure sets off many alarms. Those that follow the first of their group within its
window are told of it; after the window the next one is a first again.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class First:
    """The first alarm of a group, and when it came (monotonic s)."""

    alarm_id: str
    at: float


def first_of(first: First | None, alarm_id: str, now: float, window_s: float) -> First:
    """The first of the group after `alarm_id` came now."""
    if first is None or now - first.at > window_s:
        return First(alarm_id, now)
    return first
