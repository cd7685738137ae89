"""Commands from other threads: done once, in order, in the loop, with what came of them."""

from concurrent.futures import Future

import pytest

from common.service.command_queue import CommandQueue
from common.users import User

EVA = User("eva", "engineer")


def test_each_asker_learns_what_came_of_it_and_the_loop_goes_on():
    queued = CommandQueue()
    futures = [queued.put(name, {"n": n}, EVA) for n, name in enumerate(("a", "bad", "c"))]
    done = []

    def one(name, arguments, user):
        done.append((name, arguments["n"], user))
        if name == "bad":
            raise ValueError("no such thing")
        return name.upper()

    assert not any(future.done() for future in futures)
    queued.carry_out(one)
    assert done == [("a", 0, EVA), ("bad", 1, EVA), ("c", 2, EVA)]
    assert [futures[0].result(0), futures[2].result(0)] == ["A", "C"]
    with pytest.raises(ValueError, match="no such thing"):
        futures[1].result(0)
    queued.carry_out(one)
    assert len(done) == 3


@pytest.mark.parametrize("error", [None, OSError("disk full")])
def test_where_the_disk_has_to_be_waited_for_the_asker_waits_and_the_loop_does_not(error):
    queued, stored = CommandQueue(), Future()
    future = queued.put("a", {}, EVA)
    queued.carry_out(lambda *_: stored)
    assert not future.done()
    if error is None:
        stored.set_result("kept")
        assert future.result(0) == "kept"
    else:
        stored.set_exception(error)
        assert future.exception(0) is error


def test_who_gave_up_waiting_has_nothing_done():
    queued = CommandQueue()
    queued.put("a", {}, EVA).cancel()
    queued.carry_out(lambda *_: pytest.fail("it was given up"))


def test_work_for_later_is_done_before_the_commands_and_once():
    queued, done = CommandQueue(), []
    queued.put("a", {}, EVA)
    queued.later(lambda: done.append("work"))
    queued.carry_out(lambda name, *_: done.append(name))
    queued.carry_out(lambda name, *_: done.append(name))
    assert done == ["work", "a"]
