"""How long a shelving lasts: never beyond its limit, whatever happens to the clocks.

While the machine runs, monotonic time decides, and when the wall clock is set the time of
day that people read moves with it. A reboot ends monotonic time. Then the wall clock must
do, and it is believed only against the operator: a shelving ends as soon as it says so,
and at once where it stands before a time already recorded.
"""

from dataclasses import dataclass, replace

from common.alarms.definition import AlarmDefinition
from common.alarms.engine import Hiding, State

CLOCK_SET_S = 1.0
"""A smaller step of the wall clock is not followed; a reboot takes it off what is left."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by all clocks."""

    wall: float
    """UTC, s."""
    monotonic: float
    boot: str = ""
    """The boot of the machine within which monotonic times compare."""


@dataclass(frozen=True, slots=True)
class Shelving:
    """What an operator asks for."""

    seconds: float
    reason: str
    one_shot: bool = False
    """End also when the process returns to normal."""


def why_not(definition: AlarmDefinition, wanted: Shelving) -> str:
    """Why this alarm is not shelved like that; empty when it may be."""
    most = definition.shelve_max_s
    if not most:
        return "this alarm must not be shelved"
    if not 0 < wanted.seconds <= most:  # also refuses NaN
        return f"it may be shelved for at most {most:g} s; {wanted.seconds:g} s were asked for"
    return ""


def begun(wanted: Shelving, by: str, now: Moment) -> Hiding:
    """The shelving that begins now."""
    return Hiding(
        State.SHELVED, by, wanted.reason, now.wall,
        until=now.wall + wanted.seconds,
        deadline=now.monotonic + wanted.seconds,
        one_shot=wanted.one_shot,
    )  # fmt: skip


def restarted(shelved: Hiding, boot: str, now: Moment, last_wall: float) -> Hiding:
    """The shelving after a restart of the station; what is over ends with the next tick.

    It was stored in `boot`; `last_wall` is the latest wall time that is on record.
    """
    if boot and boot == now.boot:
        return shelved
    until = now.wall if shelved.until is None else shelved.until
    left = until - now.wall - CLOCK_SET_S if now.wall >= last_wall else 0.0
    return replace(shelved, deadline=now.monotonic + max(left, 0.0), carried=True)


def by_the_wall(shelved: Hiding, now: Moment) -> Hiding:
    """The shelving as the wall clock now has it; the very same where that agrees."""
    if shelved.until is None or shelved.deadline is None:
        return shelved
    if shelved.carried:
        over = now.wall >= shelved.until and now.monotonic < shelved.deadline
        return replace(shelved, deadline=now.monotonic) if over else shelved
    until = now.wall + shelved.deadline - now.monotonic
    if abs(until - shelved.until) <= CLOCK_SET_S:
        return shelved
    return replace(shelved, since=shelved.since + until - shelved.until, until=until)
