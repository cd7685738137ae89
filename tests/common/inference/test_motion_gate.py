"""Run on motion only: what moves is seen, what stands is looked at again in time."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.inference.duty import Duty
from common.inference.motion_gate import MotionGate

ON = Duty(on_motion_only=True, linger_s=0.5, beat_s=1.0)
RNG = np.random.default_rng(1)
FLOOR = RNG.integers(60, 180, (480, 640, 3)).astype(np.uint8)
FPS = 15.0


def noisy(frame, sigma=4.0):
    noise = RNG.normal(0.0, sigma, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def with_somebody(x, grey=20):
    frame = FLOOR.copy()
    frame[200:320, x : x + 50] = grey
    return frame


def runs(gate, frames, start=0.0):
    """Which of the frames, FPS a second, the network is asked about."""
    return [gate.look(frame, start + n / FPS) for n, frame in enumerate(frames)]


def settled(frame=FLOOR):
    """A gate that has looked at `frame` for a while."""
    gate = MotionGate(ON)
    runs(gate, [frame] * 30)
    return gate


def test_switched_off_every_picture_is_looked_at():
    gate = MotionGate(Duty())
    assert all(runs(gate, [FLOOR] * 30))


def test_an_empty_shop_is_looked_at_once_a_beat_in_spite_of_noise():
    gate = MotionGate(ON)
    asked = runs(gate, [noisy(FLOOR) for _ in range(150)])
    assert asked[0]
    assert sum(asked[30:]) == pytest.approx(120 / FPS / ON.beat_s, abs=1)


def test_somebody_who_comes_in_is_looked_at_at_once():
    gate = settled()
    assert gate.look(with_somebody(300), 30 / FPS)


def test_somebody_who_walks_is_looked_at_in_every_picture():
    gate = settled()
    assert all(runs(gate, [with_somebody(100 + 4 * n) for n in range(60)], 2.0))


def test_a_camera_that_trembles_moves_nothing():
    gate = MotionGate(ON)
    steady = cv2.GaussianBlur(FLOOR, (0, 0), 3.0)
    steady[:, 320:] = 200  # an edge as hard as edges get
    shaken = [steady[n % 2 :, n % 3 :][:470, :630] for n in range(60)]
    assert sum(runs(gate, shaken)[20:]) <= 4


def test_what_creeps_adds_up_against_the_last_full_run():
    """A tenth of a px a picture is below any threshold from one picture to the next."""
    gate = MotionGate(Duty(on_motion_only=True, linger_s=0.0, beat_s=2.0))
    creeping = [np.roll(FLOOR, round(n / 10), axis=1) for n in range(28)]
    asked = runs(gate, creeping)
    assert any(asked[1:]), "the beat comes only at the 30th"


def test_after_the_last_motion_it_goes_on_for_a_while():
    gate = settled()
    gate.look(with_somebody(300), 2.0)
    stands = runs(gate, [with_somebody(300)] * 20, 2.0 + 1 / FPS)
    assert stands.index(False) == pytest.approx(ON.linger_s * FPS, abs=1)


def test_the_light_going_on_is_a_reason_to_look():
    gate = settled()
    brighter = np.clip(FLOOR.astype(int) + 15, 0, 255).astype(np.uint8)
    assert gate.look(brighter, 30 / FPS)


def test_what_is_not_settled_may_not_hold():
    gate = settled()
    assert gate.look(FLOOR, 30 / FPS, restless=True)


def test_after_a_restart_the_next_picture_is_looked_at():
    gate = settled()
    gate.restart()
    assert gate.look(FLOOR, 30 / FPS)


def test_grey_pictures_do_as_well():
    gate = MotionGate(ON)
    asked = runs(gate, [FLOOR[:, :, 1]] * 15)
    assert asked[0]
    assert not all(asked)


def test_the_snapshot_says_how_much_was_held():
    gate = settled()
    told = gate.document()
    assert told["on_motion_only"] is True
    assert told["held"] == gate.held > 0
    assert 0 < told["held_share"] < 1


@given(st.lists(st.tuples(st.floats(0.001, 3.0), st.booleans()), min_size=1, max_size=60))
def test_no_view_holds_longer_than_a_beat(history):
    gate, now, ran = MotionGate(ON), 0.0, None
    small = np.full((60, 80), 100, np.uint8)
    for passed, moves in history:
        now += passed
        if moves:
            small = 255 - small
        if gate.look(small, now):
            ran = now
        assert now - ran < ON.beat_s
