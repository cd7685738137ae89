"""What passes from the border to the archive: events to keep, and what was turned away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from common.telemetry.ranges import Range

Key = tuple[str, str]
"""Source and epoch: the sequences of one are counted by themselves."""


class EventRow(NamedTuple):
    """One row of the table `events`; times are UTC, "2026-01-01T12:00:00.123Z".

    A plain tuple, for a collector makes a hundred thousand of them a second.
    """

    source: str
    epoch: str
    sequence: int
    type: str
    subject: str
    time: str
    """When it happened, by the station's clock."""
    recorded_time: str
    """When the station stored it."""
    received_time: str
    """When the collector had it, by the collector's clock."""
    corrected_time: str
    """`time` by the collector's clock, where the station's is known to be wrong."""
    suspect: str
    """Why its time is not to be believed; "" where it is."""
    boot_id: str
    clock_quality: str
    data: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message or an event that is not kept as such."""

    topic: str
    reason: str
    raw: bytes
    """Its beginning."""
    size: int
    """Bytes of the whole."""
    received_time: str


@dataclass(frozen=True, slots=True)
class Began:
    """The first event of an epoch says where its sequences begin."""

    source: str
    epoch: str
    sequence: int
    first: int
    replaces: str = ""
    """The epoch before it; "" where there was none, or nobody knows its name."""
    lost_unknown: bool = False
    """Whether the station may have lost events before it, nobody can say how many."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A station tells what it could not keep."""

    source: str
    told_by: tuple[str, int]
    """Epoch and sequence of the telling event."""
    epoch: str
    """In which the dropped ones were numbered."""
    window: Range
    """They lie in it, other events may, too."""
    count: int


Tiding = Began | Dropped


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a source has come, for whoever watches the fleet."""

    received_time: str
    behind_s: float
    """From the newest event's recording to its arrival."""
    clock_offset_s: float | None
    """To be added to the station's times; None while it is not known."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction keeps."""

    rows: tuple[EventRow, ...] = ()
    tidings: tuple[Tiding, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    seen: Mapping[Key, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch."""

    stored: int
    duplicates: int
    rejected: int
