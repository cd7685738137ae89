"""Which box is whose: the cheapest of all ways, also where the short way finds it."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics import pairing
from apps.retail_analytics.feet import looked_at
from apps.retail_analytics.motion import begin
from apps.retail_analytics.stature import Stature

FASTEST = 2.0  # heights/s
spots = st.lists(st.tuples(st.floats(0, 260), st.floats(180, 300)), min_size=1, max_size=5)


def boxes(places, height=100.0):
    found = [[x - 20, foot - height, x + 20, foot] for x, foot in places]
    return looked_at(found, [0.9] * len(found), (0, 0))


def people(places, seen=0.0):
    return [begin(k, one, seen, 1.7, Stature()) for k, one in enumerate(boxes(places))]


def numbers(pairs):
    return sorted((person.id, found.number) for person, found in pairs)


def cheapest(offers, rows, columns):
    """(how many pairs, what they cost) of the best of all ways."""
    longer = max(rows, columns)
    best = (0, 0.0)
    for way in permutations(range(longer)):
        taken = [(row, way[row]) for row in range(longer) if (row, way[row]) in offers]
        best = min(best, (-len(taken), sum(offers[pair] for pair in taken)))
    return -best[0], best[1]


@given(spots, spots)
def test_as_many_as_can_take_a_box_and_no_other_way_is_cheaper(stand, come):
    group, found = people(stand), boxes(come)
    offers = pairing._offers(group, found, 0.2, FASTEST)
    taken = numbers(pairing.assign(group, found, 0.2, FASTEST))
    assert len({row for row, _ in taken}) == len({column for _, column in taken}) == len(taken)
    count, cost = cheapest(offers, len(group), len(found))
    assert len(taken) == count
    assert sum(offers[pair] for pair in taken) == pytest.approx(cost)


def test_who_stands_alone_needs_no_comparing(monkeypatch):
    monkeypatch.setattr(pairing, "linear_sum_assignment", None)
    apart = [(50.0, 200.0), (250.0, 300.0), (450.0, 200.0)]
    taken = pairing.assign(people(apart), boxes(apart[::-1]), 0.1, FASTEST)
    assert numbers(taken) == [(0, 2), (1, 1), (2, 0)]


def test_two_people_and_two_boxes_between_them_are_the_cheapest_pairs():
    taken = pairing.assign(
        people([(100.0, 200.0), (130.0, 200.0)]),
        boxes([(135.0, 200.0), (112.0, 200.0)]), 0.1, FASTEST,
    )  # fmt: skip
    assert numbers(taken) == [(0, 1), (1, 0)]


@pytest.mark.parametrize(("away", "found"), [(50.0, 1), (60.0, 0)])
def test_nobody_has_gone_faster_than_people_go(away, found):
    """0.35 + 2 × 0.1 heights of 100 px."""
    (person,) = people([(100.0, 200.0)])
    person.place_var = 1.0
    taken = pairing.assign([person], boxes([(100.0 + away, 200.0)]), 0.1, FASTEST)
    assert len(taken) == found


@pytest.mark.parametrize(("missing", "found"), [(False, 1), (True, 0)])
def test_who_was_missing_does_not_come_back_as_two_in_one_box(missing, found):
    (person,) = people([(100.0, 200.0)])
    person.source = -1 if missing else 0
    taken = pairing.assign([person], boxes([(100.0, 200.0)], 140.0), 0.1, FASTEST)
    assert len(taken) == found


def test_overlap_by_hand():
    assert pairing.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert pairing.overlap((0, 0, 2, 2), (2, 0, 4, 2)) == 0.0
    assert pairing.overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0.0
