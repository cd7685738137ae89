"""When a person has crossed a line: both sides for sure, and the finite line between.

A side is sure once a track was seen there `settled_views` times beyond the dead band. The
way from the last sure place on one side to the first beyond the band on the other must meet
the line itself. The band is as wide as the dead band and, where the feet are not seen, as
they may be off besides: nobody has crossed by feet that nobody saw. The first crossing in
each direction counts at once; the same person counts again only after having been well clear
of the line (`rearm_m`), so who lingers on it is one crossing and not ten, and the counts
still say on which side everybody is.
"""

from dataclasses import dataclass, replace

from apps.retail_analytics.config import Counting
from apps.retail_analytics.domain import IN, OUT, Crossing, Point, Track
from apps.retail_analytics.geometry import Line

UNSEEN = 1.0  # s.d. of feet that are not seen, by which the band is wider


@dataclass(frozen=True, slots=True)
class Way:
    """From the last place beyond the band to now."""

    spot: Point
    time: float
    """Where and when (monotonic s) it has come to."""
    through: bool = False
    """It has met the finite line, an odd number of times."""
    lead: float = 0.0
    """How far on the old side, summed over time; less where it was on the other."""
    most: float = -1.0
    """The greatest lead at which it went over the line ..."""
    moment: float = 0.0
    """... and when: before it rather on the old side, since then rather on the new one."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One track at one line."""

    side: int = 0
    """The side it is surely on: −1, +1; 0 is not known yet."""
    views: int = 0
    """Views beyond the band on that side."""
    way: Way | None = None
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
        band = rules.dead_band_m + UNSEEN * line.width(track.unsure) / track.metre
        was = state.get(track.id, Passage())
        at = (now, rules.settled_views)
        passage = _moved(line, was, track.spot, (away, band), at)
        direction = IN if passage.side > 0 else OUT
        clear = abs(away) >= rules.rearm_m
        if passage.met is None:
            over = clear and passage.directions
            after[track.id] = replace(passage, directions=frozenset()) if over else passage
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
    line: Line, passage: Passage, spot: Point, away: tuple[float, float], at: tuple[float, int]
) -> Passage:
    """The passage after one more sighting, so many m away from a line with such a band."""
    (apart, band), (now, settled) = away, at
    side, beyond, here = 1 if apart > 0 else -1, abs(apart) > band, Way(spot, now)
    if beyond and side == passage.side:  # nearly always
        views = passage.views + 1
        return Passage(side, views, here, passage.met, passage.directions, now)
    way = _on(line, passage, spot, now)
    if not beyond:
        return replace(passage, way=way, seen=now)
    if not passage.side or passage.views < settled:
        return Passage(side, 1, here, None, passage.directions, now)
    met = way.moment if way.through else None
    if met is not None and passage.met is not None:  # there and back again: not counted, both
        met = None
    elif met is None:
        met = passage.met
    return Passage(side, settled, here, met, passage.directions, now)


def _on(line: Line, passage: Passage, spot: Point, now: float) -> Way:
    """The way, one step longer."""
    way = passage.way
    if way is None:
        return Way(spot, now)
    before, after = line.distance(way.spot), line.distance(spot)
    step = now - way.time
    lead = way.lead + passage.side * (before + after) / 2 * step
    on = replace(way, spot=spot, time=now, lead=lead)
    if not line.crossed(way.spot, spot):
        return on
    moment = way.time + step * abs(before) / max(abs(before) + abs(after), 1e-9)
    on = replace(on, through=not way.through)
    return replace(on, most=way.lead, moment=moment) if way.lead > way.most else on
