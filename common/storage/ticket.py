"""The futures that the store gives: made by the thousand, and hardly ever waited for.

A condition of its own is most of what a Future costs, in time and in objects for the
garbage collector. These share one: the writer settles a whole group while it holds it once,
and a waiter, who may be woken for another's sake, looks again. Whoever waits hurries the
commit on. All else is the Future's own.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures._base import FINISHED, PENDING, RUNNING
from typing import Any, TypeVar

from common.storage.commit import Waiting

Result = TypeVar("Result")


class Ticket(Future[Result]):
    """A Future that shares its condition with all others of its kind."""

    shared = threading.Condition()

    def __init__(self, hurry: Callable[[], None] = lambda: None) -> None:
        self._hurry = hurry
        self._condition = Ticket.shared
        self._state = PENDING
        self._result: Any = None
        self._exception: BaseException | None = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []

    def result(self, timeout: float | None = None) -> Result:
        """What the operation gave; raises what it raised, or TimeoutError."""
        if self._state != FINISHED:
            self._wait(timeout)
        elif self._exception is None:
            return self._result  # type: ignore[no-any-return]
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the operation raised; None where it did not."""
        if self._state != FINISHED:
            self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        self._hurry()
        with self._condition:
            self._condition.wait_for(self.done, timeout)


def begin(batch: Sequence[Waiting]) -> list[Waiting]:
    """Those that nobody has cancelled; from now on nobody can."""
    begun = []
    with Ticket.shared:
        for waiting in batch:
            if waiting.future._state == PENDING:
                waiting.future._state = RUNNING
                begun.append(waiting)
            else:
                waiting.future.set_running_or_notify_cancel()
    return begun


def settle(batch: Sequence[Waiting]) -> None:
    """Give each its result or failure, and wake whoever waits for any of them."""
    with Ticket.shared:
        for waiting in batch:
            ticket: Any = waiting.future
            ticket._result, ticket._exception = waiting.result, waiting.failure
            ticket._state = FINISHED
            for waiter in ticket._waiters:  # of concurrent.futures.wait
                waiter.add_exception(ticket) if waiting.failure else waiter.add_result(ticket)
        Ticket.shared.notify_all()
    for waiting in batch:
        ticket = waiting.future
        if ticket._done_callbacks:
            ticket._invoke_callbacks()
