"""What the station's file has of a shop at start, and what is erased from it in time."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.retail_analytics import ledger
from apps.retail_analytics.record import OCCUPANCY
from common import meta
from common.ports import Clock
from common.records import count_drop
from common.retention import DAY_S, SettledTime


@dataclass(frozen=True)
class Kept:
    """What an earlier start left."""

    closed_until: dict[str, float]
    """Camera → end of its last published interval; −∞ before the first."""
    occupancy: dict[str, Any] | None
    today: list[Mapping[str, Any]]
    """Published intervals since the business day began."""


def read(
    cameras: Iterable[str], since: float, now: float
) -> Callable[[sqlite3.Connection], Kept]:
    """To be run in the store: makes the ledger's tables and reads what is in them.

    `since` and `now` (UTC, s): when the business day began, and what time it is.
    """
    names = tuple(cameras)

    def look(connection: sqlite3.Connection) -> Kept:
        ledger.create(connection)
        rows = connection.execute(
            "SELECT body FROM retail_intervals WHERE start >= ?", (int(since),)
        )
        return Kept(
            {name: ledger.closed_until(connection, name, now) for name in names},
            meta.get(connection, OCCUPANCY),
            [json.loads(body) for (body,) in rows],
        )

    return look


class Erasing:
    """Forgets published intervals when their days are over, and counts them."""

    def __init__(self, days: float, clock: Clock) -> None:
        self._days, self._time = days, SettledTime(clock)

    def __call__(self, connection: sqlite3.Connection) -> bool:
        """To be given to `Store.add_upkeep`; nothing more is due soon."""
        now = self._time.now(connection)
        gone = ledger.erase(connection, now - self._days * DAY_S)
        if gone:
            count_drop(connection, "interval", "retail", "age", now, count=gone)
        return False
