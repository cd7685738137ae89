"""How long records and pictures are kept, and what goes first when space runs short."""

import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from common import meta
from common.config import setting
from common.pictures import Pictures
from common.ports import Clock
from common.records import count_drop, record_kinds
from common.storage.space import missing_room

DAY_S = 86_400.0
CHUNK = 500
"""Rows deleted in one pass: the writer is never held up for long."""
PLAUSIBLE_FROM = 1_748_736_000.0
"""2025-06-01 UTC, before this software existed: an earlier stamp is a clock not yet set."""
ROOM_SHARE = 0.1
"""Of the file's limit: with less room in it the oldest records go."""
STEP_S, MOST_OFF_S = 3600.0, 3 * DAY_S
"""A clock further ahead than this has leapt: of a running station, and after a restart."""
BELIEVED = "retention_time"
"""Key of the document that says what time it was last believed to be."""


@dataclass(frozen=True)
class RetentionSettings:
    """Days and bytes; a kind without an entry in `kind_days` is kept `record_days`."""

    record_days: float = setting(90.0, low=0.01, unit="days")
    kind_days: dict[str, float] = field(default_factory=dict)
    picture_days: float = setting(30.0, low=0.01, unit="days")
    picture_bytes: int = setting(2 << 30, low=0, unit="bytes")
    min_free_bytes: int = setting(256 << 20, low=0, unit="bytes")
    """Kept free on the disk, at the cost of the oldest pictures."""


class SettledTime:
    """Wall time that believes a leap forward only when it has lasted a day.

    A clock set ten years ahead for an hour must not delete ten years of records, and no more
    so after a restart: what was believed last stands in the station's file. A station may have
    been off for `MOST_OFF_S`; a clock further ahead than that has leapt.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.wall() - clock.monotonic()
        self._leapt: tuple[float, float] | None = None
        """Wall time of the first look at a leap under way, and its offset."""
        self._kept: dict[str, float | None] | None = None
        """What stands in the file; None before it was looked at."""

    def now(self, connection: sqlite3.Connection) -> float:
        """UTC, seconds since 1970."""
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        if wall < PLAUSIBLE_FROM:  # not set yet: nothing is so old, and nothing is learned
            return wall
        if self._kept is None:
            self._remember(connection, wall, monotonic)
        self._look(wall, wall - monotonic)
        now = monotonic + self._offset
        believed = {"now": now - now % STEP_S, "leapt": self._leapt[0] if self._leapt else None}
        if believed != self._kept:  # by the hour: often enough, and it tells nothing else
            meta.put(connection, BELIEVED, believed)
            self._kept = believed
        return now

    def _look(self, wall: float, offset: float) -> None:
        if offset <= self._offset + STEP_S:
            self._offset, self._leapt = offset, None
        elif self._leapt is None or abs(offset - self._leapt[1]) > STEP_S:
            self._leapt = wall, offset
        elif wall - self._leapt[0] >= DAY_S:
            self._offset, self._leapt = offset, None

    def _remember(self, connection: sqlite3.Connection, wall: float, monotonic: float) -> None:
        kept = self._kept = meta.get(connection, BELIEVED) or {}
        if not kept:
            return
        if wall <= kept["now"] + MOST_OFF_S:
            self._offset = wall - monotonic
            return
        self._offset = kept["now"] - monotonic
        if kept["leapt"] is not None and kept["leapt"] <= wall:
            self._leapt = kept["leapt"], wall - monotonic


class Retention:
    """Deletes what is due, oldest first, and counts every deletion in the drops table."""

    def __init__(self, pictures: Pictures, settings: RetentionSettings, clock: Clock) -> None:
        self._pictures, self._settings = pictures, settings
        self._time = SettledTime(clock)

    def run(self, connection: sqlite3.Connection) -> bool:
        """One pass; True when more is due at once."""
        now = self._time.now(connection)
        deleted = [self._by_age(connection, kind, now) for kind in record_kinds(connection)]
        deleted.append(self._by_space(connection, now))
        deleted.append(self._pictures_by_age(connection, now))
        deleted.append(self._pictures_by_space(connection, now))
        return max(deleted) >= CHUNK

    def _by_age(self, connection: sqlite3.Connection, kind: str, now: float) -> int:
        days = self._settings.kind_days.get(kind, self._settings.record_days)
        limit = now - days * DAY_S
        # Sequence is the true order: what was written before an expired record is expired
        # too, whatever a clock that was not yet set has stamped on it. What is stamped with a
        # time within its days stays: then it is the expired one's stamp that is wrong.
        cut = connection.execute(
            "SELECT max(seq) FROM records WHERE kind = ? AND wall_time >= ? AND wall_time < ?",
            (kind, PLAUSIBLE_FROM, limit),
        ).fetchone()[0]
        if cut is None:
            return 0
        rows = connection.execute(
            "SELECT seq, kind, picture FROM records WHERE kind = ? AND seq <= ?"
            " AND NOT wall_time BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (kind, cut, limit, now, CHUNK),
        ).fetchall()
        return self._delete_records(connection, rows, "age", now)

    def _by_space(self, connection: sqlite3.Connection, now: float) -> int:
        if missing_room(connection, ROOM_SHARE) <= 0:
            return 0
        rows = connection.execute(
            "SELECT seq, kind, picture FROM records"
            " WHERE seq NOT IN (SELECT record_seq FROM labels) ORDER BY seq LIMIT ?",
            (CHUNK,),
        ).fetchall()
        return self._delete_records(connection, rows, "space", now)

    def _delete_records(
        self,
        connection: sqlite3.Connection,
        rows: list[tuple[int, str, str | None]],
        reason: str,
        now: float,
    ) -> int:
        self._delete_pictures(connection, (row[2] for row in rows if row[2]), reason, now)
        connection.executemany("DELETE FROM records WHERE seq = ?", [(r[0],) for r in rows])
        for kind in {row[1] for row in rows}:
            count = sum(row[1] == kind for row in rows)
            count_drop(connection, "record", kind, reason, now, count=count)
        return len(rows)

    def _pictures_by_age(self, connection: sqlite3.Connection, now: float) -> int:
        limit = now - self._settings.picture_days * DAY_S
        rows = connection.execute(
            "SELECT name FROM pictures WHERE seq <= (SELECT max(seq) FROM pictures"
            " WHERE wall_time >= ? AND wall_time < ?)"
            " AND NOT wall_time BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (PLAUSIBLE_FROM, limit, limit, now, CHUNK),
        ).fetchall()
        return self._delete_pictures(connection, (row[0] for row in rows), "age", now)

    def _pictures_by_space(self, connection: sqlite3.Connection, now: float) -> int:
        total = connection.execute("SELECT total(bytes) FROM pictures").fetchone()[0]
        free = shutil.disk_usage(self._pictures.folder).free
        excess = max(total - self._settings.picture_bytes, self._settings.min_free_bytes - free)
        names: list[str] = []
        oldest = "SELECT name, bytes FROM pictures ORDER BY seq LIMIT ?"
        for name, size in connection.execute(oldest, (CHUNK,)).fetchall():
            if excess <= 0:
                break
            names.append(name)
            excess -= size
        return self._delete_pictures(connection, names, "space", now)

    def _delete_pictures(
        self, connection: sqlite3.Connection, names: Iterable[str], reason: str, now: float
    ) -> int:
        names = list(names)
        if names:
            freed = self._pictures.delete(connection, names)
            count_drop(connection, "picture", "", reason, now, count=len(names), size=freed)
        return len(names)
