"""Several inferences under way on one runtime; their answers come in the order of asking.

While one picture is on the device, the next is prepared and the last decoded. Every
question gets exactly one answer: outputs, or the failure that took its place. When more
come than the device can do, the oldest that still wait are given up, and counted.
"""

from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from common.errors import LinesideError, RuntimeFailure
from common.ports import Arrays, Runtime

Outputs = dict[str, np.ndarray]


class Begun(Protocol):
    """An inference under way, as a runtime's `start` gives it back; a Future is one."""

    def result(self, timeout: float | None = None) -> Outputs:
        """Wait for it; raises TimeoutError, or what it failed of."""


Start = Callable[[Arrays], Begun]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one question."""

    tag: Hashable
    """As it was submitted."""
    outputs: Outputs | None
    """None where there is a failure; never an empty stand-in."""
    failure: LinesideError | None = None


@dataclass(slots=True)
class _Asked:
    tag: Hashable
    arrays: Arrays
    given_up: Begun | None = None


class Pipelined:
    """Keeps up to `depth` inferences under way on `runtime`, which does what it can at once.

    One thread asks and collects. The arrays of a question must stay as they are until its
    answer is collected.
    """

    def __init__(self, runtime: Runtime, depth: int = 2, waiting: int = 4) -> None:
        if depth < 1 or waiting < 1:
            raise ValueError("a pipeline is at least one deep, with room for one to wait")
        self.dropped = 0
        self._name, self._depth, self._most = runtime.name, depth, waiting
        start: Start | None = getattr(runtime, "start", None)
        self._thread: ThreadPoolExecutor | None = None
        if start is None:
            self._thread = ThreadPoolExecutor(1)
            start = _one_by_one(runtime, self._thread)
        self._start = start
        self._waiting: deque[_Asked] = deque()
        self._under_way: deque[tuple[Hashable, Begun]] = deque()
        self._closed = False

    def submit(self, tag: Hashable, arrays: Arrays) -> None:
        """Ask; does not wait. The oldest that still waits gives way when there is no room."""
        if self._closed:
            raise RuntimeFailure(self._name, "is closed")
        waiting = [asked for asked in self._waiting if asked.given_up is None]
        if len(waiting) >= self._most:
            self._give_up(waiting[0], "given up: newer ones came")
        self._waiting.append(_Asked(tag, arrays))
        self._begin()

    def collect(self, timeout_s: float) -> Answer | None:
        """The oldest question's answer; None when nothing is asked.

        Raises RuntimeFailure when it has none within `timeout_s`; the question stands.
        """
        if not self._under_way:
            return None
        tag, begun = self._under_way[0]
        try:
            answer = Answer(tag, begun.result(timeout_s))
        except TimeoutError as error:
            late = RuntimeFailure(self._name, f"no answer within {timeout_s:g} s")
            raise late from error
        except Exception as error:  # noqa: BLE001 - it is the answer
            answer = Answer(tag, None, self._as_failure(error))
        self._under_way.popleft()
        self._begin()
        return answer

    def close(self) -> None:
        """Answer what still waits with a failure, and wait for what is under way."""
        self._closed = True
        for asked in self._waiting:
            if asked.given_up is None:
                self._give_up(asked, "is closed")
        for _, begun in list(self._under_way):
            with suppress(Exception):
                begun.result()
        if self._thread is not None:
            self._thread.shutdown()

    def _give_up(self, asked: _Asked, why: str) -> None:
        self.dropped += 1
        asked.given_up = _failed(RuntimeFailure(self._name, why))

    def _begin(self) -> None:
        """Begin what waits, as far as there is room."""
        while self._waiting and len(self._under_way) < self._depth:
            asked = self._waiting.popleft()
            begun = asked.given_up or self._begun(asked.arrays)
            self._under_way.append((asked.tag, begun))

    def _begun(self, arrays: Arrays) -> Begun:
        try:
            return self._start(arrays)
        except Exception as error:  # noqa: BLE001 - it is the answer
            return _failed(error)

    def _as_failure(self, error: Exception) -> LinesideError:
        if isinstance(error, LinesideError):
            return error
        return RuntimeFailure(self._name, f"{type(error).__name__}: {error}")


def _failed(error: Exception) -> Begun:
    begun: Future[Outputs] = Future()
    begun.set_exception(error)
    return begun


def _one_by_one(runtime: Runtime, thread: ThreadPoolExecutor) -> Start:
    """For a runtime that begins nothing itself: its `run`, in a thread."""

    def run(arrays: Arrays) -> Outputs:
        try:
            return runtime.run(arrays)
        except TimeoutError as error:  # its own: it has ended, and nobody is to wait on
            raise RuntimeFailure(runtime.name, f"timed out: {error}") from error

    def start(arrays: Arrays) -> Begun:
        return thread.submit(run, arrays)

    return start


def keep_under_way(start: Start, arrays: Arrays, depth: int, count: int) -> None:
    """`count` inferences, `depth` of them begun and not collected; all have ended then."""
    under_way: deque[Begun] = deque()
    for _ in range(count):
        if len(under_way) == depth:
            under_way.popleft().result()
        under_way.append(start(arrays))
    for begun in under_way:
        begun.result()
