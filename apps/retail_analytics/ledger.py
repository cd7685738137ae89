"""Where published intervals are kept: the last door that few people's counts must not pass.

The rules are the table's own constraints, so that no caller, no later version and no
hand-written SQL puts a small count in: a count is 0, at least k, or nothing; one cell's
windows are aligned, lie on the same grid and never overlap. What is asked is asked by
aligned times only.
"""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from apps.retail_analytics.domain import IN, OUT
from common.errors import LinesideError

LONGEST_S = 3600.0
"""The widest interval."""
TABLES = (
    """
CREATE TABLE IF NOT EXISTS retail_cells(
  camera TEXT NOT NULL,
  cell TEXT NOT NULL,
  since INTEGER NOT NULL,
  start INTEGER NOT NULL,
  end INTEGER NOT NULL,
  count INTEGER,
  k INTEGER NOT NULL CHECK (k >= 3),
  PRIMARY KEY (camera, cell, start),
  CHECK (count IS NULL OR count = 0 OR count >= k),
  CHECK (count IS NOT NULL OR since = start),
  CHECK (end - start IN (60, 300, 900, 3600) AND start % (end - start) = 0),
  CHECK (since <= start AND since % (end - start) = 0 AND end - since <= 3600)
) WITHOUT ROWID
""",
    """
CREATE TRIGGER IF NOT EXISTS retail_cells_apart BEFORE INSERT ON retail_cells
WHEN EXISTS (
  SELECT 1 FROM retail_cells WHERE camera = NEW.camera AND cell = NEW.cell
  AND start < NEW.end AND end > NEW.start
) OR (NEW.count IS NOT NULL AND EXISTS (
  SELECT 1 FROM retail_cells WHERE camera = NEW.camera AND cell = NEW.cell
  AND count IS NOT NULL AND since < NEW.end AND end > NEW.since
))
BEGIN SELECT RAISE(ABORT, 'overlaps an interval that is published'); END;
""",
    """
CREATE TRIGGER IF NOT EXISTS retail_cells_kept BEFORE UPDATE ON retail_cells
BEGIN SELECT RAISE(ABORT, 'a published interval is never changed'); END;
""",
    """
CREATE TABLE IF NOT EXISTS retail_intervals(
  camera TEXT NOT NULL,
  start INTEGER NOT NULL,
  end INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (camera, start)
) WITHOUT ROWID
""",
    """
CREATE TRIGGER IF NOT EXISTS retail_intervals_kept BEFORE UPDATE ON retail_intervals
BEGIN SELECT RAISE(ABORT, 'a published interval is never changed'); END;
""",
)
"""One statement each: whoever runs them keeps the transaction in hand."""


class IntervalRefused(LinesideError):
    """An interval that must not be published, and why."""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables where they are not there yet."""
    for statement in TABLES:
        connection.execute(statement)


def put(
    connection: sqlite3.Connection,
    record: dict[str, Any],
    people: Mapping[tuple[int, int], int] | None = None,
) -> None:
    """Keep one closed interval in the caller's transaction; raises IntervalRefused.

    `people`: of each cell of its heat map, how many were in it. They are not kept.
    """
    _check_zones(record)
    _check_heat(record, people or {})
    camera, k = record["camera"], record["k"]
    start, end = int(record["interval_start"]), int(record["interval_end"])
    try:
        for line in record["lines"]:
            for direction in (IN, OUT):
                row = (
                    camera, f"{line['line']}/{direction}", int(line[f"{direction}_since"]),
                    start, end, line[direction], k,
                )  # fmt: skip
                connection.execute("INSERT INTO retail_cells VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute(
            "INSERT INTO retail_intervals VALUES (?, ?, ?, ?)",
            (camera, start, end, json.dumps(record, sort_keys=True)),
        )
    except sqlite3.IntegrityError as error:
        raise IntervalRefused(
            f"{camera}: interval at {start} is not published: {error}"
        ) from error


def read(
    connection: sqlite3.Connection, camera: str, start: int, end: int
) -> list[dict[str, Any]]:
    """Published intervals from `start` to `end` (UTC, s), whole ones only.

    Raises IntervalRefused for a window that would cut an interval: there are no others.
    """
    cut = connection.execute(
        "SELECT count(*) FROM retail_intervals WHERE camera = ? AND ("
        "(start < ? AND end > ?) OR (start < ? AND end > ?))",
        (camera, start, start, end, end),
    ).fetchone()[0]
    if cut:
        raise IntervalRefused(f"{camera}: only whole, aligned intervals can be asked for")
    rows = connection.execute(
        "SELECT body FROM retail_intervals WHERE camera = ? AND start >= ? AND end <= ? "
        "ORDER BY start",
        (camera, start, end),
    )
    return [json.loads(body) for (body,) in rows]


def closed_until(connection: sqlite3.Connection, camera: str, now: float) -> float:
    """End of the last interval that is published; −∞ before the first.

    `now` is UTC, s: what begins more than an hour later was published by a wrong clock.
    """
    row = connection.execute(
        "SELECT max(end) FROM retail_intervals WHERE camera = ? AND start <= ?",
        (camera, now + LONGEST_S),
    ).fetchone()
    return float("-inf") if row[0] is None else float(row[0])


def erase(connection: sqlite3.Connection, before: float) -> int:
    """Forget intervals that ended before `before` (UTC, s); how many."""
    connection.execute("DELETE FROM retail_cells WHERE end <= ?", (before,))
    return connection.execute("DELETE FROM retail_intervals WHERE end <= ?", (before,)).rowcount


def _check_zones(record: dict[str, Any]) -> None:
    """What is told of a zone is of at least k people."""
    k = record["k"]
    for zone in record["zones"]:
        queue = zone.get("queue") or {}
        counts = [spread["n"] for spread in (zone["dwell"], queue.get("wait")) if spread]
        counts += [queue["served"]] if queue else []
        if any(count < k for count in counts):
            raise IntervalRefused(f"zone {zone['zone']}: of fewer than {k} people")
        if not record["usable"] and counts:
            raise IntervalRefused(f"zone {zone['zone']}: the interval is not usable")


def _check_heat(record: dict[str, Any], people: Mapping[tuple[int, int], int]) -> None:
    """What is told of a spot of the floor is of at least k people."""
    cells, k = record.get("heat", {}).get("cells", ()), record["k"]
    if cells and not record["usable"]:
        raise IntervalRefused("heat map: the interval is not usable")
    if any(people.get((x, y), 0) < k for x, y, _ in cells):
        raise IntervalRefused(f"heat map: a cell of fewer than {k} people")
