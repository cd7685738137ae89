"""Queues: who waits, how long until the till, who gave up, and when staff is called.

Waits are measured person by person; Little's law (mean length = arrivals per second × mean
wait) gives the same mean without following anybody, and says when tracks have gone wrong.
"""

from dataclasses import dataclass, field

from apps.retail_analytics.config import QueueRules
from apps.retail_analytics.domain import StaffCall, Wait
from apps.retail_analytics.staying import ZoneState

TO_THE_TILL_S = 5.0  # from leaving the queue's zone to being at the till, at most


@dataclass(frozen=True)
class QueueState:
    """One queue."""

    waiting: dict[int, float] = field(default_factory=dict)
    """Track → when it joined, monotonic s."""
    leaving: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Track → when it joined and when it left the zone: on its way to the till, or gone."""
    called: bool = False
    since: float | None = None
    """Since when the length asks for the other state of the call."""


@dataclass(frozen=True)
class QueueStep:
    """What one view added."""

    waits: tuple[Wait, ...] = ()
    calls: tuple[StaffCall, ...] = ()
    joined: int = 0


def follow_queue(
    name: str,
    state: QueueState,
    queue: ZoneState,
    till: ZoneState,
    now: float,
    rules: QueueRules,
) -> tuple[QueueState, QueueStep]:
    """One view at one queue and its till."""
    waiting, leaving = dict(state.waiting), dict(state.leaving)
    joined = _join(waiting, leaving, queue, till, rules)
    waits = [*_served(name, waiting, leaving, till), *_given_up(name, leaving, now)]
    for track in [track for track in waiting if track not in queue.stays]:
        leaving[track] = (waiting.pop(track), now)
    called, since, call = _call(name, state, len(waiting), now, rules)
    after = QueueState(waiting, leaving, called, since)
    return after, QueueStep(tuple(waits), (call,) if call else (), joined)


def _join(
    waiting: dict[int, float],
    leaving: dict[int, tuple[float, float]],
    queue: ZoneState,
    till: ZoneState,
    rules: QueueRules,
) -> int:
    """Add who has stood in the zone for `join_s`; who comes back had never left."""
    joined = 0
    for track, stay in queue.stays.items():
        if track in waiting or track in till.present:
            continue
        if track in leaving:
            waiting[track] = leaving.pop(track)[0]
        elif stay.entered_for_good and stay.inside - stay.entered >= rules.join_s:
            waiting[track] = stay.entered
            joined += 1
    return joined


def _served(
    name: str,
    waiting: dict[int, float],
    leaving: dict[int, tuple[float, float]],
    till: ZoneState,
) -> list[Wait]:
    waits = []
    for track in till.present:
        at_till = till.stays[track].entered
        if track in waiting:
            joined = waiting.pop(track)
        elif track in leaving:
            joined = leaving.pop(track)[0]
        else:
            continue
        waits.append(Wait(name, track, joined, max(joined, at_till), served=True))
    return waits


def _given_up(name: str, leaving: dict[int, tuple[float, float]], now: float) -> list[Wait]:
    gone = [track for track, (_, left) in leaving.items() if now - left > TO_THE_TILL_S]
    return [Wait(name, track, *leaving.pop(track), served=False) for track in gone]


def _call(
    name: str, state: QueueState, length: int, now: float, rules: QueueRules
) -> tuple[bool, float | None, StaffCall | None]:
    """Whether staff is called, since when the length says otherwise, and what to tell."""
    other = length <= rules.clear_length if state.called else length >= rules.call_length
    if not other:
        return state.called, None, None
    since = now if state.since is None else state.since
    wait = rules.clear_s if state.called else rules.call_s
    if now - since < wait:
        return state.called, since, None
    return not state.called, None, StaffCall(name, wanted=not state.called)


def little_wait_s(mean_length: float, arrivals: int, seconds: float) -> float | None:
    """Mean wait by Little's law; None when nobody came or no time passed."""
    if arrivals <= 0 or seconds <= 0:
        return None
    return mean_length * seconds / arrivals
