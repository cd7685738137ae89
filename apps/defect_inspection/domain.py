"""The nouns of an inspection, from the picture to the verdict."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from common.ports import Trigger
from common.quality import Quality

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Verdict(Enum):
    """What is decided of a part, from best to worst. Only PASS opens the gate."""

    PASS = "pass"  # noqa: S105 - a verdict
    HOLD = "hold"
    """A person shall look; on the wire it is FAIL."""
    REJECT = "reject"
    LATE = "late"
    BAD_IMAGE = "bad_image"
    NO_RESULT = "no_result"


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A part's picture and the trigger that it answers."""

    trigger: Trigger
    frame: np.ndarray
    """uint8 [H, W] grey or [H, W, 3] BGR, as the camera gave it."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect found on a part."""

    kind: str
    score: float
    """The network's confidence, 0–1."""
    box_px: Box
    size_mm: float
    """The longer side of the box, in mm on the part."""
    centre_mm: tuple[float, float]
    """From the left and the top of the picture."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was perceived of one part."""

    part_id: int
    recipe_id: int
    quality: Quality
    reason: str
    """Why the picture is BAD; then `defects` says nothing."""
    defects: tuple[Defect, ...]
    age_ms: float
    """From the trigger to the end of perceiving."""
    challenge: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one part, and why."""

    part_id: int
    verdict: Verdict
    reasons: tuple[str, ...]
    """Plain sentences, the decisive one first; empty for a pass."""
    worst: Defect | None = None
    latency_ms: float = 0.0
    line_stop: str = ""
    """Why the line must stop; empty when it may run."""
    challenge: bool = False


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge test under way: seeded pieces must all be rejected and confirmed."""

    pieces: int
    rejected: frozenset[int] = frozenset()
    passed: frozenset[int] = frozenset()
    confirmed: frozenset[int] = frozenset()
    ended: bool = False
    """Nothing came any more: not all was seen, and what still comes passes no test."""

    @property
    def outcome(self) -> str:
        """One of "running", "passed", "failed" and "incomplete"."""
        if self.passed:
            return "failed"
        if self.ended:
            return "incomplete"
        done = len(self.rejected) >= self.pieces and self.rejected <= self.confirmed
        return "passed" if done else "running"

    @property
    def all_seen(self) -> bool:
        """Whether every piece that was asked for has had its verdict."""
        return len(self.rejected | self.passed) >= self.pieces

    @property
    def closed(self) -> bool:
        """Whether no more pieces are wanted."""
        return self.ended or self.all_seen

    @property
    def over(self) -> bool:
        """Whether its outcome can be told."""
        return self.closed and self.outcome != "running"


TEST_PIECE = "/test"


def sample_id(sequence: int, part_id: int, challenge: bool = False) -> str:
    """Names one part for good: the PLC's ids wrap, the station's sequence does not.

    A seeded piece says so: a Fault knows no more of its part than this name.
    """
    return f"{sequence}/{part_id}{TEST_PIECE if challenge else ''}"


def part_number(sample: str | None) -> int:
    """The PLC's part id in a sample's id; 0 when the fault cost no part."""
    return int(sample.split("/")[1]) if sample else 0


def is_test_piece(sample: str | None) -> bool:
    """Whether the sample is a seeded piece of a challenge test."""
    return sample is not None and sample.endswith(TEST_PIECE)
