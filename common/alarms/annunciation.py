"""How each state looks and sounds (DOMAIN E1): one table for all screens and horns.

The priority decides colour, shape and number, and which tone; the state decides whether
it sounds at all and whether it flashes.
"""

from dataclasses import dataclass
from enum import StrEnum

from common.alarms.engine import State


class Look(StrEnum):
    """What the mark of an alarm does."""

    NONE = "none"
    FLASHING = "flashing"
    """Colour and symbol, flashing: nobody has taken note."""
    STEADY = "steady"
    OUTLINE = "outline"
    """Drawn empty: it is gone, but nobody has taken note."""
    SHELVED = "S"
    """The letter S, in the list of shelved alarms."""
    LISTED = "listed"
    """No mark; only a line in the list of what is suppressed or out of service."""


@dataclass(frozen=True, slots=True)
class Annunciation:
    """How one state asks for attention."""

    audible: bool
    look: Look


ANNUNCIATION = {
    State.NORM: Annunciation(audible=False, look=Look.NONE),
    State.UNACK: Annunciation(audible=True, look=Look.FLASHING),
    State.ACKED: Annunciation(audible=False, look=Look.STEADY),
    State.RTNUN: Annunciation(audible=False, look=Look.OUTLINE),
    State.LATCHED_UNACK: Annunciation(audible=True, look=Look.FLASHING),
    State.LATCHED_ACK: Annunciation(audible=False, look=Look.STEADY),
    State.SHELVED: Annunciation(audible=False, look=Look.SHELVED),
    State.SUPPRESSED_BY_DESIGN: Annunciation(audible=False, look=Look.LISTED),
    State.OUT_OF_SERVICE: Annunciation(audible=False, look=Look.LISTED),
}


def annunciation(state: str) -> Annunciation:
    """How `state` asks for attention; one that is not known does as loudly as any."""
    known = State(state) if state in State.__members__ else State.UNACK
    return ANNUNCIATION[known]
