"""What one command of a station does, and how it is done and audited: the same in every app."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from common import audit
from common.service.command_queue import and_then
from common.store import Store
from common.users import User

Write = Callable[[sqlite3.Connection], Any]
Later = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class Deed:
    """What one command does."""

    result: Any
    """A write in the store that gives the asker's answer, a future of it, or the answer."""
    target: str
    reason: str = ""
    after: Callable[[bool], None] | None = None
    """In the loop's thread, once a write is durable (True) or was not kept."""


def carry_out(store: Store, deed: Deed, name: str, user: User, later: Later) -> Any:
    """Do it and audit it as the command `name`; gives the answer, or a future of it.

    What takes the disk is done and audited in one transaction, or not at all. `later` has
    work done in the loop's thread.
    """
    act = audit.Act(user.name, user.role, name, deed.target, deed.reason)
    if isinstance(deed.result, Future):
        deed.result.add_done_callback(
            lambda future: None if future.exception() else audit.submit(store, act)
        )
        return deed.result
    if not callable(deed.result):
        audit.submit(store, act)
        return deed.result
    stored = audit.with_deed(store, deed.result, act)
    return stored if deed.after is None else and_then(stored, deed.after, later)
