"""The station's state as one document: for the screens, the API and Prometheus.

It is polled, and its old copies stay in the file for a while, so it tells of people only
what could be published, or what is rounded and renewed so seldom that nobody stands out.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.queue_watch import Seen
from apps.retail_analytics.scene_setup import drawing_of
from apps.retail_analytics.status import STARTING
from apps.retail_analytics.telling import ROUND_TO
from apps.retail_analytics.watch import GOOD, state_of
from common.metrics import Metrics
from common.snapshot import keep, shared

if TYPE_CHECKING:
    from apps.retail_analytics.station import Station


class Snapshots:
    """Takes the document and hands it to the store; `last` may be read by any thread."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self.last: dict[str, Any] = {}

    def take(self) -> None:
        """Make the document of this moment."""
        station, parts = self._station, self._station.parts
        faults = station.faults()
        document = {
            **shared(station.settings.station, "retail_analytics", parts),
            "model": parts.model.document(),
            "healthy": not faults,
            "faults": faults,
            "simulation": _simulation(station),
            "privacy": {**asdict(station.settings.privacy), **parts.guarded},
            "interval": self._interval(),
            "today": station.published.sums(station.crowd.doors),
            "occupancy": self._occupancy(),
            "queues": [
                self._queue(camera, name, till)
                for camera in station.cameras.values()
                for name, till in _queues(camera)
            ],
            "cameras": [self._camera(camera) for camera in station.cameras.values()],
            "setup": self._setup(),
            "rate": self._rate(),
            "counts": self._counts(),
            "latency_ms": station.pipeline.timings.percentiles(),
        }
        before, self.last = self.last, document
        keep(parts.store, document, before)

    def _interval(self) -> dict[str, Any]:
        width = self._station.settings.privacy.interval_min
        start = self._station.parts.clock.wall() // (60 * width) * 60 * width
        return {"start": start, "end": start + 60 * width, "min": width}

    def _occupancy(self) -> dict[str, Any]:
        station, crowd = self._station, self._station.crowd
        told, unseen = crowd.told, station.status.unseen(crowd.doors)
        limit = station.settings.occupancy.limit
        return {
            "inside": told.inside, "few": told.few, "rounded_to": ROUND_TO,
            "limit": limit or None, "over": crowd.over,
            "usable": not unseen, "reason": unseen,
            "corrected": told.corrected, "drift": crowd.drift,
            "reset": crowd.reset_at, "reset_by": crowd.reset_by,
        }  # fmt: skip

    def _queue(self, camera: CameraSettings, zone: str, till: str) -> dict[str, Any]:
        station = self._station
        reason = station.status.reasons.get(camera.name, STARTING)
        watched = station.status.queues.get((camera.name, zone))
        seen = watched.seen(station.parts.clock.monotonic()) if watched else Seen()
        since = station.act.calls.get(camera.name, {}).get(zone)
        return {
            "camera": camera.name, "zone": zone, "till": till,
            "length": None if reason else seen.length,
            "wait_s": None if reason else seen.wait_s,
            "band": seen.band, "called": since is not None, "since": since,
            "call_length": station.settings.queue.call_length,
            "clear_length": station.settings.queue.clear_length,
            "usable": not reason, "reason": reason,
        }  # fmt: skip

    def _camera(self, camera: CameraSettings) -> dict[str, Any]:
        station, name = self._station, camera.name
        watcher = station.sense.watchers[name]
        reason, age = station.status.reasons.get(name), station.sense.age_s(name)
        progress = station.recorder.books[name].intervals.progress
        _, seen, unseen = progress or (0.0, 0.0, 0.0)
        total = seen + unseen
        return {
            "name": name, "device": watcher.device,
            "state": STARTING if reason is None else state_of(reason),
            "reason": reason or "",
            "fps": round(station.sense.fps(name), 1),
            "age_s": None if age is None else round(age, 2),
            "frames": watcher.frames, "dropped": watcher.ring.dropped,
            "observed_pct": round(100 * seen / total, 1) if total else None,
            "width": camera.width, "height": camera.height,
            "lines": [line.name for line in camera.line],
            "zones": [zone.name for zone in camera.zone],
            "masks": len(camera.mask), "floor_known": camera.homography is not None,
            "on_motion_only": station.settings.duty.on_motion_only,  # how often tells who came
        }  # fmt: skip

    def _setup(self) -> dict[str, Any]:
        station, setup = self._station, self._station.setup
        cameras = [
            {
                "name": camera.name, "width": camera.width, "height": camera.height,
                "anchor": camera.anchor, "person_m": camera.person_m, **drawing_of(camera),
            }
            for camera in station.cameras.values()
        ]  # fmt: skip
        return {
            "version": setup.version, "changed": setup.changed, "by": setup.by,
            "reason": setup.reason, "cameras": cameras,
        }  # fmt: skip

    def _rate(self) -> dict[str, Any]:
        full = max(camera.fps for camera in self._station.cameras.values())
        return self._station.rate.document(full)

    def _counts(self) -> dict[str, int]:
        station = self._station
        watchers = station.sense.watchers.values()
        return {
            "frames": sum(watcher.frames for watcher in watchers),
            "dropped": station.dropped,
            "intervals": station.recorder.published,
            "intervals_refused": station.recorder.refused,
        }

    def metrics(self) -> bytes:
        """The states that a plant's Prometheus watches: technical figures, no people."""
        metrics, last = Metrics("retail", self.last), self.last
        good = metrics.gauge("camera_good", "1 while its view is usable", "camera")
        fps = metrics.gauge("camera_fps", "Pictures looked at per s", "camera")
        dropped = metrics.gauge("camera_dropped", "Pictures given up", "camera")
        for camera in last.get("cameras", ()):
            good.labels(camera["name"]).set(camera["state"] == GOOD)
            fps.labels(camera["name"]).set(camera["fps"])
            dropped.labels(camera["name"]).set(camera["dropped"])
        return metrics.text()


def _queues(camera: CameraSettings) -> list[tuple[str, str]]:
    return [(zone.name, zone.till) for zone in camera.zone if zone.queue]


def _simulation(station: "Station") -> dict[str, str] | None:
    drawn = [c.name for c in station.cameras.values() if c.device.backend == "simulated"]
    if not drawn:
        return None
    return {"text": f"simulated shop: nobody is in the pictures of {', '.join(drawn)}"}
