"""Charts keep on their scale whatever they are given."""

import re

from hypothesis import given
from hypothesis import strategies as st

from common.screen.charts import (
    MOST_STEPS,
    band_bar,
    limit_bar,
    pareto,
    percent,
    sparkline,
    steps,
)

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(NUMBERS, NUMBERS)
def test_places_stay_on_the_scale(value: float, top: float) -> None:
    assert 0.0 <= percent(value, top) <= 100.0


@given(st.none() | NUMBERS, st.none() | NUMBERS, st.none() | NUMBERS, NUMBERS)
def test_a_band_bar_never_fails(
    value: float | None, low: float | None, high: float | None, top: float
) -> None:
    drawn = band_bar(value, low, high, top)
    assert ("ls-pointer" in drawn) is (value is not None)
    assert ("ls-band" in drawn) is (low is not None and high is not None)


@given(st.integers(-3, 100), st.integers(-3, 100))
def test_a_counter_has_a_box_per_step(value: int, limit: int) -> None:
    drawn = steps(value, limit)
    if 0 < limit <= MOST_STEPS:
        assert drawn.count("<i") == limit
        assert drawn.count("ls-full") == min(max(value, 0), limit)
    else:
        assert "ls-limit" in drawn


def test_the_limit_stands_inside_the_scale_so_that_more_can_be_seen() -> None:
    assert "width:100.0%" in limit_bar(400.0, 300.0)
    assert "width:80.0%" in limit_bar(300.0, 300.0)
    assert "width:0.0%" in limit_bar(None, 300.0)


@given(st.lists(st.floats(0, 1)))
def test_a_course_goes_from_left_to_right(values: list[float]) -> None:
    drawn = sparkline(values, 1.0)
    places = [float(x) for x in re.findall(r"(?:\(|,)([\d.]+)% calc", drawn)]
    if len(values) < 2:
        assert "polygon" not in drawn
    else:
        assert places[: len(values)] == sorted(places[: len(values)])
        assert len(places) == 2 * len(values)


@given(st.lists(st.tuples(st.text(), st.integers(0, 999)), max_size=12), st.integers(2, 8))
def test_a_pareto_loses_nothing(counts: list[tuple[str, int]], most: int) -> None:
    drawn = pareto(counts, most)
    shown = [int(n) for n in re.findall(r"<b>(\d+)</b></div>", drawn)]
    assert sum(shown) == sum(number for _, number in counts)
    assert len(shown) == min(len(counts), most)
    assert shown[: most - 1] == sorted(shown[: most - 1], reverse=True)
