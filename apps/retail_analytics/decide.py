"""From what a camera sees to crossings, stays, waits and calls: the rules, nothing else.

Pure: no clock, no device, no disk. A shop's analyst should be able to read this page and
correct it. Each rule has its own file: lines in `crossing.py`, zones in `staying.py`,
queues in `queueing.py`, the number inside in `occupancy.py`. A view that says nothing is
time not observed: nobody leaves, nobody arrives, and the interval will say so.
"""

from dataclasses import dataclass, field, replace

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Counting, QueueRules
from apps.retail_analytics.crossing import LineState, follow_line, forget_lines
from apps.retail_analytics.domain import (
    Crossing,
    Decision,
    Point,
    StaffCall,
    Track,
    View,
    Visit,
    Wait,
)
from apps.retail_analytics.geometry import Line, Zone
from apps.retail_analytics.queueing import QueueState, follow_queue
from apps.retail_analytics.staying import ZoneState, follow_zone
from common.pipeline import Fault
from common.quality import Quality

FORGET_S = 15.0  # after this long unseen a track is over, whatever the tracker says
JUMP_M_S = 12.0  # nobody walks this fast: another person has taken over the number


@dataclass(frozen=True)
class CameraState:
    """What the rules remember of one camera; nothing in it outlives its track."""

    last: float | None = None
    """When its last view was, monotonic s."""
    shown: float | None = None
    """When it showed the shop last; only what a short gap since then bridges is remembered."""
    lines: dict[str, LineState] = field(default_factory=dict)
    zones: dict[str, ZoneState] = field(default_factory=dict)
    queues: dict[str, QueueState] = field(default_factory=dict)
    seen: dict[int, tuple[Point, float]] = field(default_factory=dict)
    """Per track: where and when last."""
    aliases: dict[int, int] = field(default_factory=dict)
    """How often a number was taken over by somebody else."""


@dataclass(frozen=True)
class Scene:
    """What is drawn over one camera's picture, in the plane that it is counted in."""

    name: str
    lines: tuple[Line, ...] = ()
    zones: tuple[Zone, ...] = ()
    tills: dict[str, str] = field(default_factory=dict)
    """Queue's zone → its till's zone."""


def scene_of(camera: CameraSettings) -> Scene:
    """The scene that a camera's settings draw."""
    floor = camera.floor()
    lines = tuple(
        floor.line(line.name, *[(p[0], p[1]) for p in line.points]) for line in camera.line
    )
    zones = tuple(
        floor.zone(zone.name, [(p[0], p[1]) for p in zone.polygon]) for zone in camera.zone
    )
    tills = {zone.name: zone.till for zone in camera.zone if zone.queue}
    return Scene(camera.name, lines, zones, tills)


@dataclass(frozen=True)
class Rules:
    """decide(state, view) for one camera."""

    scene: Scene
    counting: Counting = field(default_factory=Counting)
    queue: QueueRules = field(default_factory=QueueRules)

    def __call__(
        self, state: CameraState, percept: View | Fault
    ) -> tuple[CameraState, Decision]:
        """What one view adds, and what is remembered for the next."""
        if isinstance(percept, Fault):
            last = state.last or 0.0
            reason = f"{percept.stage}: {percept.cause}"
            return state, Decision(self.scene.name, last, 0.0, usable=False, reason=reason)
        now = percept.monotonic
        if state.last is not None and now <= state.last:
            raise ValueError(f"{self.scene.name}: views must come in order of time")
        passed = 0.0 if state.last is None else now - state.last
        state = self._holding(state, now)
        if percept.quality is not Quality.GOOD:
            decision = Decision(
                self.scene.name, now, passed, usable=False, reason=percept.reason
            )
            return replace(state, last=now), decision
        return self._follow(state, percept, passed, passed <= self.counting.longest_gap_s)

    def _holding(self, state: CameraState, now: float) -> CameraState:
        """What still holds: ways, stays and waits across a long gap would be guesses.

        A call goes on standing. Whoever is there afterwards is counted as somebody new.
        """
        limit = min(self.counting.longest_gap_s, FORGET_S)
        if state.shown is None or now - state.shown <= limit:
            return state
        queues = {name: QueueState(called=q.called) for name, q in state.queues.items()}
        return CameraState(state.last, queues=queues)

    def _follow(
        self, state: CameraState, view: View, passed: float, observed: bool
    ) -> tuple[CameraState, Decision]:
        now = view.monotonic
        aliases = dict(state.aliases)
        tracks = _own_numbers(view.tracks, state.seen, aliases, now)
        lines, crossings = self._lines(state, tracks, now)
        zones, visits = self._zones(state, tracks, now)
        queues, waits, calls, joined = self._queues(state, zones, now)
        confirmed = [track for track in tracks if track.confirmed]
        seen = {track.id: (track.spot, now) for track in tracks}
        kept = {i: was for i, was in state.seen.items() if now - was[1] <= FORGET_S}
        decision = Decision(
            self.scene.name, now, passed, usable=observed,
            reason="" if observed else f"gap: no view for {passed:.1f} s",
            crossings=crossings, visits=visits, waits=waits, calls=calls,
            present={name: zone.present for name, zone in zones.items()}, joined=joined,
            spots=tuple((track.id, track.spot) for track in confirmed if track.detected),
        )  # fmt: skip
        known = {**kept, **seen}
        aliases = {number: a for number, a in aliases.items() if _mixed(number, a) in known}
        return CameraState(now, now, lines, zones, queues, known, aliases), decision

    def _lines(
        self, state: CameraState, tracks: list[Track], now: float
    ) -> tuple[dict[str, LineState], tuple[Crossing, ...]]:
        states, crossings = {}, []
        for line in self.scene.lines:
            old = state.lines.get(line.name, {})
            states[line.name], found = follow_line(line, old, tracks, now, self.counting)
            states[line.name] = forget_lines(states[line.name], now, FORGET_S)
            crossings += found
        return states, tuple(crossings)

    def _zones(
        self, state: CameraState, tracks: list[Track], now: float
    ) -> tuple[dict[str, ZoneState], tuple[Visit, ...]]:
        states, visits = {}, []
        for zone in self.scene.zones:
            old = state.zones.get(zone.name, ZoneState())
            states[zone.name], ended = follow_zone(zone, old, tracks, now, self.counting)
            visits += ended
        return states, tuple(visits)

    def _queues(
        self, state: CameraState, zones: dict[str, ZoneState], now: float
    ) -> tuple[dict[str, QueueState], tuple[Wait, ...], tuple[StaffCall, ...], dict[str, int]]:
        states: dict[str, QueueState] = {}
        waits: list[Wait] = []
        calls: list[StaffCall] = []
        joined: dict[str, int] = {}
        for name, till in self.scene.tills.items():
            old = state.queues.get(name, QueueState())
            states[name], step = follow_queue(
                name, old, zones[name], zones[till], now, self.queue
            )
            waits += step.waits
            calls += step.calls
            joined[name] = step.joined
        return states, tuple(waits), tuple(calls), joined


def _own_numbers(
    tracks: tuple[Track, ...],
    seen: dict[int, tuple[Point, float]],
    aliases: dict[int, int],
    now: float,
) -> list[Track]:
    """Tracks that may be counted: no −1, none twice, and a number reused is another person."""
    taken: dict[int, Track] = {}
    for track in tracks:
        if track.id < 0 or track.id in taken:
            continue
        number = _mixed(track.id, aliases.get(track.id, 0))
        was = seen.get(number)
        if was is not None and _jumped(track, was, now):
            aliases[track.id] = aliases.get(track.id, 0) + 1
            number = _mixed(track.id, aliases[track.id])
        taken[track.id] = replace(track, id=number) if number != track.id else track
    return list(taken.values())


def _mixed(number: int, alias: int) -> int:
    return number if not alias else number + (alias << 48)


def _jumped(track: Track, was: tuple[Point, float], now: float) -> bool:
    (x, y), then = was
    far = ((track.spot[0] - x) ** 2 + (track.spot[1] - y) ** 2) ** 0.5
    return bool(far > track.metre * (1.0 + JUMP_M_S * (now - then)))
