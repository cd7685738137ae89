"""The nouns of people counting, from the picture to the count."""

from dataclasses import dataclass

import numpy as np

from common.quality import Quality

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in px."""
Point = tuple[float, float]

IN, OUT = "in", "out"
STANDING_M = 1.7
"""The height a person is taken to have where no floor is known."""


@dataclass(frozen=True, slots=True)
class Track:
    """One person as one camera follows them now; forgotten within a minute."""

    id: int
    """Random, of this process only; says nothing of who it is."""
    spot: Point
    """Where the person stands: metres on the floor, or px where no floor is known."""
    metre: float
    """What one metre is there, in the units of `spot`: 1 on the floor, else px."""
    confirmed: bool
    """Seen often enough to be a person; a track that is not is never counted."""
    detected: bool = True
    """Seen in this picture; False: only expected here."""
    unsure: Point = (0.0, 0.0)
    """Where the feet are not seen: how far, and which way, they may be off (1 s.d.)."""


@dataclass(frozen=True, slots=True)
class View:
    """What one camera sees at one time."""

    camera: str
    monotonic: float
    """Seconds; what dwell and waits count in."""
    tracks: tuple[Track, ...] = ()
    quality: Quality = Quality.GOOD
    reason: str = ""
    """Why the view is not GOOD; then `tracks` says nothing, not even "nobody"."""
    held: bool = False
    """Nothing moved: these are the last view's tracks, not a new look."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A person went over a line."""

    line: str
    direction: str
    """IN: from its negative to its positive side; OUT: back."""
    track: int
    monotonic: float


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay in a zone that has ended."""

    zone: str
    track: int
    entered: float
    left: float
    """Both monotonic, s; gaps shorter than the bridging are inside."""

    @property
    def dwell_s(self) -> float:
        """How long the stay was."""
        return self.left - self.entered


@dataclass(frozen=True, slots=True)
class Wait:
    """A person's time in a queue, over now."""

    zone: str
    track: int
    joined: float
    ended: float
    served: bool
    """Reached the till; False: left the queue without it."""

    @property
    def wait_s(self) -> float:
        """From joining to the till, or to leaving."""
        return self.ended - self.joined


@dataclass(frozen=True, slots=True)
class StaffCall:
    """Another till is needed at a queue, or no longer."""

    zone: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What one view added to the day: handed on as numbers, kept as none of them."""

    camera: str
    monotonic: float
    seconds: float
    """Time since this camera's view before: what occupancy and queues are weighted with."""
    usable: bool
    reason: str = ""
    """Why this time counts as not observed."""
    crossings: tuple[Crossing, ...] = ()
    visits: tuple[Visit, ...] = ()
    waits: tuple[Wait, ...] = ()
    calls: tuple[StaffCall, ...] = ()
    present: dict[str, frozenset[int]] | None = None
    """Per zone, who is in it now."""
    joined: dict[str, int] | None = None
    """Per queue, how many joined it at this view."""
    spots: tuple[tuple[int, Point], ...] = ()
    """Where confirmed people stand, for the heat map."""


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """One camera's picture, on its way to numbers; it lives in memory only."""

    camera: str
    frame: np.ndarray | None
    """uint8 [H, W, 3] BGR or [H, W] grey, masks burnt in; None: there is no picture."""
