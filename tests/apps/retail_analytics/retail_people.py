"""People drawn as tracks and boxes, for the tests of counting."""

from apps.retail_analytics.config import Counting
from apps.retail_analytics.decide import CameraState, Rules, Scene
from apps.retail_analytics.domain import Track, View
from apps.retail_analytics.geometry import Line, Zone
from common.quality import Quality

DOOR = Line("door", (0.0, 0.0), (4.0, 0.0))
"""On the floor, in m: "in" is towards positive y."""
SHELF = Zone("shelf", ((0.0, 1.0), (4.0, 1.0), (4.0, 3.0), (0.0, 3.0)))
FPS = 15.0


def person(number, x, y, *, confirmed=True, detected=True, unsure=(0.0, 0.0)):
    return Track(number, (x, y), 1.0, confirmed, detected, unsure)


def walk(number, start, end, steps):
    """Tracks from one place to another, one per view."""
    (x1, y1), (x2, y2) = start, end
    shares = [index / max(1, steps - 1) for index in range(steps)]
    return [person(number, x1 + s * (x2 - x1), y1 + s * (y2 - y1)) for s in shares]


def played(views, *, scene=None, rules=None, fps=FPS):
    """All decisions on views given as lists of tracks (None: the camera shows nothing)."""
    decide = Rules(scene or Scene("cam", (DOOR,), (SHELF,)), rules or Counting())
    state, decisions = CameraState(), []
    for index, tracks in enumerate(views):
        dark = tracks is None
        view = View(
            "cam", (index + 1) / fps, () if dark else tuple(tracks),
            Quality.BAD if dark else Quality.GOOD, "dark: mean grey 2 of 255" if dark else "",
        )  # fmt: skip
        state, decision = decide(state, view)
        decisions.append(decision)
    return decisions


def crossings(views, **more):
    """(direction, track) of every crossing, in order."""
    return [
        (crossing.direction, crossing.track)
        for decision in played(views, **more)
        for crossing in decision.crossings
    ]


def directions(views, **more):
    return [direction for direction, _ in crossings(views, **more)]
