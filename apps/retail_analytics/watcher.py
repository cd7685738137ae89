"""One camera in a thread of its own: a picture, its masks, its place in the ring.

What happens to a picture first is that its masks are burnt in; only then does it get a name.
A camera that fails gives a glance without a picture: its time counts as not observed.
"""

import threading

import numpy as np

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import SenseRules
from apps.retail_analytics.domain import Glance
from apps.retail_analytics.masks import Masks
from apps.retail_analytics.ring import Ring
from common.errors import CameraError
from common.ports import Camera, Clock, Sample, Trigger
from common.quality import Quality

AWAY_REST_S = 0.5  # between two tries of a camera that gives nothing
FREE_RUNNING = Trigger(0)
FOR_NO_PART = "no picture of part 0: "


class Watcher:
    """Keeps one camera's pictures coming; `step` by `step`, so that tests need no thread."""

    def __init__(
        self,
        camera: Camera,
        settings: CameraSettings,
        rules: SenseRules,
        clock: Clock,
        news: threading.Event,
    ) -> None:
        self.settings, self.ring = settings, Ring(rules.ring_s)
        self.frames = 0
        """Pictures since the start."""
        self.slowdown = 1.0
        """Times as long from picture to picture as the settings say: to spare a hot device."""
        self._camera, self._clock, self._news = camera, clock, news
        self._masks = Masks(settings)
        self._mutex = threading.Lock()
        self._due = 0.0
        self._sequence = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"camera {settings.name}", daemon=True
        )

    @property
    def device(self) -> str:
        """What the camera calls itself."""
        return self._camera.name

    def start(self) -> None:
        """Begin to take pictures."""
        self._thread.start()

    def stop(self) -> None:
        """End; a driver that is stuck in a read must not hold up the station."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)
        self.ring.clear()

    def change(self, settings: CameraSettings) -> None:
        """Another set-up: no picture with the old masks is looked at any more."""
        masks = Masks(settings)
        with self._mutex:
            self.settings, self._masks = settings, masks
            self.ring.clear()

    def step(self) -> float:
        """Take one picture; seconds to rest before the next."""
        try:
            frame = self._camera.capture(FREE_RUNNING)
            self._take(frame if frame.flags.writeable else frame.copy())
        except CameraError as error:
            return self._failed(str(error).replace(FOR_NO_PART, ""))
        except Exception as error:  # noqa: BLE001 - a driver's bug must not end the thread
            return self._failed(f"{type(error).__name__}: {error}")
        return self._rest()

    def _take(self, frame: np.ndarray) -> None:
        with self._mutex:  # no set-up may change between masks and ring
            reason = self._masks.burn(frame)
            self.frames += 1
            self._put(frame, reason)

    def _failed(self, why: str) -> float:
        self._put(None, f"gone: {why}")
        return AWAY_REST_S

    def _put(self, frame: np.ndarray | None, reason: str) -> None:
        self._sequence += 1
        name = self.settings.name
        quality = Quality.BAD if reason else Quality.GOOD
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        glance = Glance(name, frame)
        sample_id = f"{name}/{self._sequence}"
        self.ring.put(
            Sample(sample_id, glance, self._sequence, wall, monotonic, quality, reason)
        )
        self._news.set()

    def _rest(self) -> float:
        now, period = self._clock.monotonic(), self.slowdown / self.settings.fps
        self._due = max(self._due + period, now - period)  # late once is not late for ever
        return max(0.0, self._due - now)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self.step())
