import pytest
from hypothesis import given
from hypothesis import strategies as some

from common.telemetry.pace import QUEUE_S, SMALLEST, Pace


def begun(window: int = 50, per_s: float = 1000.0) -> Pace:
    pace = Pace(per_s)
    pace.begin(window, 0.0)
    return pace


def share(pace: Pace) -> int:
    return next(n for n in range(200) if not pace.allows(n, limited=False))


def test_the_rate_holds_over_any_time() -> None:
    pace, sent = begun(per_s=5.0), 0
    for tick in range(100):
        pace.tick(tick / 10)
        while pace.allows(0, limited=True):
            pace.spend()
            sent += 1
    assert 49 <= sent <= 51, "1 at once, then 5 a second for 9.9 s"


def test_a_long_rest_saves_up_one_second() -> None:
    pace, burst = begun(per_s=5.0), 0
    pace.tick(3600.0)
    while pace.allows(0, limited=True):
        pace.spend()
        burst += 1
    assert burst == 5


@pytest.mark.parametrize(("window", "most"), [(1, 1), (2, 1), (5, 4), (50, 40), (100, 80)])
def test_places_are_kept_for_what_is_new(window: int, most: int) -> None:
    pace = begun(window)
    for answer in range(300):
        pace.answered(answer / 100, answer / 100 + 0.1)
    assert share(pace) == most


def test_it_widens_on_a_line_that_is_far_away_and_not_full() -> None:
    pace, now = begun(), 0.0
    assert (share(pace), pace.portion) == (1, SMALLEST), "one small batch, to see"
    for _ in range(60):
        now += 1.0
        pace.answered(now - 0.9, now)
    assert share(pace) == 40


def test_it_narrows_when_answers_begin_to_take_longer() -> None:
    pace, now = begun(), 0.0
    for _ in range(60):
        now += 0.1
        pace.answered(now - 0.1, now)
    assert share(pace) == 40
    for _ in range(10):
        now += 2.0
        pace.answered(now - 0.1 - QUEUE_S - 0.1, now)
    assert share(pace) == 1


def test_what_was_under_way_together_narrows_once() -> None:
    pace = begun()
    for _ in range(60):
        pace.answered(0.9, 1.0)
    for _ in range(10):
        pace.answered(1.0, 5.0)
    assert share(pace) == 20


def test_on_a_line_that_one_batch_fills_batches_become_smaller() -> None:
    pace, now, took = begun(), 0.0, []
    for _ in range(100):
        seconds = 0.1 + 2.0 * pace.portion  # two seconds of the line for a whole batch
        now += seconds
        took.append(seconds)
        pace.answered(now - seconds, now)
        assert share(pace) == 1
    assert max(took) <= 2 * (0.1 + QUEUE_S)
    assert sum(took) / len(took) > 0.3, "and no smaller than need be"


def test_a_line_that_has_become_longer_for_good_is_measured_anew() -> None:
    pace, now = begun(), 0.0
    for _ in range(60):
        now += 0.05
        pace.answered(now - 0.05, now)
    assert share(pace) == 40
    while share(pace) > 1:
        now += 2.0
        pace.answered(now - 1.5, now)
    for _ in range(200):
        now += 1.0
        pace.answered(now - 0.8, now)
    assert share(pace) == 40


def test_a_line_that_was_never_full_is_left_as_it_is() -> None:
    pace, now, least = begun(), 0.0, 40
    for tick in range(2000):
        now += 0.1
        pace.answered(now - 0.1, now)
        least = least if tick < 100 else min(least, share(pace))
    assert least == 40


@given(some.lists(some.floats(0.001, 30.0), max_size=200), some.integers(1, 100))
def test_one_is_always_allowed_and_never_more_than_the_window(took, window) -> None:
    pace, now = begun(window), 0.0
    for seconds in took:
        now += seconds
        pace.answered(now - seconds, now)
        assert 1 <= share(pace) <= max(1, window - 1)
        assert SMALLEST <= pace.portion <= 1.0
