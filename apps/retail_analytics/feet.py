"""Where somebody stands whose box may end at the hip: told from the head and the own height.

A box is cut by who stands in front, by a shelf, or by the picture's edge, and its lower edge
is then nobody's feet. The head is seen longest: a body's height below it, as far as it is
known of this person, are the feet, and how sure that is goes with them. A height is learned
from boxes that end where it is expected; a box that is suddenly shorter proves little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.geometry import columns
from apps.retail_analytics.stature import Stature

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PLACE_NOISE = 0.06  # of a lower edge, as a share of the body's height (1 s.d.)
HEAD_NOISE = 0.05  # of an upper edge
LEAST_TRUST = 0.8  # of a foot that is seen, beside the one below the head
OPEN_GATE, COVERED_GATE = 0.2, 0.15  # shorter than expected by this share: cut
JOINED = 0.25  # higher by this share: another's feet are within
SAME_HEAD = 0.2  # heights within which the upper edge is still the same head's
SIZE_NOISE, SUREST = 0.05, 0.04  # of a box's height; the surest a body's height gets
ALIKE_S = 0.25  # errors of boxes within this time are alike
NEW_DOUBT, ODD_DOUBT = 0.08, 0.15  # of a first box's height, as usual here and not
GIVES = 0.1  # of the height: as which a box counts that seems cut, with nobody in front
FOLLOWS, GUESSED = 0.15, 4.0  # of a box in the height, while no plane is known; its variance
CLEARLY = 0.15  # closer to the usual height, as a share of it
EDGE_PX = 3.0
BEHIND, BESIDE, REACHES = 0.02, 0.3, 0.1  # shares: lower, as wide, up to the edge behind


@dataclass(frozen=True, slots=True)
class Feet:
    """What boxes say of the people who took them."""

    places: Floats
    """[n, 2] px."""
    noise: Floats
    """[n] variance of the places, in heights²."""
    heights: Floats
    """[n] px, of the whole body there."""
    doubt: Floats
    """[n] of the heights (1 s.d.), as a share."""
    hidden: Flags
    """[n] the feet were not seen."""
    whole: Flags
    """[n] seen from head to foot as far as anybody knows: to learn from."""


@dataclass(frozen=True, slots=True)
class Body:
    """What is known of people before they are looked at again."""

    sizes: Floats
    """[n, 2] width and height of the whole body, px."""
    shares: Floats
    """[n] of the usual height there."""
    doubt: Floats
    """[n] of the height (1 s.d.), as a share."""
    known: bool
    """Whether it is known how heights change on the way through the picture."""


@dataclass(frozen=True, slots=True)
class Found:
    """The boxes of one picture, and what is known of their edges."""

    boxes: Floats
    """[n, 4] left, top, right, bottom, px."""
    front: Flags
    """[n] the lower edge is behind somebody nearer, or at the picture's lower edge."""
    headless: Flags
    """[n] the upper edge is at the picture's."""
    wide: int
    """Of the picture, px; 0: not known."""

    def some(self, which: NDArray[np.int64]) -> "Found":
        """Some of them."""
        return Found(self.boxes[which], self.front[which], self.headless[which], self.wide)

    @property
    def heads(self) -> Floats:
        """[n, 2] the middle of each upper edge."""
        return columns((self.boxes[:, 0] + self.boxes[:, 2]) / 2, self.boxes[:, 1])

    @property
    def heights(self) -> Floats:
        """[n] px, at least 1."""
        return np.maximum(self.boxes[:, 3] - self.boxes[:, 1], 1.0)

    def middles(self, widths: Floats) -> Floats:
        """[n] of bodies so wide: of one that the picture's side cuts, from its other edge."""
        left, right = self.boxes[:, 0], self.boxes[:, 2]
        middle = (left + right) / 2
        if not self.wide:
            return np.asarray(middle)
        half = np.maximum(right - left, widths) / 2
        cut_left, cut_right = left <= EDGE_PX, right >= self.wide - EDGE_PX
        middle = np.where(cut_left & ~cut_right, right - half, middle)
        return np.where(cut_right & ~cut_left, left + half, middle)


def looked_at(boxes: Floats, size: tuple[int, int]) -> Found:
    """Boxes [n, 4] in a picture of this width and height; 0: not known."""
    left, top, right, bottom = boxes.T
    high, wide = bottom - top, np.maximum(right - left, 1.0)
    shared = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    nearer = bottom > (bottom + BEHIND * high)[:, None]
    reaches = top < (bottom + REACHES * high)[:, None]
    front = ((shared > BESIDE * wide[:, None]) & nearer & reaches).any(1)
    headless = np.zeros(len(boxes), bool)
    if size[1]:
        front, headless = front | (bottom >= size[1] - EDGE_PX), top <= EDGE_PX
    return Found(boxes, front, headless, size[0])


def told(found: Found, body: Body, expected: Floats, step: Floats) -> Feet:
    """Of people whose heads were `expected` [n] px down, seen `step` [n] s ago."""
    top, bottom, heights = found.boxes[:, 1], found.boxes[:, 3], body.sizes[:, 1]
    ratio = found.heights / heights
    same = (np.abs(top - expected) < SAME_HEAD * heights) & ~found.headless
    if not body.known:
        return _followed(found, body, ratio, same)
    cut = same & (ratio < 1 - np.where(found.front, COVERED_GATE, OPEN_GATE))
    joined = same & (ratio > 1 + JOINED + 2 * body.doubt)
    hidden, doubt = cut | joined, body.doubt
    if hidden.any():
        learned = hidden & _more_usual(ratio, body.shares)
        hidden, doubt = hidden & ~learned, np.where(learned, ODD_DOUBT, doubt)
    by_head = HEAD_NOISE**2 + doubt**2
    trust = np.maximum(LEAST_TRUST, by_head / (by_head + PLACE_NOISE**2))
    trust = np.where(hidden, 0.0, np.where(found.headless, 1.0, trust))
    foot = trust * bottom + (1 - trust) * (top + heights)
    apart = np.where(hidden, -GIVES, ratio - 1)
    nothing = (joined & hidden) | ~same | found.front
    size_noise = SIZE_NOISE**2 * np.maximum(1.0, ALIKE_S / np.maximum(step, 1e-3))
    gain = np.where(nothing, 0.0, doubt**2 / (doubt**2 + size_noise))
    return Feet(
        columns(found.middles(body.sizes[:, 0]), foot),
        np.where(hidden, by_head, PLACE_NOISE**2),
        heights * (1 + gain * apart), np.maximum(SUREST, doubt * np.sqrt(1 - gain)),
        hidden, ~hidden & ~found.front & ~found.headless,
    )  # fmt: skip


def _followed(found: Found, body: Body, ratio: Floats, same: Flags) -> Feet:
    """As long as a body's height may be another a step further: by what the last boxes were."""
    heights = body.sizes[:, 1]
    cut, joined = same & (ratio < 1 - OPEN_GATE), same & (ratio > 1 + JOINED)
    hidden = cut | joined
    foot = np.where(hidden, found.boxes[:, 1] + heights, found.boxes[:, 3])
    gain = np.where(cut, 0.0, FOLLOWS)
    return Feet(
        columns(found.middles(body.sizes[:, 0]), foot),
        PLACE_NOISE**2 * np.where(hidden, GUESSED, 1.0),
        heights * (1 + gain * (ratio - 1)), body.doubt,
        hidden, ~hidden & ~found.front & ~found.headless,
    )  # fmt: skip


def _more_usual(ratio: Floats, shares: Floats) -> Flags:
    """[n] where the box's height is clearly more usual here than the one taken for the own.

    Who was first seen behind a shelf walks out of it; who was two in one box is one again.
    """
    return np.asarray(np.abs(np.log(shares * ratio)) < np.abs(np.log(shares)) - CLEARLY)


def first(found: Found, stature: Stature) -> Feet:
    """Of people seen for the first time: whose feet are covered is as high as people are."""
    high = found.heights
    usual = stature.usual(found.heads) if stature.known else high
    ratio = high / usual
    hidden = found.front & ~found.headless & (ratio < 1 - COVERED_GATE)
    odd = (ratio < 1 - OPEN_GATE) | (ratio > 1 + JOINED)
    heights, doubt = np.where(hidden, usual, high), np.where(odd, ODD_DOUBT, NEW_DOUBT)
    places = columns(found.heads[:, 0], found.boxes[:, 1] + heights)
    noise = PLACE_NOISE**2 + np.where(hidden, doubt**2, 0.0)
    return Feet(places, noise, heights, doubt, hidden, ~hidden & ~found.front)
