"""What a source says, whatever it speaks: the neutral form of everything that comes in."""

from dataclasses import dataclass
from typing import NamedTuple

from apps.patient_monitoring.domain import Sign
from common.errors import LinesideError


class Value(NamedTuple):
    """One sign, as its source measured it."""

    sign: Sign
    value: float
    """NaN: the source says "not available"."""
    flags: int = 0
    """Bits of `Flag` that the source itself sets."""
    at: float | None = None
    """When it was measured by the source's clock (wall, UTC s); None: when it was sent."""
    interval_s: float = 0.0
    """See `Readings.interval_s`."""
    repeated: bool = False
    """A spot value that may be the last one said again: without a time of its own it stays
    as old as it was when it was first said."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One message's worth of signs of one patient."""

    way: str
    """hl7, mqtt, fhir or replay."""
    source: str
    """The device or system that says so."""
    id: str
    """The source's own number of the message; empty where it has none."""
    patient: str
    """As the hospital names them; never kept, see `identity`."""
    bed: str
    """This gateway's name of the bed."""
    sent: float
    """By the source's clock: wall, UTC s."""
    values: tuple[Value, ...]


class Refused(LinesideError):
    """What came is not taken: `reason` is counted, the text is for who sent it."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.counted = False
