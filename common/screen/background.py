"""Long readings beside the page: what takes seconds must not stop its clock.

    report = background.get(("report", path, span), make, max_age_s=60.0)

Gives the newest result there is and has a newer one made when it is too old. Browsers that
ask for the same share it. After a pause in which nobody asked, nothing too old is shown: it
is made anew first.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")
WAIT_S = 0.4
"""How long a page waits for a first result before it says that it is being read."""
KEPT = 12
PAUSE_S = 30.0
"""Longer than any page waits between two looks: a result unasked for so long is out of date."""


@dataclass(slots=True)
class _Entry:
    future: "Future[Any]"
    begun: float
    asked: float
    """When a page last asked for it, s."""
    last: Any = None
    """The result before the one that is being made."""


class Background:
    """Makes results in one thread of its own, and keeps the last few."""

    def __init__(self, kept: int = KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._kept, self._clock = kept, clock
        self._mutex = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading")

    def get(
        self,
        key: Hashable,
        make: Callable[[], Result],
        max_age_s: float,
    ) -> Result | None:
        """The newest result for `key`; None while the first, or that after a pause, is made.

        Raises what `make` raised.
        """
        with self._mutex:
            entry, now = self._entries.get(key), self._clock()
            watched = entry is not None and now - entry.asked <= PAUSE_S
            if entry is None or (entry.future.done() and now - entry.begun >= max_age_s):
                last = _result(entry.future) if entry and watched else None
                entry = _Entry(self._thread.submit(make), now, now, last)
                self._entries[key] = entry
            elif not watched:
                entry.last = None
            entry.asked = now
            self._entries.move_to_end(key)
            while len(self._entries) > self._kept:
                self._entries.popitem(last=False)
        if entry.last is not None and not entry.future.done():
            return entry.last  # type: ignore[no-any-return]
        try:
            return entry.future.result(WAIT_S)  # type: ignore[no-any-return]
        except FutureTimeout:
            return None


def _result(future: "Future[Any]") -> Any:
    return None if future.exception() else future.result()


background = Background()
"""Of the whole process."""
