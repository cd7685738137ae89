"""Fresh frames only, and reconnection: with a held clock and no thread."""

import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import HeldClock
from common.errors import CameraError
from common.ports import Trigger
from hardware.cameras.stream import FrameSlot, Reader, StreamCamera, StreamSettings, as_frame

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


def test_a_stream_that_stays_behind_is_opened_anew():
    class Behind(FakeStream):
        """Two seconds late from its third frame on."""

        def grab(self):
            super().grab()
            return 100.0 + self.shown - (2.0 if self.shown > 2 else 0.0)

    reader, slot, _ = reader_of([Behind, FakeStream], timeout_ms=2000)
    assert [reader.step() for _ in range(8)] == [0.0] * 7 + [0.5]
    slot.ask(8.0)
    with pytest.raises(OSError, match=r"stream stays 2.0 s behind: .*; next try in 0.5 s"):
        slot.take(0)
    slot.ask(8.0)
    reader.step()
    assert slot.take(0)[0, 0] == 1


def test_a_clock_that_runs_wrong_can_be_switched_off():
    class Slow(FakeStream):
        def grab(self):
            super().grab()
            return 0.1 * self.shown

    for use_stamps, wanted in ((True, False), (False, True)):
        reader, slot, _ = reader_of([Slow], latency_ms=1000, use_stamps=use_stamps)
        for _ in range(4):
            reader.step()
        slot.ask(4.0)
        reader.step()
        assert (slot._frame is not None) == wanted


def test_frames_become_what_was_asked_for():
    bgr = np.dstack([np.full((4, 6), v, np.uint8) for v in (10, 20, 30)])
    assert as_frame(bgr, "grey").shape == (4, 6)
    assert as_frame(bgr, "native") is bgr
    assert as_frame(bgr[:, :, 0], "bgr").shape == (4, 6, 3)
    assert as_frame(bgr[:, :, :1], "native").shape == (4, 6)


def test_a_reader_outlives_what_nobody_thought_of(caplog):
    """An error of another kind in a driver, and once more when it is closed."""
    clock, may_open, is_read = HeldClock(), threading.Event(), threading.Event()

    class Odd(FakeStream):
        def grab(self):
            raise KeyError("odd")

        def close(self):
            raise KeyError("odd at the end")

    class Back(FakeStream):
        def grab(self):
            if self.shown:
                is_read.set()
            return super().grab()

        def retrieve(self):
            return FRAME

    def streams():
        yield Odd(clock)
        assert may_open.wait(60)
        yield Back(clock, life=10**9)

    settings = StreamSettings(settle_ms=0, retry_first_ms=10, timeout_ms=60_000)
    camera = StreamCamera("odd", partial(next, streams()), settings, clock)
    try:
        with pytest.raises(CameraError, match="no picture of part 1: KeyError: 'odd'; next"):
            camera.capture(Trigger(part_id=1))
        may_open.set()
        assert is_read.wait(60)
        assert camera.capture(Trigger(part_id=2)).shape == (8, 8)
    finally:
        camera.close()
    assert caplog.messages == [
        "odd: a bug; opening it anew", "a camera's stream cannot be closed; going on",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), np.uint16), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)],
)
def test_other_frames_are_refused(wrong):
    with pytest.raises(ValueError, match="instead of 8-bit grey or BGR"):
        as_frame(wrong, "native")
