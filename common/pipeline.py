"""The loop every app is: sense → perceive → decide → act → record.

It times each stage, turns a stage that fails into a Fault, and makes sure that a fault
takes the same way as a result: `decide` sees it, `act` reaches its safe state, `record`
keeps it. "No result" is never the same value as "nothing found". Where `decide` or `record`
itself fails there is nobody left to tell: the safe state is reached and the loop ends.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from common.errors import DeviceError, LinesideError
from common.ports import Clock, Sample

Data = TypeVar("Data")
Percept = TypeVar("Percept")
State = TypeVar("State")
Decision = TypeVar("Decision")
DecisionT_contra = TypeVar("DecisionT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Fault:
    """A stage that failed, as `decide` receives it."""

    stage: str
    device: str
    cause: str
    sample_id: str | None = None
    """The sample that has no result because of it; None when none was under way."""
    about: object = None
    """What is known of that sample all the same, in the app's terms."""

    @property
    def says(self) -> str:
        """Device and cause; the cause of a DeviceError names its device already."""
        name = f"{self.device}: "
        return name + self.cause.removeprefix(name)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Data, Percept, Decision]):
    """All that is known of one turn of the loop: what `record` keeps."""

    sample: Sample[Data] | None
    percept: Percept | Fault
    decision: Decision
    stage_ms: dict[str, float] = field(default_factory=dict)


class Sense(Protocol[Data]):
    """Waits for the next sample; a Fault for one that is known to be missed."""

    def __call__(self, timeout_s: float) -> Sample[Data] | Fault | None:
        """The next sample, or None when none came within `timeout_s`."""


class Act(Protocol[DecisionT_contra]):
    """Carries a decision out; raises DeviceError when the world did not hear it."""

    def __call__(self, decision: DecisionT_contra) -> None:
        """Carry it out."""

    def safe_state(self, fault: Fault) -> None:
        """Reach the state in which nothing passes; must not raise."""


Perceive = Callable[[Sample[Data]], Percept]
"""Makes a percept of a sample; raises DeviceError when it cannot."""

Decide = Callable[[State, Percept | Fault], tuple[State, Decision]]
"""Pure: (state, percept or fault) → (state, decision)."""

Record = Callable[[Outcome[Data, Percept, Decision]], None]
"""Hands an outcome to the store and returns at once: the disk is not waited for."""


class Timings:
    """The last durations of each stage in ms, for percentiles on screens and in benches."""

    def __init__(self, kept: int = 1000) -> None:
        self._kept = kept
        self._ms: dict[str, deque[float]] = {}

    def add(self, stage_ms: dict[str, float]) -> None:
        """Keep one turn's durations."""
        for stage, ms in stage_ms.items():
            self._ms.setdefault(stage, deque(maxlen=self._kept)).append(ms)

    def percentiles(self) -> dict[str, dict[str, float]]:
        """p50, p95 and p99 in ms by stage."""
        return {stage: percentiles(list(ms)) for stage, ms in self._ms.items()}


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p95, p99 of `values` by nearest rank; empty gives an empty dict."""
    if not values:
        return {}
    ordered = sorted(values)
    last = len(ordered) - 1
    at = {p: min(last, int(last * p / 100 + 0.5)) for p in (50, 95, 99)}
    return {f"p{p}": round(ordered[index], 3) for p, index in at.items()}


class Pipeline(Generic[Data, Percept, State, Decision]):
    """One station's loop. Single-threaded on purpose: a hung stage stops the heartbeat."""

    def __init__(
        self,
        *,
        sense: Sense[Data],
        perceive: Perceive[Data, Percept],
        decide: Decide[State, Percept, Decision],
        act: Act[Decision],
        record: Record[Data, Percept, Decision],
        state: State,
        clock: Clock,
    ) -> None:
        self.sense, self.perceive, self.decide = sense, perceive, decide
        self.act, self.record = act, record
        self.state, self.clock = state, clock
        self.timings = Timings()

    def step(self, timeout_s: float) -> Outcome[Data, Percept, Decision] | None:
        """One turn; None when no sample came within `timeout_s`."""
        try:
            sensed = self.sense(timeout_s)
        except Exception as error:  # noqa: BLE001 - a bug must reach the safe state too
            sensed = _fault("sense", error, None)
        if sensed is None:
            return None
        return self._turn(sensed)

    def _turn(self, sensed: Sample[Data] | Fault) -> Outcome[Data, Percept, Decision]:
        watch = Stopwatch(self.clock)
        sample = None if isinstance(sensed, Fault) else sensed
        percept: Percept | Fault = (
            sensed if isinstance(sensed, Fault) else self._perceive(sensed)
        )
        watch.lap("perceive")
        state, decision = self._decide(percept)
        watch.lap("decide")
        if isinstance(percept, Fault):
            self.act.safe_state(percept)
        failed = self._act(decision, _sample_id(sensed))
        if failed is not None:  # the world did not hear us: that is the result now
            self.act.safe_state(failed)
            percept = failed
            state, decision = self._decide(failed)
        watch.lap("act")
        if sample is not None:  # from the trigger, waiting and picture included
            watch.laps["total"] = (self.clock.monotonic() - sample.monotonic) * 1000
        self.state = state
        outcome = Outcome(sample, percept, decision, watch.laps)
        self.timings.add(watch.laps)
        with self._safe_on_error("record"):
            self.record(outcome)
        return outcome

    def _perceive(self, sample: Sample[Data]) -> Percept | Fault:
        try:
            return self.perceive(sample)
        except Exception as error:  # noqa: BLE001 - as above
            return _fault("perceive", error, sample.id)

    def _decide(self, percept: Percept | Fault) -> tuple[State, Decision]:
        with self._safe_on_error("decide"):
            return self.decide(self.state, percept)

    def _act(self, decision: Decision, sample_id: str | None) -> Fault | None:
        try:
            self.act(decision)
        except Exception as error:  # noqa: BLE001 - as above
            return _fault("act", error, sample_id)
        return None

    @contextmanager
    def _safe_on_error(self, stage: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.act.safe_state(_fault(stage, error, None))
            raise


def _sample_id(sensed: Sample[Any] | Fault) -> str | None:
    return sensed.sample_id if isinstance(sensed, Fault) else sensed.id


def _fault(stage: str, error: Exception, sample_id: str | None) -> Fault:
    device = error.device if isinstance(error, DeviceError) else stage
    known = isinstance(error, LinesideError)
    cause = str(error) if known else f"{type(error).__name__}: {error}"
    return Fault(stage, device, cause, sample_id)


class Stopwatch:
    """Laps in ms on the loop's own clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._last = clock, clock.monotonic()
        self.laps: dict[str, Any] = {}

    def lap(self, name: str) -> None:
        """End the lap that began at the last one."""
        now = self._clock.monotonic()
        self.laps[name] = (now - self._last) * 1000
        self._last = now
