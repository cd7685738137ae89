"""A child process that writes raw frames into a pipe, as a Stream."""

import os
import re
import select
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

import numpy as np

from hardware.die_with import ending_with_us


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
    """Starts a command (a list: no shell) and reads its frames; it ends with us.

    `command` is given the descriptor to write them to. They have a pipe of their own: what
    a driver prints on standard output would shift every picture.
    """

    def __init__(
        self, command: Callable[[int], list[str]], form: RawFormat, stall_s: float
    ) -> None:
        self._form, self._stall_s = form, stall_s
        self._raw = bytearray(form.frame_bytes)
        self._words: deque[str] = deque(maxlen=1)
        with ExitStack() as held:
            self._start(command, held)
            held.pop_all()

    def _start(self, command: Callable[[int], list[str]], held: ExitStack) -> None:
        """What must be let go when this fails goes into `held`."""
        ours, theirs = os.pipe()
        self._frames = held.enter_context(os.fdopen(ours, "rb", buffering=0))
        with os.fdopen(theirs, "wb", buffering=0):
            self._child = held.enter_context(
                subprocess.Popen(  # noqa: S603 - the command is this station's setting
                    ending_with_us(command(theirs)), bufsize=0, pass_fds=(theirs,),
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                )
            )  # fmt: skip
        held.callback(self._child.kill)
        assert self._child.stderr is not None  # noqa: S101 - it is asked for
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
            got = self._frames.readinto(missing)
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
                    self._words.append(without_login(text))

    def _last_words(self) -> str:
        try:
            code = self._child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "the pipeline closed its output"
        self._listener.join(timeout=1)
        said = f": {self._words[-1]}" if self._words else ""
        return f"the pipeline ended (exit code {code}){said}"


def without_login(text: str) -> str:
    """`text` as it may be shown: logins in its URLs are left out."""
    return re.sub(r"//\S*@", "//…@", text)
