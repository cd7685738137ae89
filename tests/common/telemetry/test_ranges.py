from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from common.telemetry.ranges import count, merged, missing, ranges_of

numbers = st.sets(st.integers(1, 60))


def spread(ranges):
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(numbers)
def test_ranges_hold_their_numbers_and_no_two_touch(some):
    ranges = ranges_of(some)
    assert spread(ranges) == some
    assert count(ranges) == len(some)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))


@given(numbers, numbers)
def test_merging_is_the_union(some, others):
    assert spread(merged([*ranges_of(some), *ranges_of(others)])) == some | others


@given(numbers, st.integers(1, 60), st.integers(0, 60))
def test_missing_is_what_the_ranges_lack(some, first, length):
    last = first + length
    assert spread(missing(ranges_of(some), first, last)) == set(range(first, last + 1)) - some
