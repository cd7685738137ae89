from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.part_ids import LAST_ID, LONGEST_GAP, LONGEST_GAP_BACK, missed_ids, next_id


def test_ids_skip_zero():
    assert [next_id(0), next_id(65534), next_id(65535)] == [1, 65535, 1]


@pytest.mark.parametrize(
    ("last", "new", "missed"),
    [
        (0, 4711, 0),
        (9, 9, 0),
        (500, 1, 0),
        (1, 2 + LONGEST_GAP, LONGEST_GAP),
        (1, 3 + LONGEST_GAP, 0),
        (60_000, 1, 0),
        (LAST_ID, 1 + LONGEST_GAP_BACK, LONGEST_GAP_BACK),
        (LAST_ID, 2 + LONGEST_GAP_BACK, 0),
    ],
    ids=[
        "start",
        "same",
        "restart",
        "widest gap",
        "a wider jump",
        "restart of a high number",
        "widest gap at the wrap",
        "a wider one",
    ],
)
def test_a_start_a_repeat_and_a_restart_are_no_gap(last, new, missed):
    assert len(missed_ids(last, new)) == missed


@given(st.integers(1, LAST_ID), st.integers(1, LONGEST_GAP_BACK))
def test_between_two_triggers_every_id_comes_out_once(last, step):
    ids, at = [], last
    for _ in range(step):
        at = at % LAST_ID + 1
        ids.append(at)
    assert [*missed_ids(last, ids[-1]), ids[-1]] == ids
    assert 0 not in ids


@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, LAST_ID))
def test_a_run_with_gaps_is_complete_and_in_order(steps, first):
    ids, at = [first], first
    for step in steps:
        at = (at + step - 1) % LAST_ID + 1
        ids.append(at)
    total = 1 + sum(steps)
    seen = [first] + [m for a, b in pairwise(ids) for m in [*missed_ids(a, b), b]]
    assert len(seen) == len(set(seen)) == total
    assert all(b == a % LAST_ID + 1 for a, b in pairwise(seen))
