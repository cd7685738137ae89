"""A child process that writes raw frames to its standard output, as a Stream."""

import select
import subprocess
import threading
from collections import deque
from dataclasses import dataclass
from typing import IO

import numpy as np


@dataclass(frozen=True)
class RawFormat:
    """Uncompressed frames as GStreamer writes them: rows padded to 4 bytes."""

    width: int
    height: int
    channels: int
    """1 grey, 3 BGR."""

    @property
    def row_bytes(self) -> int:
        """Bytes from one row to the next."""
        return (self.width * self.channels + 3) // 4 * 4

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.row_bytes * self.height

    def frame(self, raw: bytearray) -> np.ndarray:
        """A copy of the pixels, uint8 [H, W] or [H, W, 3], without the padding."""
        rows = np.frombuffer(raw, np.uint8).reshape(self.height, self.row_bytes)
        pixels = rows[:, : self.width * self.channels].copy()
        return pixels if self.channels == 1 else pixels.reshape(self.height, self.width, -1)


class ChildStream:
    """Starts `command` (a list: no shell) and reads its frames.

    The child cannot outlive us for long: its next write to the closed pipe ends it.
    """

    def __init__(self, command: list[str], form: RawFormat, stall_s: float) -> None:
        self._form, self._stall_s = form, stall_s
        self._raw = bytearray(form.frame_bytes)
        self._words: deque[str] = deque(maxlen=1)
        self._child = subprocess.Popen(  # noqa: S603 - the command is this station's setting
            command, bufsize=0, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self._child.stdout is not None  # noqa: S101 - both are asked for above
        assert self._child.stderr is not None  # noqa: S101
        self._frames = self._child.stdout
        self._listener = threading.Thread(
            target=self._listen, args=(self._child.stderr,), daemon=True
        )
        self._listener.start()

    def grab(self) -> float | None:
        """Read one whole frame; raises OSError when the child ends or falls silent.

        Raw frames bear no time stamp. The pipe holds less than a frame and the pipeline's
        queue drops old ones, so that they cannot pile up.
        """
        missing = memoryview(self._raw)
        while missing:
            ready, _, _ = select.select([self._frames], [], [], self._stall_s)
            if not ready:
                raise OSError(f"the pipeline gave no frame for {self._stall_s:g} s")
            got = self._frames.readinto(missing)  # type: ignore[attr-defined]
            if not got:
                raise OSError(self._last_words())
            missing = missing[got:]
        return None

    def retrieve(self) -> np.ndarray:
        """The frame last grabbed."""
        return self._form.frame(self._raw)

    def close(self) -> None:
        """End the child; kill it when it does not obey."""
        self._child.terminate()
        try:
            self._child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._listener.join(timeout=1)
        self._frames.close()

    def _listen(self, errors: IO[bytes]) -> None:
        """Keep the child's last line, and keep its pipe from filling up."""
        with errors:
            for line in errors:
                if text := line.decode("utf-8", "replace").strip():
                    self._words.append(text)

    def _last_words(self) -> str:
        try:
            code = self._child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "the pipeline closed its output"
        self._listener.join(timeout=1)
        said = f": {self._words[-1]}" if self._words else ""
        return f"the pipeline ended (exit code {code}){said}"
