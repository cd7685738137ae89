"""When a person has crossed a line: both sides for sure, and the finite line between.

A side is sure once a track was seen there `settled_views` times beyond the dead band. The
way from the last sure place on one side to the first beyond the band on the other must meet
the line itself. The first crossing in each direction counts at once; the same person counts
again only after having been well clear of the line (`rearm_m`), so who lingers on it is one
crossing and not ten, and the counts still say on which side everybody is.
"""

import itertools
from dataclasses import dataclass, replace

from apps.retail_analytics.config import Counting
from apps.retail_analytics.domain import IN, OUT, Crossing, Point, Track
from apps.retail_analytics.geometry import Line

Step = tuple[Point, float]
"""Where, and when (monotonic s)."""
LONGEST_WAY = 40


@dataclass(frozen=True, slots=True)
class Passage:
    """One track at one line."""

    side: int = 0
    """The side it is surely on: −1, +1; 0 is not known yet."""
    views: int = 0
    """Views beyond the band on that side."""
    way: tuple[Step, ...] = ()
    """From the last place beyond the band to now."""
    met: float | None = None
    """When it went through the finite line, and is not counted for it yet."""
    directions: frozenset[str] = frozenset()
    """Counted since it was last clear of the line."""
    seen: float = 0.0


LineState = dict[int, Passage]


def follow_line(
    line: Line, state: LineState, tracks: list[Track], now: float, rules: Counting
) -> tuple[LineState, list[Crossing]]:
    """One view at one line."""
    after, crossings = dict(state), []
    for track in tracks:
        if not track.detected:  # where somebody is only expected proves nothing
            continue
        away = line.distance(track.spot) / track.metre
        passage = _moved(line, state.get(track.id, Passage()), track.spot, away, (now, rules))
        direction = IN if passage.side > 0 else OUT
        clear = abs(away) >= rules.rearm_m
        if passage.met is None:
            after[track.id] = replace(passage, directions=frozenset()) if clear else passage
        elif track.confirmed and (clear or direction not in passage.directions):
            crossings.append(Crossing(line.name, direction, track.id, passage.met))
            counted = passage.directions | {direction}
            after[track.id] = replace(passage, met=None, directions=counted)
        else:
            after[track.id] = passage
    return after, crossings


def forget_lines(state: LineState, now: float, longest_s: float) -> LineState:
    """Without the tracks that were not seen for `longest_s`."""
    if all(now - passage.seen <= longest_s for passage in state.values()):
        return state
    return {i: passage for i, passage in state.items() if now - passage.seen <= longest_s}


def _moved(
    line: Line, passage: Passage, spot: Point, away: float, at: tuple[float, Counting]
) -> Passage:
    """The passage after one more sighting, `away` m from the line."""
    now, rules = at
    way = (*passage.way, (spot, now))
    if not abs(away) > rules.dead_band_m:
        return replace(passage, way=_shortened(way), seen=now)
    side, here = (1 if away > 0 else -1), ((spot, now),)
    if side == passage.side:
        return replace(passage, views=passage.views + 1, way=here, seen=now)
    if not passage.side or passage.views < rules.settled_views:
        return Passage(side, 1, here, None, passage.directions, now)
    met = _met(line, way)
    if met is not None and passage.met is not None:  # there and back again: not counted, both
        met = None
    elif met is None:
        met = passage.met
    return Passage(side, rules.settled_views, here, met, passage.directions, now)


def _met(line: Line, way: tuple[Step, ...]) -> float | None:
    """When a way over the infinite line went through the finite one; None: around it."""
    times = []
    for (here, before), (there, after) in itertools.pairwise(way):
        if line.crossed(here, there):
            one, other = abs(line.distance(here)), abs(line.distance(there))
            times.append(before + (after - before) * one / max(one + other, 1e-9))
    return times[-1] if len(times) % 2 else None


def _shortened(way: tuple[Step, ...]) -> tuple[Step, ...]:
    """Who stands on the line for an hour needs no more memory."""
    return way if len(way) <= LONGEST_WAY else (way[0], *way[2:])
