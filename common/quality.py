"""How far a value may be trusted; carried by every sample and shown on every screen."""

from enum import Enum


class Quality(Enum):
    """Ordered from best to worst."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"
    STALE = "stale"
