"""The alarms in a station's file, as whoever opens it later would find them."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.alarms.engine import HIDDEN
from common.canonical import read_object


@dataclass(frozen=True)
class StoredAlarm:
    """One alarm that is not normal."""

    alarm_id: str
    state: str
    priority: int
    wall_time: float
    body: Mapping[str, Any]


def stored_alarms(connection: sqlite3.Connection) -> list[StoredAlarm]:
    """Annunciated ones: highest priority first, then newest."""
    rows = connection.execute(
        "SELECT alarm_id, state, priority, wall_time, body FROM alarms"
        " WHERE state <> 'NORM' ORDER BY priority, wall_time DESC"
    )
    found = (StoredAlarm(*columns, read_object(body)) for *columns, body in rows)
    return [alarm for alarm in found if alarm.state not in HIDDEN]
