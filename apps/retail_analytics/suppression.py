"""Nothing is said of few people: what may be published of a count, and what may not.

A cell is a count of distinct people in one interval. It is published when it is 0 or at
least k; a smaller one waits and is added to the next, for at most `merge_up_to_min` and
never over the border of that time, and what is still too small then is never told. So
published windows never overlap and no published number is the sum of a smaller one and
something known. Sums over several cells (all doors, a day) are sums of what is published: no
true total is ever told, so there is nothing to subtract told parts from.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """What one cell's small counts wait for."""

    people: int = 0
    events: int = 0
    since: float | None = None
    """Start of the first interval that waits (UTC, s); None: nothing waits."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is published of one cell for one interval."""

    count: int | None
    """None: suppressed, which is not 0."""
    since: float
    """Start of the window that `count` is of: earlier than the interval's where merged."""


def released(
    held: Held,
    counted: tuple[int, int],
    window: tuple[float, float],
    k: int,
    longest_s: float,
) -> tuple[Held, Release]:
    """One interval's (people, events) of one cell, through suppression, in order of time.

    `window` is its start and end (UTC, s), `longest_s` the longest merged window (0: none).
    Judged by people, told are events: who crosses ten times is still one person.
    """
    start, end = window
    if held.since is not None and held.since // longest_s != start // longest_s:
        held = Held()  # intervals are missing between: the border was passed in them
    people, events = held.people + counted[0], held.events + counted[1]
    since = start if held.since is None else held.since
    if people == 0 and held.since is None:
        return Held(), Release(0, start)
    if people >= k:
        return Held(), Release(events, since)
    over = not longest_s or end % longest_s == 0
    return Held() if over else Held(people, events, since), Release(None, start)


def spoiled(held: Held, end: float, longest_s: float) -> Held:
    """After an interval of which nothing is known: what waited stays untold."""
    return Held() if held.since is None or not longest_s or end % longest_s == 0 else held


def known_sum(counts: Sequence[int | None]) -> tuple[int, int]:
    """(sum of what is published, how many cells are not): a total that tells nothing new."""
    return sum(c for c in counts if c is not None), sum(c is None for c in counts)
