"""Part ids as the PLC counts them: 1 … 65535, then 1 again, because 0 means "none"."""

LAST_ID = 0xFFFF
LONGEST_GAP = 10_000
"""At ten parts a second a quarter of an hour unseen; a wider jump is a restarted PLC."""
LONGEST_GAP_BACK = 100
"""Where the new id is the lower one: a counter that wraps hides a few parts at most, while
one that was restarted would make thousands of parts that never were."""


def next_id(part_id: int) -> int:
    """The part id after this one; after 0, the first."""
    return part_id % LAST_ID + 1


def missed_ids(last: int, new: int) -> list[int]:
    """Ids between two triggers that were never seen; none after 0 (start) or a restart."""
    gap = (new - next_id(last)) % LAST_ID if last else 0
    if gap > (LONGEST_GAP if last < new else LONGEST_GAP_BACK):
        return []
    return [(last + step) % LAST_ID + 1 for step in range(gap)]
