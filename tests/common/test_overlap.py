"""Sense and perceive as a pair: in order, bounded, and a failure is its own sample's alone."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import HeldClock
from common.errors import CameraError, RuntimeFailure
from common.overlap import Overlap
from common.pipeline import Fault, Pipeline
from common.ports import Sample


def sample(number):
    return Sample(f"s{number}", number, number, 0.0, 0.0)


class World:
    """Samples that have come, and what became of those that were begun."""

    def __init__(self, *coming):
        self.coming = deque(coming)
        self.waits, self.begun, self.finished = [], [], []
        self.most = 0

    def sense(self, timeout_s):
        self.waits.append(timeout_s)
        one = self.coming.popleft() if self.coming else None
        if isinstance(one, Exception):
            raise one
        return one

    def begin(self, one):
        if one.data == "bad at once":
            raise RuntimeFailure("model", f"{one.id} cannot be prepared")
        self.begun.append(one.id)
        self.most = max(self.most, len(self.begun) - len(self.finished))

        def finish():
            self.finished.append(one.id)
            if one.data == "bad later":
                raise RuntimeFailure("model", f"{one.id} failed")
            return f"seen {one.id}"

        return finish

    def __call__(self, decision):
        pass

    def safe_state(self, fault):
        pass

    def outcomes(self, depth):
        """What the loop makes of all that comes."""
        pair = Overlap(self.sense, self.begin, depth)
        loop = Pipeline(
            sense=pair.sense, perceive=pair.perceive, act=self, state=(), clock=HeldClock(),
            decide=lambda state, percept: (state, percept), record=lambda _: None,
        )  # fmt: skip
        found = []
        while (outcome := loop.step(0.05)) is not None:
            percept = outcome.percept
            found.append(percept.cause if isinstance(percept, Fault) else percept)
        return found


def test_at_depth_1_nothing_is_begun_before_it_is_perceived():
    world = World(sample(1), sample(2))
    pair = Overlap(world.sense, world.begin)
    one = pair.sense(0.05)
    assert (one.id, world.begun, len(world.coming)) == ("s1", [], 1)
    assert pair.perceive(one) == "seen s1"


def test_what_has_come_is_begun_before_the_oldest_is_handed_out():
    world = World(sample(1), sample(2), sample(3))
    pair = Overlap(world.sense, world.begin, depth=2)
    assert pair.sense(0.05).id == "s1"
    assert world.begun == ["s1", "s2"]


def test_nobody_waits_for_a_sample_that_has_not_come():
    world = World(sample(1))
    pair = Overlap(world.sense, world.begin, depth=3)
    assert pair.sense(0.05).id == "s1"
    assert world.waits == [0.05, 0.0]
    assert pair.sense(0.05) is None


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_faults_and_failures_keep_their_place(depth):
    missed = Fault("sense", "PLC", "the part passed", "s2")
    world = World(
        sample(1), missed, Sample("s3", "bad at once", 3, 0.0, 0.0), sample(4),
        CameraError("camera", "no picture"), Sample("s5", "bad later", 5, 0.0, 0.0), sample(6),
    )  # fmt: skip
    assert world.outcomes(depth) == [
        "seen s1", "the part passed", "model: s3 cannot be prepared", "seen s4",
        "camera: no picture", "model: s5 failed", "seen s6",
    ]  # fmt: skip


@given(st.lists(st.sampled_from(["good", "bad at once", "bad later"])), st.integers(1, 5))
def test_every_depth_makes_the_same_of_the_same_samples(kinds, depth):
    coming = [Sample(f"s{n}", kind, n, 0.0, 0.0) for n, kind in enumerate(kinds)]
    world = World(*coming)
    assert world.outcomes(depth) == World(*coming).outcomes(1)
    assert world.begun == world.finished
    assert world.most <= depth


def test_a_depth_of_none_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Overlap(World().sense, World().begin, 0)
