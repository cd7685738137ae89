"""A station's word is read without trust: missing is "–", never zero and never a crash."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.screen.document import MISSING, Document, count, milliseconds, share

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(ANYTHING)
def test_whatever_stands_there_reading_never_fails(value: Any) -> None:
    for document in (Document(value), Document({"key": value})):
        number = document.number("key")
        assert number is None or math.isfinite(number)
        whole = document.whole("key")
        assert whole is None or whole == number
        assert isinstance(document.text("key"), str)
        assert document.flag("key") in (None, True, False)
        assert all(isinstance(each, Document) for each in document.documents("key"))
        assert all(isinstance(each, str) for each in document.texts("key"))
        assert all(math.isfinite(each) for each in document.numbers("key"))
        document.at("key").at("deeper").number("still")


def test_a_truth_value_is_no_number() -> None:
    assert Document({"n": True}).number("n") is None


def test_numbers_are_all_or_none() -> None:
    assert Document({"box": [1, 2, None, 4]}).numbers("box") == ()
    assert Document({"box": [1, 2, 3.5, 4]}).numbers("box") == (1, 2, 3.5, 4)


def test_rows_are_lists_of_numbers() -> None:
    found = Document({"a": [[1, 2.5], [3, "x"], 4, [], None, [float("nan")], [5]], "b": {}})
    assert found.rows("a") == ((1, 2.5), (5,))
    assert found.rows("b") == found.rows("c") == ()


def test_a_number_too_large_for_a_float_is_missing() -> None:
    assert Document({"n": 10**400}).number("n") is None


@pytest.mark.parametrize("write", [count, share, milliseconds])
def test_missing_is_written_as_missing(write: Any) -> None:
    assert write(None) == MISSING
    assert write(0.0) != MISSING


def test_counts_have_thin_gaps() -> None:
    assert count(1_234_567) == "1\u202f234\u202f567"


def test_shares_are_percent() -> None:
    assert share(0.067) == "6.7\u202f%"


def test_short_durations_keep_a_decimal() -> None:
    assert (milliseconds(3.14), milliseconds(52.4)) == ("3.1\u202fms", "52\u202fms")
