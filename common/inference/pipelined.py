"""Several inferences under way on one runtime; their answers come in the order of asking.

While one picture is on the device, the next is prepared and the last decoded. Every
question gets exactly one answer: outputs, or the failure that took its place. When more
come than the device can do, the oldest that still wait are given up, and counted.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from common.errors import LinesideError, RuntimeFailure
from common.ports import Arrays, Runtime

Outputs = dict[str, np.ndarray]
Start = Callable[[Arrays], "Future[Outputs]"]


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
    future: "Future[Outputs]" = field(default_factory=Future)


class Pipelined:
    """Keeps up to `depth` inferences under way on `runtime`; one where it cannot do more.

    The arrays of a question must stay as they are until its answer is collected.
    """

    def __init__(self, runtime: Runtime, depth: int = 2, waiting: int = 4) -> None:
        if depth < 1 or waiting < 1:
            raise ValueError("a pipeline is at least one deep, with room for one to wait")
        self.dropped = 0
        self._runtime, self._most = runtime, waiting
        start: Start | None = getattr(runtime, "start", None)
        self._thread: ThreadPoolExecutor | None = None
        if start is None:
            self._thread = ThreadPoolExecutor(1)
            start, depth = _one_by_one(runtime, self._thread), 1
        self._start, self._room = start, depth
        self._changed = threading.Condition()
        self._under_way = 0
        self._waiting: deque[_Asked] = deque()
        self._all: deque[_Asked] = deque()
        self._closed = False

    def submit(self, tag: Hashable, arrays: Arrays) -> None:
        """Ask; does not wait. The oldest that still waits gives way when there is no room."""
        asked = _Asked(tag, arrays)
        with self._changed:
            if self._closed:
                raise RuntimeFailure(self._runtime.name, "is closed")
            if len(self._waiting) >= self._most:
                self._give_up(self._waiting.popleft(), "given up: newer ones came")
            self._waiting.append(asked)
            self._all.append(asked)
        self._begin_next()

    def collect(self, timeout_s: float) -> Answer | None:
        """The oldest question's answer; None when nothing is asked.

        Raises RuntimeFailure when it has none within `timeout_s`; the question stands.
        """
        with self._changed:
            if not self._all:
                return None
            asked = self._all[0]
        try:
            answer = Answer(asked.tag, asked.future.result(timeout_s))
        except TimeoutError as error:
            late = RuntimeFailure(self._runtime.name, f"no answer within {timeout_s:g} s")
            raise late from error
        except LinesideError as failure:
            answer = Answer(asked.tag, None, failure)
        with self._changed:
            self._all.popleft()
        return answer

    def close(self) -> None:
        """Answer what still waits with a failure, and wait for what is under way."""
        with self._changed:
            self._closed = True
            while self._waiting:
                self._give_up(self._waiting.popleft(), "is closed")
            self._changed.wait_for(lambda: not self._under_way)
        if self._thread is not None:
            self._thread.shutdown()

    def _give_up(self, asked: _Asked, why: str) -> None:
        self.dropped += 1
        asked.future.set_exception(RuntimeFailure(self._runtime.name, why))

    def _begin_next(self) -> None:
        """Begin what waits, as far as there is room: who asks does it, or who has answered."""
        with self._changed:
            if not self._waiting or self._under_way >= self._room:
                return
            asked = self._waiting.popleft()
            self._under_way += 1
        try:
            begun = self._start(asked.arrays)
        except Exception as error:  # noqa: BLE001 - it is the answer
            begun = Future()
            begun.set_exception(error)
        begun.add_done_callback(partial(self._arrived, asked))

    def _arrived(self, asked: _Asked, done: "Future[Outputs]") -> None:
        error = done.exception()
        if error is None:
            asked.future.set_result(done.result())
        else:
            asked.future.set_exception(self._as_failure(error))
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()
        self._begin_next()

    def _as_failure(self, error: BaseException) -> LinesideError:
        if isinstance(error, LinesideError):
            return error
        return RuntimeFailure(self._runtime.name, f"{type(error).__name__}: {error}")


def _one_by_one(runtime: Runtime, thread: ThreadPoolExecutor) -> Start:
    """For a runtime that begins nothing itself: its `run`, in a thread."""

    def start(arrays: Arrays) -> "Future[Outputs]":
        return thread.submit(runtime.run, arrays)

    return start
