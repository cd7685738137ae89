"""From cameras to glances: whatever camera's picture has waited longest comes next.

A camera that says nothing, not even that it fails, comes out as a glance without a picture,
and one that gives too few pictures to follow anybody as a bad one: their time counts as not
observed, never as a time when nobody came.
"""

import math
import threading
from collections import deque
from collections.abc import Iterable

from apps.retail_analytics.config import SenseRules
from apps.retail_analytics.domain import Glance
from apps.retail_analytics.watcher import Watcher
from common.ports import Clock, Sample
from common.quality import Quality

PACE_S = 4.0  # over which pictures per second are measured


class Pace:
    """How many pictures a second one camera gives, as they are looked at."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._times: deque[float] = deque()
        self._since: float | None = None

    def too_slow(self, now: float) -> str:
        """Take note of a picture; why there are too few, or ""."""
        self._since = now if self._since is None else self._since
        self._times.append(now)
        while now - self._times[0] > PACE_S:
            self._times.popleft()
        if now - self._since < PACE_S or self.fps >= self._least:
            return ""
        return f"slow: {self.fps:.1f} pictures/s, needs {self._least:g}"

    def pause(self) -> None:
        """The camera gave nothing: begin anew."""
        self._times.clear()
        self._since = None

    @property
    def fps(self) -> float:
        """Of the last seconds; 0 where there were too few to tell."""
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-6)


class Sense:
    """The next glance of any camera, the oldest first."""

    def __init__(
        self, watchers: Iterable[Watcher], rules: SenseRules, clock: Clock,
        news: threading.Event,
    ) -> None:  # fmt: skip
        self.watchers = {watcher.settings.name: watcher for watcher in watchers}
        self._rules, self._clock, self._news = rules, clock, news
        now = clock.monotonic()
        self._heard = dict.fromkeys(self.watchers, now)
        """When each camera's last glance was, or the start: monotonic s."""
        self._seen: dict[str, float] = {}
        """The same of glances alone: the next must be later."""
        self._pace = {n: Pace(w.settings.limits.least_fps) for n, w in self.watchers.items()}
        self._pictured: dict[str, float] = {}
        self.late = 0
        """Pictures that came after their time had been counted as not observed."""

    def __call__(self, timeout_s: float) -> Sample[Glance] | None:
        """The next glance; None when none came within `timeout_s`."""
        self._news.clear()
        sample = self._next()
        if sample is None:
            self._news.wait(timeout_s)
            sample = self._next()
        return sample

    def fps(self, camera: str) -> float:
        """Pictures a second that are looked at."""
        return self._pace[camera].fps

    def age_s(self, camera: str) -> float | None:
        """Since the last picture that was looked at; None before the first."""
        then = self._pictured.get(camera)
        return None if then is None else self._clock.monotonic() - then

    def start(self) -> None:
        """Begin to take pictures; no camera has been silent before."""
        self._heard = dict.fromkeys(self.watchers, self._clock.monotonic())
        for watcher in self.watchers.values():
            watcher.start()

    def stop(self) -> None:
        """End."""
        for watcher in self.watchers.values():
            watcher.stop()

    def _next(self) -> Sample[Glance] | None:
        now = self._clock.monotonic()
        waiting = {name: w.ring.oldest(now) for name, w in self.watchers.items()}
        heads = sorted((at, name) for name, at in waiting.items() if at is not None)
        for _, name in heads:
            sample = self.watchers[name].ring.take()
            if sample is not None and sample.monotonic > self._seen.get(name, -math.inf):
                self._seen[name] = self._heard[name] = sample.monotonic
                return self._paced(sample)
            self.late += sample is not None and sample.data.frame is not None
        return self._silent(now)

    def _paced(self, sample: Sample[Glance]) -> Sample[Glance]:
        name = sample.data.camera
        if sample.data.frame is None:
            self._pace[name].pause()
            return sample
        self._pictured[name] = sample.monotonic
        slow = self._pace[name].too_slow(sample.monotonic)
        if not slow or sample.reason:
            return sample
        return Sample(
            sample.id, sample.data, sample.sequence, sample.wall_time, sample.monotonic,
            Quality.BAD, slow,
        )  # fmt: skip

    def _silent(self, now: float) -> Sample[Glance] | None:
        """A glance without a picture for a camera that says nothing, not even that it fails."""
        for name, heard in self._heard.items():
            if now - heard > self._rules.silent_s:
                self._seen[name] = self._heard[name] = now
                self._pace[name].pause()
                reason = f"gone: nothing for {self._rules.silent_s:g} s"
                return Sample(
                    f"{name}/silent", Glance(name, None), 0, self._clock.wall(), now,
                    Quality.BAD, reason,
                )  # fmt: skip
        return None
