"""Vision's side of the handshake, without a network: what may ever open the gate."""

from hypothesis import given, settings
from hypothesis import strategies as st

from common.ports import PartResult, ResultCode
from hardware.fieldbus.blocks import PlcBlock
from hardware.fieldbus.handshake import Handshake
from hardware.fieldbus.heartbeat import HeartbeatWatch
from hardware.fieldbus.registers import Coil, Control, Status

CONTROLS = st.integers(0, 0x3F).map(Control)
EVENTS = st.one_of(
    st.tuples(st.just("see"), CONTROLS, st.integers(0, 4), st.integers(0, 1)),
    st.tuples(st.just("answer"), st.sampled_from(ResultCode)),
    st.tuples(st.just("wait"), st.floats(0, 2)),
    st.tuples(st.sampled_from(["fail", "disconnect", "abandon"])),
)
READY = Control.TRIG_ENABLE
WARM_UP = [("see", READY, 0, 1), ("see", READY, 0, 1), ("see", READY | Control.TRIGGER, 1, 0)]


class Replay:
    """Feeds events to a handshake and remembers what alone may have released a part."""

    def __init__(self):
        self.hand = Handshake(0.5, pass_deadline_s=1.0)
        self.now = self.heartbeat = 0
        self.may_release = False

    def play(self, event):
        getattr(self, event[0])(*event[1:])

    def see(self, control, part_id, beats):
        self.heartbeat += beats
        block = PlcBlock(heartbeat=self.heartbeat, control=control, part_id=part_id)
        taken = self.hand.see(block, self.now, self.now)
        if taken or Control.REJECT_ALL_REQUEST in control or not self.hand.watch.alive:
            self.may_release = False

    def answer(self, code):
        part = self.hand.open
        if part is not None:
            in_time = self.now - part.since < 1.0
            self.hand.answer(PartResult(part.trigger.part_id, code), self.now)
            self.may_release = code is ResultCode.PASS and in_time

    def wait(self, seconds):
        self.now += seconds

    def fail(self):
        self.hand.fail()
        self.may_release = False

    def disconnect(self):
        self.hand.disconnected()
        self.may_release = False

    def abandon(self):
        self.hand.abandon()


@settings(max_examples=120, deadline=None)
@given(st.lists(EVENTS, max_size=30))
def test_nothing_but_an_in_time_pass_ever_releases(events):
    replay = Replay()
    for event in [*WARM_UP, *events]:
        replay.play(event)
        status, coils = replay.hand.status(), replay.hand.coils()
        if Status.PASS in status or coils[Coil.PASS_PULSE]:
            assert replay.may_release
            assert Status.RESULT_VALID in status
            assert Status.FAIL not in status
            assert Status.REJECT_ALL_ACTIVE not in status
        if Status.ERROR in status:
            assert not any(coils)
        if not replay.hand.watch.alive:
            assert not any(coils)
            assert Status.TRIG_READY not in status


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=30))
def test_ready_and_busy_exclude_each_other(events):
    replay = Replay()
    for event in events:
        replay.play(event)
        both = Status.TRIG_READY | Status.BUSY
        assert replay.hand.status() & both != both


def test_the_warm_up_really_takes_a_part():
    replay = Replay()
    for event in WARM_UP:
        replay.play(event)
    assert replay.hand.open is not None
    replay.answer(ResultCode.PASS)
    assert Status.PASS in replay.hand.status()


def after_a_pass():
    """Part 1 has its PASS, and its trigger is gone."""
    replay = Replay()
    for event in WARM_UP:
        replay.play(event)
    replay.answer(ResultCode.PASS)
    replay.see(READY, 1, 1)
    return replay


def test_a_part_that_is_missed_ends_the_pass_of_the_one_before():
    replay = after_a_pass()
    assert replay.hand.coils()[Coil.PASS_PULSE]
    replay.hand.recipe_refused = 0  # not ready: the next trigger is missed
    replay.see(READY | Control.TRIGGER, 2, 1)
    assert Status.MISSED_TRIGGER in replay.hand.status()
    assert not replay.hand.coils()[Coil.PASS_PULSE]
    assert Status.PASS not in replay.hand.status()


def test_a_part_with_the_id_of_the_last_one_does_not_inherit_its_pass():
    replay = after_a_pass()
    replay.see(READY | Control.TRIGGER, 1, 1)
    assert not replay.hand.coils()[Coil.PASS_PULSE]


def test_a_pass_is_in_time_by_when_its_trigger_can_have_risen():
    replay = Replay()
    for event in WARM_UP[:-1]:
        replay.play(event)
    replay.wait(0.7)  # the trigger rose somewhere in this
    replay.see(READY | Control.TRIGGER, 1, 1)
    replay.wait(0.4)
    replay.answer(ResultCode.PASS)
    assert not replay.hand.released


def test_a_heartbeat_is_believed_only_after_a_change():
    watch = HeartbeatWatch(0.5)
    assert not watch.see(7, 0.0)
    assert not watch.see(7, 0.4)
    assert watch.see(8, 0.5)
    assert watch.see(8, 1.9)
    assert not watch.see(8, 2.0)
    assert watch.see(9, 2.1)


def test_a_heartbeat_is_lost_only_after_its_three_periods():
    watch = HeartbeatWatch(0.5)
    watch.see(7, 0.0)
    watch.see(7, 1.4)
    assert not watch.lost
    watch.see(7, 1.5)
    assert watch.lost
    assert watch.see(8, 1.6)
    assert not watch.lost
    watch.reset()
    watch.see(8, 9.0)
    assert not watch.lost


def test_a_slow_reader_does_not_take_its_own_pause_for_a_loss():
    watch = HeartbeatWatch(0.5)
    watch.see(1, 0.0)
    watch.see(2, 0.5)
    assert watch.see(9, 60.0)
