"""Where somebody stands whose box may end at the hip: told from the head and the own height.

A box is cut by who stands in front, by a shelf, or by the picture's edge, and its lower edge
is then nobody's feet. The head is seen longest: a body's height below it, as far as it is
known of this person, are the feet, and how sure that is goes with them. A height is learned
from boxes that end where it is expected; a box that is suddenly shorter proves little.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from apps.retail_analytics.domain import Box
from apps.retail_analytics.person import Person
from apps.retail_analytics.stature import Stature

PLACE_VAR = 0.06**2  # of a lower edge, in heights of the body²
HEAD_VAR = 0.05**2  # of an upper edge
LEAST_TRUST = 0.8  # of a foot that is seen, beside the one below the head
OPEN_GATE, COVERED_GATE = 0.2, 0.15  # shorter than expected by this share: cut
JOINED = 0.25  # higher by this share: another's feet are within
SAME_HEAD = 0.2  # heights within which the upper edge is still the same head's
SIZE_VAR, SUREST = 0.05**2, 0.04  # of a box's height; the surest (1 s.d.) a body's gets
ALIKE_S = 0.25  # errors of boxes within this time are alike
NEW_DOUBT, ODD_DOUBT = 0.08, 0.15  # of a first box's height, as usual here and not
GIVES = 0.1  # of the height: as which a box counts that seems cut, with nobody in front
FOLLOWS, GUESSED = 0.15, 4.0  # of a box in the height, while no plane is known; its variance
CLEARLY = 0.15  # closer to the usual height, as a share of it
EDGE_PX = 3.0
BEHIND, BESIDE, REACHES = 0.02, 0.3, 0.1  # shares: lower, as wide, up to the edge behind


@dataclass(slots=True)
class Feet:
    """What a box says of the person who took it."""

    x: float
    y: float
    """In px."""
    noise: float
    """Variance of the place, in heights²."""
    height: float
    """Of the whole body there, px."""
    doubt: float
    """Of the height (1 s.d.), as a share."""
    hidden: bool
    """The feet were not seen."""
    whole: bool
    """Seen from head to foot as far as anybody knows: to learn from."""


@dataclass(slots=True)
class Found:
    """One box of a picture, and what is known of its edges."""

    number: int
    """Among the detections of the picture, from 0."""
    score: float
    box: Box
    left: float
    top: float
    right: float
    bottom: float
    """The box once more, in px."""
    x: float
    """The middle."""
    width: float
    height: float
    """At least 1 px."""
    front: bool
    """The lower edge is behind somebody nearer, or at the picture's lower edge."""
    headless: bool
    """The upper edge is at the picture's."""
    wide: int
    """Of the picture, px; 0: not known."""

    def middle(self, width: float) -> float:
        """Of a body so wide: of one that the picture's side cuts, from its other edge."""
        cut_left, cut_right = self.left <= EDGE_PX, self.right >= self.wide - EDGE_PX
        if not self.wide or cut_left == cut_right:
            return self.x
        half = max(self.width, width) / 2
        return self.right - half if cut_left else self.left + half


def looked_at(
    boxes: Iterable[Box], scores: Iterable[float], size: tuple[int, int]
) -> list[Found]:
    """Boxes with their scores in a picture of this width and height; 0: not known."""
    wide, high = size
    floor, ceiling = (high - EDGE_PX, EDGE_PX) if high else (math.inf, -math.inf)
    found = []
    for number, (box, score) in enumerate(zip(boxes, scores, strict=True)):
        left, top, right, bottom = box
        width, height = right - left, bottom - top
        found.append(
            Found(
                number, score, box, left, top, right, bottom, (left + right) / 2,
                width if width > 1.0 else 1.0, height if height > 1.0 else 1.0,
                bottom >= floor, top <= ceiling, wide,
            )
        )  # fmt: skip
    _look_behind(found)
    return found


def _look_behind(found: list[Found]) -> None:
    """Mark who has somebody in front: only boxes that share columns are compared."""
    ordered = sorted(found, key=attrgetter("left"))
    for index, one in enumerate(ordered, start=1):
        for other in ordered[index:]:
            if other.left >= one.right:
                break
            near, far = (one, other) if one.bottom > other.bottom else (other, one)
            if not far.front:
                far.front = _covers(near, far)


def _covers(near: Found, far: Found) -> bool:
    high = far.bottom - far.top
    if near.top >= far.bottom + REACHES * high or near.bottom <= far.bottom + BEHIND * high:
        return False
    right = near.right if near.right < far.right else far.right
    left = near.left if near.left > far.left else far.left
    return right - left > BESIDE * far.width


def told(found: Found, person: Person, height: float, known: bool, now: float) -> Feet:
    """Of somebody who was expected with a body so high, px.

    `known` says whether it is known how heights change on the way through the picture.
    """
    ratio, doubt, expected = found.height / height, person.doubt, person.y - person.height
    same = abs(found.top - expected) < SAME_HEAD * height and not found.headless
    if not known:
        return _followed(found, person, height, same)
    cut = same and ratio < 1 - (COVERED_GATE if found.front else OPEN_GATE)
    joined = same and ratio > 1 + JOINED + 2 * doubt
    hidden = cut or joined
    if hidden and _more_usual(ratio, person.share):
        hidden, doubt = False, ODD_DOUBT
    by_head = HEAD_VAR + doubt * doubt
    foot = found.top + height  # where the head says
    if not hidden:
        trust = 1.0 if found.headless else by_head / (by_head + PLACE_VAR)
        trust = trust if trust > LEAST_TRUST else LEAST_TRUST
        foot = trust * found.bottom + (1 - trust) * foot
    gain = 0.0
    if same and not found.front and not (joined and hidden):
        step = now - person.seen
        size_var = SIZE_VAR if step >= ALIKE_S else SIZE_VAR * ALIKE_S / max(step, 1e-3)
        gain = doubt * doubt / (doubt * doubt + size_var)
    height *= 1 + gain * (-GIVES if hidden else ratio - 1)
    doubt *= math.sqrt(1 - gain)
    return Feet(
        found.middle(person.width), foot, by_head if hidden else PLACE_VAR,
        height, doubt if doubt > SUREST else SUREST,
        hidden, not (hidden or found.front or found.headless),
    )  # fmt: skip


def _followed(found: Found, person: Person, height: float, same: bool) -> Feet:
    """As long as a body's height may be another a step further: by what the last boxes were."""
    ratio = found.height / height
    cut, joined = same and ratio < 1 - OPEN_GATE, same and ratio > 1 + JOINED
    hidden, gain = cut or joined, 0.0 if cut else FOLLOWS
    return Feet(
        found.middle(person.width), found.top + height if hidden else found.bottom,
        PLACE_VAR * (GUESSED if hidden else 1.0),
        height * (1 + gain * (ratio - 1)), person.doubt,
        hidden, not (hidden or found.front or found.headless),
    )  # fmt: skip


def _more_usual(ratio: float, share: float) -> bool:
    """Whether the box's height is clearly more usual here than the one taken for the own.

    Who was first seen behind a shelf walks out of it; who was two in one box is one again.
    """
    return abs(math.log(share * ratio)) < abs(math.log(share)) - CLEARLY


def first(found: Found, stature: Stature) -> Feet:
    """Of somebody seen for the first time: whose feet are covered is as high as people are."""
    high = found.height
    usual = stature.usual(found.x, found.top) if stature.known else high
    ratio = high / usual
    hidden = found.front and not found.headless and ratio < 1 - COVERED_GATE
    doubt = NEW_DOUBT if 1 - OPEN_GATE <= ratio <= 1 + JOINED else ODD_DOUBT
    height = usual if hidden else high
    noise = PLACE_VAR + (doubt * doubt if hidden else 0.0)
    whole = not (hidden or found.front)
    return Feet(found.x, found.top + height, noise, height, doubt, hidden, whole)
