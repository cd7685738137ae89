"""What a station does beside its pictures: the day, the alarms, the snapshot, the statement."""

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from apps.retail_analytics import watch
from apps.retail_analytics.crowd import local_time
from apps.retail_analytics.snapshot import Snapshots
from apps.retail_analytics.statement import LANGUAGES, statement
from apps.retail_analytics.watch import CameraCondition, Condition
from common.alarms.diagnostics import HOST_THROTTLED, Diagnostics
from common.meta import put

if TYPE_CHECKING:
    from apps.retail_analytics.station import Station

PERIOD_S = 0.5
MINUTE_S = 60.0
MOST_LOST = 0.02  # share of pictures that may be given up unremarked
CLOCK_STEP_S = 1.5  # that the wall clock may move against the monotonic one unremarked
STATEMENT = "statement:"
"""Key of the privacy statement in the station's file, one for each language."""


class Upkeep:
    """Called once a turn; does what is due."""

    def __init__(self, station: "Station", snapshots: Snapshots) -> None:
        self._station, self._snapshots = station, snapshots
        self._diagnostics = Diagnostics(station.parts.store)
        self._due = float("-inf")
        self._looks: deque[tuple[float, int, int]] = deque()
        """Of the last minute: when, and pictures taken and dropped until then."""
        self._clock_before: tuple[float, float] | None = None
        self.state_anew()

    def __call__(self) -> None:
        """Do what is due."""
        station = self._station
        now, wall = station.parts.clock.monotonic(), station.parts.clock.wall()
        if now < self._due:
            return
        self._due = now + PERIOD_S
        self._follow_day(wall)
        self._keep_cool(now)
        self._set_alarms(self._stepped(now, wall))
        self._snapshots.take()

    def state_anew(self) -> None:
        """Keep the privacy statement where everybody can read it."""
        store = self._station.parts.store
        for language in LANGUAGES:
            words = statement(self._station.settings, language)
            document = {"text": words, "at": store.clock.wall()}
            store.submit(partial(put, key=STATEMENT + language, document=document))

    def _follow_day(self, wall: float) -> None:
        station = self._station
        station.crowd.on_day(wall)
        station.published.new_day(station.crowd.day_start(wall))
        published = bool(station.recorder.news)
        while station.recorder.news:
            station.published.add(station.recorder.news.popleft())
        if published:
            station.recorder.remember(station.crowd.document())

    def _keep_cool(self, now: float) -> None:
        """A hot device looks at fewer pictures, evenly, and at each as well as ever."""
        station = self._station
        station.rate.look(now, self._host)
        for watcher in station.sense.watchers.values():
            watcher.slowdown = station.rate.slowdown(watcher.settings.fps)

    @property
    def _host(self) -> dict[str, Any]:
        """As the last snapshot read it: two readings would share what the counters say."""
        host: dict[str, Any] = self._snapshots.last.get("host", {})
        return host

    def _stepped(self, now: float, wall: float) -> str:
        before, self._clock_before = self._clock_before, (now, wall)
        if before is None:
            return ""
        by = (wall - before[1]) - (now - before[0])
        return f"by {by:+.0f} s" if abs(by) > CLOCK_STEP_S else ""

    def _set_alarms(self, clock: str) -> None:
        station, board = self._station, self._station.parts.alarms
        condition = self._condition(clock)
        active = watch.active_alarms(condition, station.settings.queue)
        for alarm_id, detail in active.items():
            board.set(alarm_id, active=bool(detail), detail=detail)
        board.tick()

    def _overload(self) -> str:
        """Why too many pictures were given up in the last minute; empty where they were not."""
        station, looks = self._station, self._looks
        taken = sum(watcher.frames for watcher in station.sense.watchers.values())
        looks.append((station.parts.clock.monotonic(), taken, station.dropped))
        while looks[-1][0] - looks[0][0] > MINUTE_S:
            looks.popleft()
        came, lost = looks[-1][1] - looks[0][1], looks[-1][2] - looks[0][2]
        if lost <= MOST_LOST * came:
            return ""
        return f"{lost} of {came} pictures of the last minute dropped"

    def _condition(self, clock: str) -> Condition:
        station, settings = self._station, self._station.settings
        diagnostics = self._diagnostics.details(self._host, station.parts.link())
        diagnostics[HOST_THROTTLED] = diagnostics[HOST_THROTTLED] or station.rate.reason
        cameras = {
            name: CameraCondition(
                station.status.reasons.get(name, ""), station.act.called(name)
            )
            for name in station.cameras
        }
        return Condition(
            cameras=cameras,
            over_limit=settings.occupancy.limit if station.crowd.over else 0,
            model=station.eyes.failure or station.status.failure,
            dropped=self._overload(),
            refused=station.recorder.refusal,
            clock=clock,
            diagnostics=diagnostics,
            closed=not settings.hours.open_at(local_time(station.parts.store.clock.wall())),
        )
