"""Fresh frames only, and reconnection: with a held clock and no thread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import HeldClock
from hardware.cameras.stream import Delay, FrameSlot, Reader, StreamSettings, as_frame

FRAME = np.zeros((8, 8), np.uint8)


class FakeStream:
    """Frames that take one second of held time each; dies after `life` of them."""

    def __init__(self, clock, life=1000):
        self.clock, self.life, self.shown, self.closed = clock, life, 0, False

    def grab(self):
        self.clock.sleep(1.0)
        if self.shown >= self.life:
            raise OSError("the cable is out")
        self.shown += 1

    def retrieve(self):
        return np.full((8, 8), self.shown, np.uint8)

    def close(self):
        self.closed = True


def reader_of(streams, latency_ms=0, **settings):
    """A reader that opens `streams` one after the other; an exception is an open that fails."""
    clock, waiting = HeldClock(), list(streams)

    def open_next():
        stream = waiting.pop(0)
        if isinstance(stream, Exception):
            raise stream
        return stream(clock)

    slot = FrameSlot(latency_ms / 1000)
    settings = StreamSettings(**{"settle_ms": 0, **settings})
    return Reader(open_next, slot, settings, clock), slot, clock


def test_a_frame_from_before_the_trigger_is_never_handed_out():
    slot = FrameSlot(latency_s=0.05)
    slot.ask(10.0)
    assert not slot.offer(9.99)
    assert not slot.offer(10.04), "it arrived after the trigger, but was exposed before it"
    assert slot.offer(10.05)
    slot.put(FRAME, 10.05)
    assert not slot.offer(10.08), "the first one is the part's; later ones show it moved on"
    assert slot.take(0) is FRAME


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=30),
    st.floats(0, 100),
    st.floats(0, 5),
)
def test_the_frame_handed_out_is_the_first_exposed_after_the_trigger(arrivals, asked, latency):
    slot = FrameSlot(latency)
    slot.ask(asked)
    given_out = [
        at for at in sorted(arrivals) if slot.offer(at) and slot.put(FRAME, at) is None
    ]
    wanted = [at for at in sorted(arrivals) if at - latency >= asked]
    assert given_out == wanted[:1]


def test_a_frame_is_handed_out_once():
    slot = FrameSlot(0)
    slot.ask(1.0)
    slot.put(FRAME, 1.0)
    slot.take(0)
    with pytest.raises(OSError, match="no frame came"):
        slot.take(0)


def test_a_frame_that_was_decoded_too_slowly_is_not_given_to_the_next_part():
    slot = FrameSlot(latency_s=0)
    slot.ask(1.0)
    assert slot.offer(1.1)
    with pytest.raises(OSError, match="no frame came"):
        slot.take(0)  # decoding lasted longer than the caller waits
    slot.ask(2.0)
    slot.put(FRAME, 1.1)
    with pytest.raises(OSError, match="no frame came"):
        slot.take(0)


def test_frames_that_are_all_too_old_are_not_called_missing():
    slot = FrameSlot(latency_s=2)
    slot.ask(1.0)
    assert not slot.offer(1.5)
    with pytest.raises(
        OSError, match="1 frames came within 0 s, all exposed before the trigger"
    ):
        slot.take(0)


def test_nobody_waiting_means_no_frame_is_decoded():
    reader, slot, _ = reader_of([FakeStream])
    for _ in range(3):
        assert reader.step() == 0.0
    slot.ask(3.5)  # each frame takes a second: the next one arrives at 4
    reader.step()
    assert slot.take(0)[0, 0] == 4


def test_a_dead_stream_is_closed_and_opened_again():
    reader, slot, _ = reader_of([lambda clock: FakeStream(clock, life=1), FakeStream])
    reader.step()
    dead = reader._stream
    assert reader.step() == 0.5
    assert dead.closed
    slot.ask(0.0)
    with pytest.raises(OSError, match=r"the cable is out; next try in 0.5 s"):
        slot.take(10)
    slot.ask(0.0)
    reader.step()
    assert slot.take(0)[0, 0] == 1


def test_the_pause_doubles_up_to_its_limit_and_starts_anew_after_a_frame():
    broken = OSError("no such device")
    reader, _, _ = reader_of(
        [broken] * 4 + [lambda clock: FakeStream(clock, life=1), broken],
        retry_first_ms=100, retry_longest_ms=400,
    )  # fmt: skip
    assert [reader.step() for _ in range(4)] == [0.1, 0.2, 0.4, 0.4]
    assert reader.step() == 0.0
    assert [reader.step() for _ in range(2)] == [0.1, 0.2]


def test_frames_queued_while_opening_are_skipped():
    reader, slot, _ = reader_of([FakeStream], settle_ms=2500)
    slot.ask(0.0)
    for _ in range(3):
        reader.step()
    assert slot.take(0)[0, 0] == 3


def test_a_stalled_stream_does_not_pass_off_old_frames_as_new():
    delay, slot = Delay(), FrameSlot(latency_s=0.1)
    for frame in range(10):  # on time: 25 frames a second
        delay.removed(100 + 0.04 * frame, stamp=0.04 * frame)
    slot.ask(101.0)
    for frame in range(10, 26):  # the network hung for a second, then all of it comes at once
        assert not slot.offer(delay.removed(101.4, stamp=0.04 * frame))
    assert slot.offer(delay.removed(101.12, stamp=1.12))


def test_a_reader_that_falls_behind_ends_without_a_picture():
    delay = Delay()
    late = [delay.removed(0.05 * n, stamp=0.04 * n) - 0.04 * n for n in range(1, 1000)]
    assert max(late) < 0.05, "ten seconds behind, and still counted by when it was taken"


def test_a_clock_that_runs_wrong_can_be_switched_off():
    class Slow(FakeStream):
        def grab(self):
            super().grab()
            return 0.1 * self.shown

    for use_stamps, wanted in ((True, False), (False, True)):
        reader, slot, _ = reader_of([Slow], latency_ms=1000, use_stamps=use_stamps)
        for _ in range(9):
            reader.step()
        slot.ask(9.0)
        reader.step()
        assert (slot._frame is not None) == wanted


@given(st.floats(-1e-4, 1e-4), st.floats(0, 0.02))
def test_clocks_that_drift_apart_are_no_delay(drift, jitter):
    delay = Delay()
    for second in range(1, 20_000, 50):
        arrived = second * (1 + drift) + (jitter if second % 3 else 0.0)
        counted = delay.removed(arrived, stamp=float(second))
        assert arrived - counted <= jitter + 0.03
        assert counted <= arrived + 1e-9


@pytest.mark.parametrize("stamps", [[None] * 5, [40.0] * 5, [5.0, 4.0, 3.0, 2.0, 1.0]])
def test_useless_time_stamps_are_not_used(stamps):
    delay = Delay()
    arrivals = [1.0, 2.0, 4.0, 7.0, 11.0]
    counted = [delay.removed(at, stamp) for at, stamp in zip(arrivals, stamps, strict=True)]
    assert counted == pytest.approx(arrivals)


def test_frames_become_what_was_asked_for():
    bgr = np.dstack([np.full((4, 6), v, np.uint8) for v in (10, 20, 30)])
    assert as_frame(bgr, "grey").shape == (4, 6)
    assert as_frame(bgr, "native") is bgr
    assert as_frame(bgr[:, :, 0], "bgr").shape == (4, 6, 3)
    assert as_frame(bgr[:, :, :1], "native").shape == (4, 6)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), np.uint16), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)],
)
def test_other_frames_are_refused(wrong):
    with pytest.raises(ValueError, match="instead of 8-bit grey or BGR"):
        as_frame(wrong, "native")
