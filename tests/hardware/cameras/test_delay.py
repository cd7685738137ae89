"""A frame that was held up on its way is told by its time stamp, for as long as it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.cameras.delay import Delay
from hardware.cameras.stream import FrameSlot

PERIOD_S = 0.04


def on_time(delay, frames, lag_s=0.0):
    """When frames with these numbers count as arrived, that come `lag_s` late."""
    return [delay.removed(100 + n * PERIOD_S + lag_s, n * PERIOD_S) for n in frames]


def test_a_stalled_stream_does_not_pass_off_old_frames_as_new():
    delay, slot = Delay(1.0), FrameSlot(latency_s=0.1)
    for frame in range(10):  # on time: 25 frames a second
        delay.removed(100 + 0.04 * frame, stamp=0.04 * frame)
    slot.ask(101.0)
    for frame in range(10, 26):  # the network hung for a second, then all of it comes at once
        assert not slot.offer(delay.removed(101.4, stamp=0.04 * frame))
    assert slot.offer(delay.removed(101.12, stamp=1.12))


def test_a_reader_that_falls_behind_ends_without_a_picture():
    delay = Delay(60.0)
    late = [delay.removed(0.05 * n, stamp=0.04 * n) - 0.04 * n for n in range(1, 1000)]
    assert max(late) < 0.05, "ten seconds behind, and still counted by when it was taken"


@given(st.floats(-1e-4, 1e-4), st.floats(0, 0.02))
def test_clocks_that_drift_apart_are_no_delay(drift, jitter):
    delay = Delay(1.0)
    for second in range(1, 20_000, 50):
        arrived = second * (1 + drift) + (jitter if second % 3 else 0.0)
        counted = delay.removed(arrived, stamp=float(second))
        assert arrived - counted <= jitter + 0.03
        assert counted <= arrived + 1e-9


@pytest.mark.parametrize("stamps", [[None] * 5, [40.0] * 5, [5.0, 4.0, 3.0, 2.0, 1.0]])
def test_stamps_that_never_ran_tell_nothing(stamps):
    delay = Delay(1.0)
    arrivals = [1.0, 2.0, 4.0, 7.0, 11.0]
    counted = [delay.removed(at, stamp) for at, stamp in zip(arrivals, stamps, strict=True)]
    assert counted == pytest.approx(arrivals)


@pytest.mark.parametrize("odd", [None, 0.0, -0.04])
def test_a_backlog_is_no_newer_for_a_frame_without_a_stamp_of_its_own(odd):
    """None, that of the frame before it, or one that went back."""
    delay = Delay(1.0)
    on_time(delay, range(1, 26))
    for number in range(26, 76):  # all at once, after two seconds without a frame
        stamp = number * PERIOD_S
        if number == 40:
            stamp = None if odd is None else stamp - PERIOD_S + odd
        counted = delay.removed(103.0 + 1e-4 * number, stamp)
        assert counted == pytest.approx(100 + number * PERIOD_S, abs=0.1)


@given(st.floats(0.15, 0.95))
def test_a_stream_that_stays_late_is_never_taken_for_one_on_time(lag_s):
    delay = Delay(1.0)
    on_time(delay, range(1, 26))
    frames = range(26, 500_000, 250)  # for five hours
    counted = on_time(delay, frames, lag_s)
    assert counted == pytest.approx([100 + n * PERIOD_S for n in frames], abs=0.01)


def test_a_stream_that_stays_behind_is_an_error_after_some_seconds():
    delay = Delay(1.0)
    on_time(delay, range(1, 26))
    on_time(delay, range(26, 150), lag_s=1.5)
    with pytest.raises(OSError, match=r"the stream stays 1.5 s behind: .* use_stamps = false"):
        on_time(delay, range(150, 152), lag_s=1.5)


def test_a_clock_that_was_set_back_is_learned_by_opening_anew():
    delay = Delay(1.0)
    on_time(delay, range(1, 51))
    with pytest.raises(OSError, match=r"stays 2.0 s behind"):
        [delay.removed(102 + n * PERIOD_S, n * PERIOD_S) for n in range(1, 200)]


def test_a_stream_that_comes_on_time_now_and_then_does_not_stay_behind():
    delay = Delay(1.0)
    for number in range(4, 1000):
        counted = delay.removed(100 + number + 2.0 * bool(number % 4), stamp=float(number))
        assert counted == pytest.approx(100 + number, abs=0.01)
