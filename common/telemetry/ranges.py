"""Sets of sequence numbers as ranges: receipts, gaps and losses are spoken of in these.

A range is (first, last), both included; a list of them is sorted and has no two that
overlap or touch. A week of a station's events is one range, not a million numbers.
"""

from collections.abc import Iterable

Range = tuple[int, int]


def merged(ranges: Iterable[Range]) -> list[Range]:
    """All numbers of `ranges`, in any order and overlapping, in the fewest ranges."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def ranges_of(numbers: Iterable[int]) -> list[Range]:
    """The numbers, in any order and repeated, as ranges."""
    return merged((number, number) for number in numbers)


def missing(ranges: Iterable[Range], first: int, last: int) -> list[Range]:
    """What of first … last lies in none of the (merged) `ranges`."""
    gaps, expected = [], first
    for start, end in ranges:
        if start > last:
            break
        if start > expected:
            gaps.append((expected, start - 1))
        expected = max(expected, end + 1)
    if expected <= last:
        gaps.append((expected, last))
    return gaps


def count(ranges: Iterable[Range]) -> int:
    """How many numbers the (merged) ranges hold."""
    return sum(last - first + 1 for first, last in ranges)
