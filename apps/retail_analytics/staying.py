"""How long people stay in a zone: short gaps are bridged, brushing past is no visit."""

from dataclasses import dataclass, field

from apps.retail_analytics.config import Counting
from apps.retail_analytics.domain import Track, Visit
from apps.retail_analytics.geometry import Zone


@dataclass(frozen=True, slots=True)
class Stay:
    """One track in one zone."""

    entered: float
    inside: float
    """When it was last seen inside, monotonic s."""
    entered_for_good: bool = False
    """Inside for `enter_s`."""


@dataclass(frozen=True)
class ZoneState:
    """Who is in one zone."""

    stays: dict[int, Stay] = field(default_factory=dict)

    @property
    def present(self) -> frozenset[int]:
        """The tracks that have entered and not left; a bridged gap is inside."""
        return frozenset(i for i, stay in self.stays.items() if stay.entered_for_good)


def follow_zone(
    zone: Zone, state: ZoneState, tracks: list[Track], now: float, rules: Counting
) -> tuple[ZoneState, list[Visit]]:
    """One view at one zone; a visit is told when it has ended."""
    stays = dict(state.stays)
    for track in tracks:
        if track.confirmed and track.detected and zone.holds(track.spot):
            before = stays.get(track.id)
            entered = before.entered if before else now
            long = now - entered >= rules.enter_s
            for_good = long or (before is not None and before.entered_for_good)
            stays[track.id] = Stay(entered, now, for_good)
    return _leave(zone.name, stays, now, rules)


def _leave(
    name: str, stays: dict[int, Stay], now: float, rules: Counting
) -> tuple[ZoneState, list[Visit]]:
    """End the stays of who was not seen inside for the gap that is bridged."""
    visits = []
    for track, stay in list(stays.items()):
        limit = rules.gap_s if stay.entered_for_good else min(rules.gap_s, rules.enter_s)
        if now - stay.inside > limit:
            del stays[track]
            if stay.entered_for_good and stay.inside - stay.entered >= rules.bounce_s:
                visits.append(Visit(name, track, stay.entered, stay.inside))
    return ZoneState(stays), visits
