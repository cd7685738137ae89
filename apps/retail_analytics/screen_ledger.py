"""What the screen reads of published intervals: counts by time, and what is not known of it.

Nothing here knows more than what was published. A window of several intervals that were
told together is spread evenly over them; what was not told is no zero.
"""

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from common.canonical import read_object
from common.screen.document import Document
from common.screen.station_file import LOCKED_S, StationUnreadable
from common.storage.file import StoreError
from common.storage.queries import open_readonly

TABLE = "retail_intervals"
SELECT = (
    "SELECT body FROM retail_intervals"
    " WHERE camera = ? AND start >= ? AND start < ? AND end > ? ORDER BY start"
)
NEXT = "SELECT camera FROM retail_intervals WHERE camera > ? ORDER BY camera LIMIT 1"
HOUR_S = 3600.0
Doors = tuple[tuple[str, str], ...]
"""Camera and line of every door."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One published cell of one door: a count of a window, or that there is none."""

    start: float
    end: float
    """UTC, s."""
    count: int | None
    """None: suppressed, or not known at all, as `why` says."""
    why: str = ""
    """Why the time was not observed; empty where it was."""
    partial: bool = False
    """Only a part of the time was there to be observed."""
    k: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of time over all doors: what is known of it, and what is not."""

    start: float
    end: float
    value: float = 0.0
    """People that were told."""
    hidden: float = 0.0
    """Suppressed cells that fall into it, each with 1 to k − 1 people."""
    k: int = 0
    why: str = ""
    """Why a part of it was not observed; empty where all was."""
    partial: bool = False
    merged: bool = False
    """A part of the value was told for a longer time, and is spread over it."""
    seen: float = 0.0
    """Door-seconds of which something is published."""

    @property
    def told(self) -> bool:
        """Whether `value` is all who came."""
        return self.seen > 0 and not self.hidden and not self.why

    @property
    def empty(self) -> bool:
        """Whether nothing was published of it: it is not over, or nobody counted."""
        return self.seen == 0 and not self.why

    @property
    def estimate(self) -> float | None:
        """Who may have come; of what was suppressed half of k.

        None where nobody knows, and where a part was not there to be observed.
        """
        known = self.seen > 0 and not self.why and not self.partial
        return self.value + self.hidden * self.k / 2 if known else None


def read_intervals(
    path: Path, spans: Iterable[tuple[float, float]], cameras: frozenset[str] = frozenset()
) -> tuple[Document, ...]:
    """Published intervals in some stretches of time, of these cameras or of all.

    By camera and in order of time within a stretch; raises StationUnreadable.
    """
    try:
        with closing(open_readonly(path, LOCKED_S)) as connection:
            named = [c for c in _cameras(connection) if not cameras or c in cameras]
            return tuple(
                Document(read_object(body))
                for start, end in spans
                for camera in named
                for (body,) in connection.execute(SELECT, (camera, start - HOUR_S, end, start))
            )
    except (StoreError, sqlite3.Error, ValueError) as error:
        raise StationUnreadable(f"{path.parent.name}: cannot be read ({error})") from error


def _cameras(connection: sqlite3.Connection) -> list[str]:
    """All cameras of which something is published: one step each, however long the table."""
    found: list[str] = []
    while _has_table(connection):
        next_one = connection.execute(NEXT, (found[-1] if found else "",)).fetchone()
        if next_one is None:
            break
        found.append(next_one[0])
    return found


def _has_table(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,))
    return found.fetchone() is not None


def pieces_of(records: Iterable[Document], doors: Doors, direction: str = "in") -> list[Piece]:
    """The cells of the doors; a suppressed one that a later window has told is not there."""
    by_door: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for record in records:
        for line in record.documents("lines"):
            door = record.text("camera"), line.text("line")
            piece = _piece(record, line, direction) if not doors or door in doors else None
            if piece is not None:
                by_door[door].append(piece)
    return [piece for pieces in by_door.values() for piece in _not_told_later(pieces)]


def _piece(record: Document, line: Document, direction: str) -> Piece | None:
    start, end = record.number("interval_start"), record.number("interval_end")
    if start is None or end is None or not 0 < end - start <= HOUR_S:
        return None
    k, partial = record.whole("k") or 0, record.flag("partial") is True
    if record.flag("usable") is not True:
        return Piece(start, end, None, reason_of(record), partial, k)
    since = line.number(f"{direction}_since")
    first = since if since is not None and end - HOUR_S <= since <= start else start
    count = line.whole(direction)
    return Piece(start if count is None else first, end, count, "", partial, k)


def reason_of(record: Document) -> str:
    """What blinded a camera for the longest part of an interval of which nothing is told."""
    reasons = record.at("quality").at("reasons")
    found = [(reasons.number(name) or 0.0, name) for name in reasons.names()]
    return max(found)[1] if found else "partial" if record.flag("partial") else "?"


def _not_told_later(pieces: list[Piece]) -> list[Piece]:
    told = sorted((p.start, p.end) for p in pieces if p.count is not None)
    starts = [start for start, _ in told]

    def later(piece: Piece) -> bool:
        at = bisect_right(starts, piece.start) - 1
        return piece.count is None and not piece.why and at >= 0 and told[at][1] >= piece.end

    return [piece for piece in pieces if not later(piece)]


def slots_of(pieces: Iterable[Piece], spans: Sequence[tuple[float, float]]) -> list[Slot]:
    """What is known of each stretch of time, from and to, in their order."""
    slots, ends = [Slot(*span) for span in spans], [end for _, end in spans]
    for piece in pieces:
        at = bisect_right(ends, piece.start)
        while at < len(slots) and slots[at].start < piece.end:
            slots[at] = _added(slots[at], piece)
            at += 1
    return slots


def _added(slot: Slot, piece: Piece) -> Slot:
    common_s = min(slot.end, piece.end) - max(slot.start, piece.start)
    if common_s <= 0:
        return slot
    share = common_s / (piece.end - piece.start)
    partial, k = slot.partial or piece.partial, max(slot.k, piece.k)
    if piece.why:
        return replace(slot, why=slot.why or piece.why, partial=partial, k=k)
    if piece.count is None:
        seen, hidden = slot.seen + common_s, slot.hidden + share
        return replace(slot, hidden=hidden, seen=seen, partial=partial, k=k)
    return replace(
        slot, value=slot.value + share * piece.count, seen=slot.seen + common_s,
        partial=partial, merged=slot.merged or share < 1, k=k,
    )  # fmt: skip
