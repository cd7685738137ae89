"""What hardware must provide, on one page.

Apps are wired to these protocols and never see a vendor's library; every implementation,
the simulated ones included, runs through the same contract tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

import numpy as np

from common.quality import Quality

Data = TypeVar("Data")
Arrays = Mapping[str, np.ndarray]


class Clock(Protocol):
    """Wall time for people, monotonic time for rules."""

    def wall(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Sample(Generic[Data]):
    """One thing sensed, with its times; order is by `sequence`, never by wall clock."""

    id: str
    data: Data
    sequence: int
    wall_time: float
    """UTC, seconds since 1970, when the device delivered it."""
    monotonic: float
    """Seconds; what deadlines and timers count from."""
    quality: Quality = Quality.GOOD
    reason: str = ""
    """Why the quality is not GOOD."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and dtype of one input or output; -1 is a free dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class Runtime(Protocol):
    """Runs one network: named arrays to named arrays, nothing more.

    Raises RuntimeFailure when inference fails; never returns an empty stand-in.
    """

    name: str
    device: str
    """The device that really runs it, e.g. "CPU"."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]: ...
    def close(self) -> None: ...


class Camera(Protocol):
    """Delivers one picture for one part.

    `capture` returns uint8 [H, W] (grey) or [H, W, 3] (BGR) or raises CameraError; it
    reconnects by itself on the next call.
    """

    name: str

    def capture(self, trigger: "Trigger") -> np.ndarray: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Trigger:
    """A part is in front of the camera: what the PLC says of it."""

    part_id: int
    """1 … 65535, then 1 again; 0 is "none"."""
    encoder: int = 0
    recipe_id: int = 0
    batch: int = 0
    challenge: bool = False
    """A seeded test piece: it must be rejected, and the rejection confirmed."""
    since: float | None = field(default=None, compare=False)
    """Monotonic s when it can first have come; None where the gate cannot tell."""


class ResultCode(IntEnum):
    """What the PLC is told of a part. Only PASS opens the gate."""

    NONE = 0
    PASS = 1
    FAIL = 2
    NO_RESULT = 3
    LATE = 4
    BAD_IMAGE = 5


@dataclass(frozen=True, slots=True)
class PartResult:
    """The answer to one trigger."""

    part_id: int
    code: ResultCode
    encoder: int = 0
    defect_class: int = 0
    """1 + index of the worst defect's kind; 0 is none."""
    score: float = 0.0
    latency_ms: int = 0
    error_code: int = 0


@dataclass(frozen=True, slots=True)
class PlcView:
    """What vision last read from the PLC."""

    mode: int
    """PackML mode: 1 production, 2 maintenance, 3 manual."""
    state: int
    """PackML state, 1 … 17; 6 is Execute."""
    heartbeat_alive: bool
    """It was seen to change lately: nothing passes before."""
    heartbeat_lost: bool
    """It was given its time and did not change."""
    confirmed_id: int
    """Last part that the confirm eye saw leave through the rejector."""
    reject_faults: int
    """Bits: 0 bin full, 1 air low, 2 confirm missing, 3 track lost."""
    consecutive_rejects: int
    line_speed_mm_s: int
    recipe_id: int
    refused: int = 0
    """Triggers since the start that name no new part: id 0, or one used just before."""
    stale: int = 0
    """Triggers since the start that were found too late: their part may be gone."""


@dataclass(frozen=True, slots=True, eq=False)
class VibrationReading:
    """One record of one machine's accelerometer, as a source delivered it: not yet judged."""

    asset: str
    acceleration: np.ndarray
    """[axes, samples] in m/s²; no samples: only the values beside it came, or nothing."""
    fs_hz: float
    sensor: str = ""
    """Its serial number or address; "" where the source does not say."""
    sequence: int | None = None
    """The sensor's own count of records; None is not counted."""
    wall_time: float | None = None
    """When it was taken by the sensor's clock: UTC, s since 1970; None is not known."""
    elapsed_s: float | None = None
    """A replay's or simulator's own time; None: it counts from when it arrives."""
    rpm: float | None = None
    rpm_change: float | None = None
    """r/min from the first to the last sample."""
    load: float | None = None
    """Share of the rated load."""
    temperature_c: float | None = None
    missing: int = 0
    """Samples that the sensor knows to be lost in it."""
    fault: str = ""
    """Why nothing of it may be used; empty when it came whole."""


class VibrationSource(Protocol):
    """Delivers records of machines' vibration.

    `poll` gives what has come, waiting at most `timeout_s` for the first; what came broken
    is a reading with a fault. It raises SensorError while the source is away, and
    reconnects by itself.
    """

    name: str
    dropped: int
    """Readings given up since the start because nobody fetched them in time."""

    def poll(self, timeout_s: float) -> list[VibrationReading]: ...
    def close(self) -> None: ...


class LightState(IntEnum):
    """What a stack light says of a plant's machines; FAULT: nothing is known."""

    FAULT = 0
    RUN = 1
    WATCH = 2
    PLAN = 3
    STOP = 4


class StatusLight(Protocol):
    """A light that people see; `show` raises PlcError when it cannot be told."""

    name: str

    def show(self, state: LightState) -> None: ...
    def close(self) -> None: ...


class PartGate(Protocol):
    """The PLC as an inspection sees it: triggers in, verdicts out, fail-safe.

    Methods raise PlcError when the PLC does not answer; the next call reconnects.
    """

    name: str
    most_open: int
    """Parts that may wait for their answer at once; 1: the next comes after the answer."""

    def wait_for_part(self, timeout_s: float) -> Trigger | None:
        """The next part's trigger, acknowledged; None when none came in time."""

    def exposed(self) -> None:
        """Tell the PLC that the picture is taken and the part may move."""

    def answer(self, result: PartResult) -> None:
        """Write the result words, then the valid bit in a second transaction."""

    def beat(self) -> None:
        """Advance our heartbeat: called only after completed work."""

    def accept_recipe(self, recipe_id: int, known: bool) -> None:
        """Acknowledge the PLC's recipe, or say that we do not have it."""

    def request(self, line_stop: bool, challenge: bool) -> None:
        """Ask the PLC to stop the line, or to feed challenge pieces."""

    def safe_state(self, reason: str) -> None:
        """Nothing passes: drop permits and say so; must not raise."""

    def view(self) -> PlcView | None:
        """What the PLC last said of itself; None before the first reading."""

    def close(self) -> None: ...
