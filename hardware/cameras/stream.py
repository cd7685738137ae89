"""What free-running cameras share: one reader thread, fresh frames only, reconnection.

A free-running camera (USB, RTSP, CSI) delivers frames whether or not a part is there, and
drivers queue them: simply reading gives a picture from *before* the trigger. So a thread
drains the stream at full speed and keeps a frame only when `capture` waits for one that was
exposed after the trigger.

A frame can still arrive late: a network that stalls, or a machine too slow for its stream,
delivers old frames "now". The stream's own time stamps tell: a frame counts as arrived when
it would have arrived without that delay. A stream that stays behind by more than half of
what `capture` can wait for is opened anew.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from common.clock import SystemClock
from common.config import setting
from common.errors import CameraError
from common.ports import Clock, Trigger
from hardware.cameras.delay import Delay

log = logging.getLogger("lineside")


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """Settings of every free-running camera."""

    colour: str = setting("grey", choices=("grey", "bgr"))
    """What `capture` returns: grey [H, W] or BGR [H, W, 3]."""
    latency_ms: int = setting(50, low=0, high=5000, unit="ms")
    """From the start of exposure to the frame's arrival here. A frame that arrives sooner
    after the trigger than this was exposed before it and is skipped."""
    use_stamps: bool = setting(True)
    """Switch off for a camera whose time stamps do not run like a clock."""
    settle_ms: int = setting(500, low=0, high=60_000, unit="ms")
    """Frames skipped after opening: exposure settles, and what was queued runs out."""
    timeout_ms: int = setting(1000, low=10, high=60_000, unit="ms")
    """How long `capture` waits for its frame."""
    retry_first_ms: int = setting(500, low=10, high=60_000, unit="ms")
    """Pause before the first reconnection; it doubles from try to try."""
    retry_longest_ms: int = setting(10_000, low=10, high=600_000, unit="ms")
    """The longest pause between two tries."""


class Stream(Protocol):
    """An open device. Both methods raise OSError, in words for a person, when it fails."""

    def grab(self) -> float | None:
        """Wait for the next frame; its time stamp in seconds, None when it has none.

        Cheap, since most frames are not wanted.
        """

    def retrieve(self) -> np.ndarray:
        """The frame last grabbed, decoded."""

    def close(self) -> None:
        """Release the device."""


class FrameSlot:
    """Hands one frame from the reader to `capture`, if it was exposed late enough."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._change = threading.Condition()
        self._asked: float | None = None
        self._frame: np.ndarray | None = None
        self._too_old = 0
        self._failure = ""

    def offer(self, arrived: float) -> bool:
        """Is the frame that arrived then, monotonic s, the one that is waited for?"""
        with self._change:
            self._failure = ""
            if self._asked is None or self._frame is not None:
                return False
            late_enough = arrived - self._latency_s >= self._asked
            self._too_old += not late_enough
            return late_enough

    def put(self, frame: np.ndarray, arrived: float) -> None:
        """Hand over the frame that `offer` said yes to.

        While it was decoded another part may have been asked for: then it is too old.
        """
        with self._change:
            if self._asked is not None and arrived - self._latency_s >= self._asked:
                self._frame = frame
                self._change.notify_all()

    def fail(self, cause: str) -> None:
        """No frames until the next `offer`; a waiting `capture` learns it at once."""
        with self._change:
            self._failure = cause
            self._change.notify_all()

    def ask(self, moment: float) -> None:
        """From now on, the first frame exposed at or after `moment` is wanted."""
        with self._change:
            self._asked, self._frame, self._too_old = moment, None, 0

    def take(self, timeout_s: float) -> np.ndarray:
        """The frame asked for; raises OSError when there is none."""
        with self._change:
            self._change.wait_for(self._settled, timeout_s)
            frame, self._asked, self._frame = self._frame, None, None
            if frame is not None:
                return frame
            raise OSError(self._failure or self._late(timeout_s))

    def _late(self, timeout_s: float) -> str:
        if not self._too_old:
            return f"no frame came within {timeout_s:g} s"
        return (
            f"{self._too_old} frames came within {timeout_s:g} s, all exposed before the "
            "trigger: the stream lags behind, or latency_ms is too large"
        )

    def _settled(self) -> bool:
        return self._frame is not None or bool(self._failure)


class Reader:
    """Keeps one stream open and drained; `step` by `step`, so that tests need no thread."""

    def __init__(
        self, open_stream: Callable[[], Stream], slot: FrameSlot,
        settings: StreamSettings, clock: Clock,
    ) -> None:  # fmt: skip
        self._open, self._slot, self._clock = open_stream, slot, clock
        self._first = settings.retry_first_ms / 1000
        self._longest = settings.retry_longest_ms / 1000
        self._settle, self._use_stamps = settings.settle_ms / 1000, settings.use_stamps
        self._pause = self._first
        self._stream: Stream | None = None
        self._behind = (settings.timeout_ms - settings.latency_ms) / 2000
        self._delay, self._ready_at = Delay(self._behind), 0.0

    def step(self) -> float:
        """Open the stream or read one frame; seconds to pause before the next step."""
        try:
            if self._stream is None:
                self._stream = self._open()
                self._delay = Delay(self._behind)
                self._ready_at = self._clock.monotonic() + self._settle
            stamp = self._stream.grab()
            arrived = self._clock.monotonic()
            if self._use_stamps:
                arrived = self._delay.removed(arrived, stamp)
            if arrived >= self._ready_at and self._slot.offer(arrived):
                self._slot.put(self._stream.retrieve(), arrived)
        except (OSError, cv2.error) as error:
            return self.failed(str(error))
        self._pause = self._first
        return 0.0

    def failed(self, cause: str) -> float:
        """Say why there is no picture, and close the stream; seconds to pause before `step`."""
        pause, self._pause = self._pause, min(2 * self._pause, self._longest)
        pause = min(pause, self._longest)
        self._slot.fail(f"{cause}; next try in {pause:g} s")
        self.close()
        return pause

    def close(self) -> None:
        """Close the stream; a later `step` opens it again."""
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                stream.close()
        except Exception:
            log.exception("a camera's stream cannot be closed; going on")


class StreamCamera:
    """A camera (see common.ports.Camera) over a free-running stream; one caller at a time."""

    def __init__(
        self, name: str, open_stream: Callable[[], Stream],
        settings: StreamSettings, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._settings = settings
        self._clock = clock or SystemClock()
        self._slot = FrameSlot(settings.latency_ms / 1000)
        self._reader = Reader(open_stream, self._slot, settings, self._clock)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name} reader", daemon=True)
        self._thread.start()  # at once: opening a device takes longer than a part has time

    def capture(self, trigger: Trigger) -> np.ndarray:
        """The first frame exposed after this call; raises CameraError when there is none."""
        try:
            self._slot.ask(self._clock.monotonic())
            frame = self._slot.take(self._settings.timeout_ms / 1000)
            return as_frame(frame, self._settings.colour)
        except (OSError, ValueError) as error:
            text = f"no picture of part {trigger.part_id}: {error}"
            raise CameraError(self.name, text) from error

    def close(self) -> None:
        """Stop the reader and release the device; harmless when done twice."""
        self._stop.set()
        self._thread.join(timeout=2)  # a driver stuck in a read must not stop the station

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(self._step())
        finally:
            self._reader.close()
            closed = self._stop.is_set()
            self._slot.fail("it is closed" if closed else "its reader stopped; start it anew")

    def _step(self) -> float:
        try:
            return self._reader.step()
        except Exception as error:
            log.exception("%s: a bug; opening it anew", self.name)
            return self._reader.failed(f"{type(error).__name__}: {error}")


def as_frame(picture: np.ndarray, colour: str) -> np.ndarray:
    """`picture` as "grey" [H, W], "bgr" [H, W, 3] or "native" (as it came), uint8.

    Raises ValueError when it is neither 8-bit grey nor 8-bit BGR.
    """
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    grey = picture.ndim == 2
    if picture.dtype != np.uint8 or not (grey or picture.shape[2:] == (3,)):
        form = "×".join(map(str, picture.shape))
        raise ValueError(f"it delivers {form} {picture.dtype} instead of 8-bit grey or BGR")
    if colour == "grey" and not grey:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    if colour == "bgr" and grey:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    return picture
