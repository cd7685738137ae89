"""How numbers of people and of their seconds may be told: of k at least, and rounded."""

ROUND_TO = 5  # differences of rounded numbers are no counts


def spread(seconds: list[float], people: set[int], k: int) -> dict[str, int] | None:
    """People n, mean, median and 90th percentile in whole s; None for fewer than k."""
    if len(people) < k:
        return None
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "n": about(len(people), k),
        "mean": round(sum(ordered) / len(ordered)),
        "p50": round(ordered[round(0.5 * last)]),
        "p90": round(ordered[round(0.9 * last)]),
    }


def about(people: int, k: int) -> int:
    """At least k people, to the nearest five: zones overlap, and queues lie in zones.

    The difference of two exact numbers would be the few who were in one and not in the other.
    """
    return max(k, rounded(people))


def percent(part: int, whole: int, k: int) -> int | None:
    """A share of people: told only where both sides of it are none or at least k."""
    small = 0 < part < k or 0 < whole - part < k
    return None if small or not whole else round(100 * part / whole)


def rounded(number: float) -> int:
    """To the nearest five."""
    return int(ROUND_TO * round(number / ROUND_TO))
