"""Which box is whose: each person takes at most one, and together they are the likeliest.

Among few people nobody mostly has a choice: then all that may be is taken as it is.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from apps.retail_analytics.domain import Box
from apps.retail_analytics.feet import PLACE_VAR, Found
from apps.retail_analytics.person import NOBODYS, Person

GATE = 2.8**2  # variances a detection may be away from where it was expected
SHORTEST, TALLEST = -0.9, 0.9  # logarithms of a box's height beside the expected one
TALL = math.log(1.25)  # of the usual height: two people in one box
OVERLAP = 0.3  # a box that overlaps the expected one this much may be the same person's
IMPOSSIBLE = 1e6
HIDDEN = 2.0  # what it costs that only the head is where it was expected, in variances
ODD = 8.0  # what a height other than expected costs, in squares of its logarithm
REACH = 0.35  # heights that a box may be off however lately somebody was seen

Offers = dict[tuple[int, int], float]
"""What a box costs a person, by their places in the lists; only what may be."""


def assign(
    people: Sequence[Person], found: Sequence[Found], now: float, fastest: float
) -> list[tuple[Person, Found]]:
    """Who takes which of the boxes; nobody has gone faster than `fastest` heights/s."""
    if not people or not found:
        return []
    offers = _offers(people, found, now, fastest)
    chosen: Iterable[tuple[int, int]] = offers
    if len(offers) > len(found) or _rivals(offers):
        costs = np.full((len(people), len(found)), IMPOSSIBLE)
        for pair, cost in offers.items():
            costs[pair] = cost
        rows, columns = linear_sum_assignment(costs)
        chosen = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(people[row], found[column]) for row, column in chosen if (row, column) in offers]


def _rivals(offers: Offers) -> bool:
    """Whether anybody has a choice of boxes, or any box of people."""
    rows, columns = {row for row, _ in offers}, {column for _, column in offers}
    return len(rows) < len(offers) or len(columns) < len(offers)


def _offers(
    people: Sequence[Person], found: Sequence[Found], now: float, fastest: float
) -> Offers:
    """What may be; of most boxes no more is looked at than how far to the side they are."""
    middles = [one.x for one in found]
    order = sorted(range(len(found)), key=middles.__getitem__)
    middles.sort()
    offers = {}
    for row, person in enumerate(people):
        far = (REACH + fastest * (now - person.seen)) * person.height
        start, end = bisect_left(middles, person.x - far), bisect_right(middles, person.x + far)
        if start < end:
            for column, cost in _costs(person, found, order[start:end], far):
                offers[row, column] = cost
    return offers


def _costs(
    person: Person, found: Sequence[Found], columns: Iterable[int], far: float
) -> Iterator[tuple[int, float]]:
    """How unlikely it is that these boxes are this person, who has gone less than `far` px."""
    x, y, height = person.x, person.y, person.height
    head, expected, spread = y - height, person.box, person.place_var + PLACE_VAR
    unit, usual = spread * height * height, math.log(spread)
    tallest = TALL if person.source == NOBODYS else TALLEST
    up, down, head_up, head_down, most = y - far, y + far, head - far, head + far, far * far
    for column in columns:
        one = found[column]
        if not (up < one.bottom < down or head_up < one.top < head_down):
            continue
        sideways, lower, higher = one.x - x, one.bottom - y, one.top - head
        sideways *= sideways
        # feet hidden: the head says
        away, by_head = sideways + lower * lower, sideways + higher * higher
        if away >= most and by_head >= most:
            continue
        unlikely, hidden = away / unit, by_head / unit + HIDDEN
        unlikely = unlikely if unlikely < hidden else hidden
        if unlikely >= GATE:
            shared = overlap(expected, one.box)
            if shared <= OVERLAP:
                continue
            doubtful = GATE + 4.0 * (1.0 - shared)
            unlikely = unlikely if unlikely < doubtful else doubtful
        ratio = math.log(one.height / height)
        if SHORTEST < ratio < tallest:  # nobody comes back as two in one box
            yield column, unlikely + ODD * ratio * ratio + usual


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    left, top, right, bottom = one
    left_2, top_2, right_2, bottom_2 = other
    wide = (right if right < right_2 else right_2) - (left if left > left_2 else left_2)
    high = (bottom if bottom < bottom_2 else bottom_2) - (top if top > top_2 else top_2)
    if wide <= 0.0 or high <= 0.0:
        return 0.0
    both = (right - left) * (bottom - top) + (right_2 - left_2) * (bottom_2 - top_2)
    return wide * high / (both - wide * high)
