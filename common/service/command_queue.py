"""Commands and other work on their way to the thread of a station's loop."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from common.errors import LinesideError
from common.store import Store
from common.users import User

SETTLE_S = 5.0


class CommandQueue:
    """What people asked for and the loop has not done yet; `put` may be called anywhere."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[str, dict[str, Any], User, Future[Any]]]
        self._waiting = queue.Queue()
        self._later: queue.Queue[Callable[[], None]] = queue.Queue()

    def later(self, work: Callable[[], None]) -> None:
        """Have `work` done before the next command; nobody waits for it."""
        self._later.put(work)

    def put(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        """Queue a command; its future tells what came of it."""
        future: Future[Any] = Future()
        self._waiting.put((name, arguments, user, future))
        return future

    def carry_out(self, one: Callable[[str, dict[str, Any], User], Any]) -> None:
        """Do all that waits with `one`, in the thread that owns the station's state.

        What it returns may be a future: the asker is told when that is done. From here on
        the command can no longer be given up.
        """
        self._catch_up()
        while not self._waiting.empty():
            name, arguments, user, future = self._waiting.get()
            if not future.set_running_or_notify_cancel():
                continue  # the asker was told that it will not be done
            try:
                result = one(name, arguments, user)
            except Exception as error:  # noqa: BLE001 - the asker gets it, the loop goes on
                future.set_exception(error)
            else:
                _hand_over(result, future)

    def settle(self, store: Store) -> None:
        """For a loop that ends: wait for what the disk was given, then do what follows."""
        with suppress(LinesideError, TimeoutError):
            store.submit(lambda _: None).result(SETTLE_S)
        self._catch_up()

    def _catch_up(self) -> None:
        while not self._later.empty():
            self._later.get()()


def and_then(
    stored: "Future[Any]",
    after: Callable[[bool], None],
    later: Callable[[Callable[[], None]], None],
) -> "Future[Any]":
    """The answer of `stored`, once the loop has done `after(kept)`; `later` is the queue's."""
    answered: Future[Any] = Future()

    def finish() -> None:
        after(stored.exception() is None)
        _copy(stored, answered)

    stored.add_done_callback(lambda _: later(finish))
    return answered


def _hand_over(result: Any, future: "Future[Any]") -> None:
    """Give the asker the result, or, where the disk has to be waited for, later."""
    if isinstance(result, Future):
        result.add_done_callback(lambda stored: _copy(stored, future))
    else:
        future.set_result(result)


def _copy(done: "Future[Any]", future: "Future[Any]") -> None:
    error = done.exception()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
