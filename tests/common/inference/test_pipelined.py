"""Several inferences under way: every question one answer, in the order of asking."""

import threading
from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import RuntimeFailure
from common.inference.pipelined import Pipelined, keep_under_way
from common.ports import TensorSpec


class Echo:
    """Gives back what it is given; holds while `gate` is shut, fails on negative values."""

    name, device = "echo", "CPU"
    inputs = outputs = (TensorSpec("x", (1,), "int64"),)

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()

    def run(self, arrays):
        self.gate.wait()
        value = int(arrays["x"][0])
        if value == -2:
            raise ValueError("not ours")
        if value == -3:
            raise TimeoutError("the driver's")
        if value < 0:
            raise RuntimeFailure("echo", "inference failed")
        return {"x": arrays["x"].copy()}

    def close(self):
        pass


class Overtaking(Echo):
    """Finishes every second inference before the one asked earlier."""

    def __init__(self):
        super().__init__()
        self._held = None

    def start(self, arrays):
        future = Future()
        if self._held is None:
            self._held = (future, arrays)
            return future
        held, self._held = self._held, None
        for one, given_ in ((future, arrays), held):
            try:
                one.set_result(self.run(given_))
            except Exception as error:  # noqa: BLE001
                one.set_exception(error)
        return future


def number(value):
    return {"x": np.array([value])}


@pytest.fixture(params=[Echo, Overtaking])
def runtime(request):
    return request.param()


def told(answer):
    return str(answer.failure) if answer.outputs is None else int(answer.outputs["x"][0])


@given(st.lists(st.integers(0, 9), min_size=2, max_size=20).filter(lambda v: len(v) % 2 == 0))
def test_answers_come_in_the_order_of_asking_whoever_is_ready_first(values):
    for runtime in (Echo(), Overtaking()):
        pipeline = Pipelined(runtime, depth=2, waiting=20)
        for tag, value in enumerate(values):
            pipeline.submit(tag, number(value))
        answers = [pipeline.collect(10) for _ in values]
        assert [answer.tag for answer in answers] == list(range(len(values)))
        assert [told(answer) for answer in answers] == values
        assert pipeline.collect(10) is None
        pipeline.close()


def test_a_failure_takes_the_place_of_its_answer_and_no_other(runtime):
    pipeline = Pipelined(runtime)
    for tag, value in (("a", 1), ("b", -1), ("c", -2), ("d", 4)):
        pipeline.submit(tag, number(value))
    assert [told(pipeline.collect(10)) for _ in range(4)] == [
        1, "echo: inference failed", "echo: ValueError: not ours", 4,
    ]  # fmt: skip
    pipeline.close()


def test_a_runtime_whose_own_time_ran_out_has_failed_and_is_not_waited_for():
    pipeline = Pipelined(Echo())
    for tag, value in enumerate((-3, 4)):
        pipeline.submit(tag, number(value))
    found = [told(pipeline.collect(10)) for _ in range(2)]
    assert found == ["echo: timed out: the driver's", 4]
    pipeline.close()


def test_what_finds_no_room_gives_way_oldest_first_and_is_counted():
    runtime = Echo()
    runtime.gate.clear()
    pipeline = Pipelined(runtime, depth=1, waiting=2)
    pipeline.submit(0, number(0))
    for tag in range(1, 6):
        pipeline.submit(tag, number(tag))
    assert pipeline.dropped == 3
    runtime.gate.set()
    given_up = "echo: given up: newer ones came"
    answers = [pipeline.collect(10) for _ in range(6)]
    assert [told(a) for a in answers] == [0, given_up, given_up, given_up, 4, 5]
    pipeline.close()


def test_an_answer_that_does_not_come_in_time_raises_and_is_had_later():
    runtime = Echo()
    runtime.gate.clear()
    pipeline = Pipelined(runtime)
    pipeline.submit("a", number(7))
    with pytest.raises(RuntimeFailure, match=r"echo: no answer within 0\.05 s"):
        pipeline.collect(0.05)
    runtime.gate.set()
    assert told(pipeline.collect(10)) == 7
    pipeline.close()


def test_what_waits_when_it_closes_is_answered_with_a_failure():
    runtime = Echo()
    runtime.gate.clear()
    pipeline = Pipelined(runtime, depth=1)
    for tag in range(3):
        pipeline.submit(tag, number(tag))
    closing = threading.Thread(target=pipeline.close)
    closing.start()
    while pipeline.dropped < 2:
        pass
    runtime.gate.set()
    closing.join()
    assert told(pipeline.collect(1)) in (0, "echo: is closed")
    assert told(pipeline.collect(1)) == told(pipeline.collect(1)) == "echo: is closed"
    with pytest.raises(RuntimeFailure, match="is closed"):
        pipeline.submit(4, number(4))


@pytest.mark.parametrize("sizes", [{"depth": 0}, {"waiting": 0}])
def test_a_pipeline_has_some_length(sizes):
    with pytest.raises(ValueError, match="at least one deep"):
        Pipelined(Echo(), **sizes)


def test_kept_under_way_are_as_many_as_asked_and_none_is_left():
    begun, most = [], []

    def start(arrays):
        future = Future()
        begun.append(future)
        most.append(sum(not one.done() for one in begun))
        if len(begun) >= 3:
            for one in begun[len(begun) - 3 :: -1]:
                one.done() or one.set_result(arrays)
        if len(begun) == 7:
            for one in begun:
                one.done() or one.set_result(arrays)
        return future

    keep_under_way(start, number(1), depth=3, count=7)
    assert len(begun) == 7
    assert max(most) == 3
    assert all(one.done() for one in begun)
