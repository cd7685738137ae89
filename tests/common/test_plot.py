"""Plots: valid SVG whatever they are given, nothing from outside gets out of its text."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.plot import DARK, LIGHT, Mark, Plot, plain, scale, svg, thinned

TIMES = st.floats(0, 4e9)
VALUES = st.floats(-1e9, 1e9) | st.just(float("nan"))
NUMBERS = st.floats(-1e6, 1e6)


def drawn(plot: Plot) -> ET.Element:
    return ET.fromstring(svg(plot, LIGHT))  # noqa: S314 - our own text


@given(
    st.lists(st.tuples(TIMES, VALUES), max_size=30),
    st.none() | NUMBERS,
    st.lists(st.builds(Mark, TIMES, st.integers(-3, 9), st.text()), max_size=5),
    st.text(),
    st.booleans(),
)
@example([], 0.09375, [], "", False)
def test_any_plot_is_valid_and_within_its_frame(
    points: list[tuple[float, float]], limit: float | None, marks: list[Mark], text: str,
    from_zero: bool,
) -> None:  # fmt: skip
    root = drawn(Plot(text, text, points, 0.0, 4e9, limit, marks, from_zero, text))
    for line in root.iter("{http://www.w3.org/2000/svg}line"):
        assert all(-1 <= float(line.get(x, "0")) <= 901 for x in ("x1", "x2"))
        assert all(-1 <= float(line.get(y, "0")) <= 201 for y in ("y1", "y2"))


@given(st.lists(st.tuples(TIMES, NUMBERS), min_size=1), st.none() | NUMBERS, st.booleans())
def test_the_scale_holds_all_values(
    points: list[tuple[float, float]], limit: float | None, from_zero: bool
) -> None:
    low, high, step = scale(Plot("", "", points, 0.0, 1.0, limit, from_zero=from_zero))
    values = [v for _, v in points] + ([limit] if limit is not None else [])
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert low - slack <= min(values)
    assert max(values) <= high + slack
    assert low < high
    assert (high - low) / step == pytest.approx(round((high - low) / step), rel=1e-6)
    assert not from_zero or low <= 0 <= high


def strokes(points: list[tuple[float, float]]) -> int:
    path = svg(Plot("", "", points, 0.0, 100.0), LIGHT).split('<path d="')[-1].split('"')[0]
    return path.count("M")


def test_a_gap_stays_a_gap() -> None:
    even = [(float(second), 1.0) for second in range(100)]
    assert strokes(even) == 1
    assert strokes(even[:40] + even[60:]) == 2
    assert strokes([*even[:50], (50.0, float("nan")), *even[51:]]) == 2


def test_a_point_now_and_then_is_joined_where_all_are_so_far_apart() -> None:
    sparse = [(10.0 * n, 1.0) for n in range(11)]
    assert strokes(sparse) == 1
    assert strokes(sparse[:4] + sparse[7:]) == 2


def test_no_points_say_so() -> None:
    assert "no data" in svg(Plot("", "", (), 0.0, 1.0, empty="no data"), DARK)


@pytest.mark.parametrize("points", [[], [(0.0, 0.0)]])
def test_where_there_is_nothing_but_zero_the_axis_is_no_tiny_one(
    points: list[tuple[float, float]],
) -> None:
    low, high, _ = scale(Plot("", "", points, 0.0, 1.0, from_zero=True))
    assert (low, high) == (0.0, 1.0)


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '"/><x y="', "\0\x08]]>", "\ud800"]
)
def test_texts_stay_texts(evil: str) -> None:
    root = drawn(Plot(evil, evil, ((0.0, 1.0),), 0.0, 1.0, marks=(Mark(0.5, 1, evil),)))
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "title", "rect", "line", "text", "path", "g"}


def test_a_mark_has_the_colour_and_the_number_of_its_priority() -> None:
    plot = Plot("", "", (), 0.0, 1.0, marks=(Mark(0.5, 2, "reject bin"),))
    text = svg(plot, LIGHT)
    assert LIGHT.priorities[1] in text
    assert "reject bin" in text
    assert ">2</text>" in text


@given(st.lists(st.tuples(TIMES, NUMBERS), max_size=400), st.integers(2, 50))
def test_thinning_keeps_what_stands_out(points: list[tuple[float, float]], most: int) -> None:
    points = sorted(points)
    kept = thinned(points, most)
    assert len(kept) <= max(most, 2) + 1 or len(points) <= most
    assert set(kept) <= set(points)
    assert kept == sorted(kept)
    if points:
        values = [v for _, v in points]
        assert {min(values), max(values)} <= {v for _, v in kept}


@given(st.text())
def test_plain_text_is_valid_xml(text: str) -> None:
    ET.fromstring(f"<x>{plain(text)}</x>")  # noqa: S314 - our own text
