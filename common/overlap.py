"""Sense and perceive as a pair that may have several samples under way.

The loop stays what it is: sense, then perceive. With a depth above 1 the next samples are
begun before the oldest is handed out, where they are there already: while the device works
on one, the next is prepared and the last is read, decided and acted on. Nobody waits for a
sample that has not come.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from common.pipeline import Fault, Sense
from common.ports import Sample

Data = TypeVar("Data")
Percept = TypeVar("Percept")
Finish = Callable[[], Percept]
Begin = Callable[[Sample[Data]], Finish[Percept]]
"""Prepares a sample and puts it to the network; what it returns waits for the answer."""


@dataclass(frozen=True)
class _Begun(Generic[Data, Percept]):
    sample: Sample[Data] | Fault
    finish: Finish[Percept] | Exception | None


class Overlap(Generic[Data, Percept]):
    """Samples in the order they came, each with its own percept or failure."""

    def __init__(self, sense: Sense[Data], begin: Begin[Data, Percept], depth: int = 1) -> None:
        if depth < 1:
            raise ValueError("at least one sample is under way")
        self._sense, self._begin, self._depth = sense, begin, depth
        self._under_way: deque[_Begun[Data, Percept] | Exception] = deque()
        self._current: _Begun[Data, Percept] | None = None

    def sense(self, timeout_s: float) -> Sample[Data] | Fault | None:
        """The oldest sample under way; None when none came within `timeout_s`."""
        while len(self._under_way) < self._depth:
            begun = self._next(0.0 if self._under_way else timeout_s)
            if begun is None:
                break
            self._under_way.append(begun)
            if isinstance(begun, Exception):
                break
        if not self._under_way:
            return None
        oldest = self._under_way.popleft()
        if isinstance(oldest, Exception):
            raise oldest
        self._current = oldest
        return oldest.sample

    def perceive(self, sample: Sample[Data]) -> Percept:
        """What `sample`, as `sense` gave it, shows; raises its own failure."""
        current, self._current = self._current, None
        if current is None or current.sample is not sample or current.finish is None:
            return self._begin(sample)()
        if isinstance(current.finish, Exception):
            raise current.finish
        return current.finish()

    def _next(self, timeout_s: float) -> "_Begun[Data, Percept] | Exception | None":
        """The next sample, begun; a failure to sense waits for its turn like a sample."""
        try:
            sensed = self._sense(timeout_s)
        except Exception as error:  # noqa: BLE001 - raised when it is its turn
            return error
        if sensed is None:
            return None
        if isinstance(sensed, Fault) or self._depth == 1:
            return _Begun(sensed, None)
        try:
            return _Begun(sensed, self._begin(sensed))
        except Exception as error:  # noqa: BLE001 - the failure of this sample alone
            return _Begun(sensed, error)
