"""What a camera sees of each body where people and shelves hide each other.

Bodies are drawn as they are in the pictures, the far ones first, as numbers instead of
colours; what is left of a number is what is seen of that person.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.shop.figures import BLOCKS, FURNITURE_M, block, far_first, figure
from apps.retail_analytics.shop.people import Person
from apps.retail_analytics.shop.view import Pinhole

Floats = NDArray[np.float64]
Body = tuple[NDArray[np.bool_], tuple[slice, slice]]
"""A body's pixels, and which part of the picture they lie in."""
NOBODY = -1


@dataclass(frozen=True)
class Sight:
    """What is seen of one person."""

    box: Floats
    """[4] left, top, right and bottom in px of what is seen; all 0 when nothing is."""
    hidden: Floats
    """[4] the edges as shares that are hidden: 0 where the body's own edge is seen, 0.4 of
    the bottom where the legs are hidden up to 0.4 of its height. What lies beyond the
    picture's edge is not hidden, but cut by the picture."""
    share: float
    """Of the body in the picture that is seen."""


UNSEEN = Sight(np.zeros(4), np.zeros(4), 0.0)


def seen(view: Pinhole, people: list[Person]) -> list[Sight]:
    """What the camera sees of each person."""
    drawing = np.full((view.height, view.width), NOBODY, np.int32)
    bodies: dict[int, Body] = {}
    for index in far_first(view, people):
        if index < len(people):
            body = _body(view, people[index])
            if body is not None:
                bodies[index] = body
                drawing[body[1]][body[0]] = index
        else:
            _hide(view, drawing, BLOCKS[index - len(people)])
    return [_seen(drawing, index, bodies.get(index)) for index in range(len(people))]


def _hide(view: Pinhole, drawing: NDArray[np.int32], spot: tuple[float, float]) -> None:
    outline = block(view, spot, FURNITURE_M)
    if outline is not None:
        cv2.fillConvexPoly(drawing, outline, NOBODY)


def _body(view: Pinhole, person: Person) -> Body | None:
    strokes = figure(view, person)
    if not strokes:
        return None
    ends = np.array([end for stroke in strokes for end in (stroke.start, stroke.end)])
    widest = max(stroke.width for stroke in strokes)
    left, top = (ends.min(0) - widest).clip(0).tolist()
    right, bottom = (ends.max(0) + widest + 1).clip(0, (view.width, view.height)).tolist()
    if right <= left or bottom <= top:
        return None
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    for stroke in strokes:
        stroke.draw(canvas, 1, left, top)
    return canvas > 0, (slice(top, bottom), slice(left, right))


def _seen(drawing: NDArray[np.int32], index: int, body: Body | None) -> Sight:
    if body is None or not body[0].any():
        return UNSEEN
    own, part = body
    left = own & (drawing[part] == index)
    if not left.any():
        return UNSEEN
    whole, rest = _edges(own), _edges(left)
    wide, high = whole[2] - whole[0], whole[3] - whole[1]
    hidden = np.abs(rest - whole) / np.array([wide, high, wide, high])
    corner = np.array([part[1].start, part[0].start] * 2)
    return Sight(rest + corner, hidden, float(left.sum() / own.sum()))


def _edges(mask: NDArray[np.bool_]) -> Floats:
    """Left, top, right and bottom of what is True."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
