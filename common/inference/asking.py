"""How an app asks its network: `submit`, then `collect`, whether one or several are under way.

Depth 1 infers in the thread that collects: a hung device stops the loop, and its heartbeat
with it. From depth 2 on, pictures are prepared and answers read while the device works. In
both, answers come in the order of asking, room is bounded, and a failure is the answer to
its own question and to no other.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from common.errors import LinesideError, RuntimeFailure
from common.inference.bundle import Model
from common.inference.pipelined import Answer, Begun, Outputs, Pipelined
from common.ports import Arrays

ANSWER_S = 10.0
"""Longest wait for an answer; runtimes that can hang have a watchdog of their own."""
MOST_EARLY = 16
"""Answers kept for who has not come for them yet."""


class Asker(Protocol):
    """A network that questions are put to; one thread asks and collects."""

    def submit(self, tag: Hashable, arrays: Arrays) -> None:
        """Ask; `arrays` stay as they are until the answer is collected."""

    def collect(self, timeout_s: float) -> Answer | None:
        """The oldest question's answer; None when nothing is asked.

        Raises RuntimeFailure when it has none within `timeout_s`; the question stands.
        """

    def close(self) -> None:
        """Answer what still waits with a failure."""


def asker(model: Model, depth: int) -> Asker:
    """The way to ask `model` with up to `depth` inferences under way; it stays the caller's."""
    if depth == 1:
        return Synchronous(model)
    return Pipelined(_Checked(model), depth, waiting=depth)


class Questions:
    """Numbered questions: the known board's answer may be wanted before those of parts."""

    def __init__(self, asking: Asker) -> None:
        self._asking, self._asked = asking, 0
        self._early: dict[Hashable, Answer] = {}

    def ask(self, arrays: Arrays) -> int:
        """The question's number; `arrays` stay as they are until its answer is there."""
        self._asked += 1
        self._asking.submit(self._asked, arrays)
        return self._asked

    def answer(self, tag: Hashable, timeout_s: float = ANSWER_S) -> Outputs:
        """The outputs for `tag`; raises the failure that took their place."""
        while tag not in self._early:
            answer = self._asking.collect(timeout_s)
            if answer is None:
                raise RuntimeFailure("model", f"{tag} was never asked")
            self._early[answer.tag] = answer
            if len(self._early) > MOST_EARLY:  # who asked the oldest got tired of waiting
                del self._early[next(iter(self._early))]
        answer = self._early.pop(tag)
        if answer.outputs is None:
            raise answer.failure or RuntimeFailure("model", f"{tag} has no answer")
        return answer.outputs

    def close(self) -> None:
        """Answer what still waits with a failure."""
        self._asking.close()


class Synchronous:
    """One inference at a time, in the thread that collects its answer."""

    def __init__(self, model: Model, waiting: int = 1) -> None:
        self.dropped = 0
        self._model, self._most = model, waiting
        self._asked: deque[tuple[Hashable, Arrays | RuntimeFailure]] = deque()
        self._closed = False

    def submit(self, tag: Hashable, arrays: Arrays) -> None:
        """Ask; the oldest that still waits gives way when there is no room."""
        if self._closed:
            raise self._failure("is closed")
        waiting = [n for n, (_, what) in enumerate(self._asked) if not _failed(what)]
        if len(waiting) >= self._most:
            self._give_up(waiting[0], "given up: newer ones came")
        self._asked.append((tag, arrays))

    def collect(self, timeout_s: float) -> Answer | None:
        """Infer the oldest question; a call that hangs is the runtime's to end."""
        del timeout_s
        if not self._asked:
            return None
        tag, what = self._asked.popleft()
        if isinstance(what, RuntimeFailure):
            return Answer(tag, None, what)
        try:
            return Answer(tag, self._model.run(what))
        except LinesideError as failure:
            return Answer(tag, None, failure)
        except Exception as error:  # noqa: BLE001 - it is the answer
            return Answer(tag, None, self._failure(f"{type(error).__name__}: {error}"))

    def close(self) -> None:
        """Answer what still waits with a failure; the model stays open."""
        self._closed = True
        for number, (_, what) in enumerate(self._asked):
            if not _failed(what):
                self._give_up(number, "is closed")

    def _give_up(self, number: int, why: str) -> None:
        self.dropped += 1
        self._asked[number] = (self._asked[number][0], self._failure(why))

    def _failure(self, why: str) -> RuntimeFailure:
        return RuntimeFailure(self._model.runtime.name, why)


def _failed(what: Arrays | RuntimeFailure) -> bool:
    return isinstance(what, RuntimeFailure)


class _Checked:
    """A model as the runtime that Pipelined feeds: its contract is checked on every call."""

    def __init__(self, model: Model) -> None:
        runtime = model.runtime
        self.name, self.device = runtime.name, runtime.device
        self.inputs, self.outputs = runtime.inputs, runtime.outputs
        self._model = model
        begin: Any = getattr(runtime, "start", None)
        if begin is not None:
            self._begin = begin
            self.start = self._start

    def run(self, arrays: Arrays) -> Outputs:
        """One inference."""
        return self._model.run(arrays)

    def close(self) -> None:
        """The model is its opener's to close."""

    def _start(self, arrays: Arrays) -> Begun:
        self._model.check_inputs(arrays)
        return _CheckedBegun(self._model, self._begin(arrays))


@dataclass(frozen=True, slots=True)
class _CheckedBegun:
    """Its outputs are checked when they are collected."""

    model: Model
    begun: Begun

    def result(self, timeout: float | None = None) -> Outputs:
        outputs = self.begun.result(timeout)
        self.model.check_outputs(outputs)
        return outputs
