"""Ages: a number that does not move must not look alive."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.screen.freshness import (
    AHEAD_S,
    LATE_AFTER_S,
    STALE_AFTER_S,
    Freshness,
    age_text,
    span_text,
)
from common.screen.listening import ASK_TIMEOUT_S
from common.screen.page import REFRESH_S


def _seconds(text: str) -> int:
    days, _, clock = text.rpartition("\u202fd ")
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(part)
    return total + 86_400 * int(days or 0)


@given(st.floats(0, 1e9), st.booleans())
def test_an_age_reads_back_to_its_second(seconds: float, hours: bool) -> None:
    assert _seconds(age_text(seconds, hours=hours)) == int(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00"), (59.9, "00:59"), (754, "12:34"), (3600, "01:00:00"), (-5, "00:00")],
)
def test_ages_in_words(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0\u202fs"), (-5, "0\u202fs"), (59.9, "59\u202fs"), (60, "1\u202fmin"),
        (90, "1\u202fmin 30\u202fs"), (900, "15\u202fmin"), (7200, "2\u202fh"),
        (7500, "2\u202fh 5\u202fmin"), (86_400, "1\u202fd"), (90_061, "1\u202fd 1\u202fh"),
    ],
)  # fmt: skip
def test_a_length_of_time_cannot_be_taken_for_a_time_of_day(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_a_backlog_always_has_hours() -> None:
    assert age_text(720, hours=True) == "00:12:00"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_fresh_only_near_now(age: float) -> None:
    freshness = Freshness(age)
    near = not math.isnan(age) and -AHEAD_S <= age <= STALE_AFTER_S
    assert freshness.stale is not near
    assert bool(freshness.tag) is bool(freshness.sentence) is freshness.stale


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_what_is_late_is_also_stale(age: float) -> None:
    freshness = Freshness(age)
    assert freshness.stale or not freshness.late


def test_a_dead_station_is_seen_within_three_seconds() -> None:
    """Its word grows stale, the next refresh finds that, and its API does not answer."""
    assert STALE_AFTER_S + REFRESH_S + ASK_TIMEOUT_S < 3.0 <= LATE_AFTER_S


def test_silence_is_said_with_its_age() -> None:
    assert Freshness(75.0).sentence == "station silent for 01:15"
    assert Freshness(75.0).tag == "01:15 old"


def test_a_word_from_the_future_is_not_fresh() -> None:
    assert "set back" in Freshness(-60.0).sentence
