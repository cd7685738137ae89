"""Takes batches to the archive: whole if it can, else without the rows that are at fault."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from common.telemetry.collector.archive import Archive
from common.telemetry.collector.checks import KEPT_RAW
from common.telemetry.collector.engine import ArchiveRefused
from common.telemetry.collector.ledger import ranges_in
from common.telemetry.collector.replay import identity_of
from common.telemetry.collector.rows import Batch, EventRow, Key, Rejected, Seen, Stored
from common.telemetry.ranges import Range


def joined(batches: Sequence[Batch]) -> Batch:
    """Several batches as one."""
    seen: dict[tuple[str, str], Seen] = {}
    for batch in batches:
        seen |= batch.seen
    return Batch(
        tuple(row for batch in batches for row in batch.rows),
        tuple(tiding for batch in batches for tiding in batch.tidings),
        tuple(one for batch in batches for one in batch.rejected),
        seen,
    )


def receipts(rows: Sequence[EventRow]) -> dict[str, dict[str, list[Range]]]:
    """Source → epoch → ranges: what may be told as kept, once it is."""
    numbers: dict[Key, list[int]] = defaultdict(list)
    for row in rows:
        numbers[row[:2]].append(row[2])  # by place: a name costs as much as all the rest
    told: dict[str, dict[str, list[Range]]] = defaultdict(dict)
    for (source, epoch), found in numbers.items():
        told[source][epoch] = ranges_in(found)
    return told


@dataclass(slots=True)
class Kept:
    """What became of a batch, and which of its rows may be receipted."""

    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    rows: list[EventRow] = field(default_factory=list)

    def add(self, stored: Stored, rows: Sequence[EventRow]) -> None:
        """Count one transaction."""
        self.stored += stored.stored
        self.duplicates += stored.duplicates
        self.rejected += stored.rejected
        self.rows += rows


def keep(archive: Archive, batch: Batch, now: float) -> Kept:
    """Store a batch; raises ArchiveDown, and may be called again with all of it then.

    Rows that the database refuses are found by halving, and noted as rejected: one that
    nobody foresaw must not hold up all that comes after it.
    """
    kept = Kept()
    _keep(archive, batch, now, kept)
    return kept


def _keep(archive: Archive, batch: Batch, now: float, kept: Kept) -> None:
    try:
        kept.add(archive.store(batch, now), batch.rows)
    except ArchiveRefused as refusal:
        if not batch.rows:
            raise
        if len(batch.rows) == 1:
            (row,) = batch.rows
            only = Batch(rejected=(_rejected(row, str(refusal)), *batch.rejected))
            kept.add(archive.store(only, now), ())
            return
        middle = len(batch.rows) // 2
        _keep(archive, _part(batch, batch.rows[:middle]), now, kept)
        rest = replace(_part(batch, batch.rows[middle:]), rejected=batch.rejected)
        _keep(archive, rest, now, kept)


def _part(batch: Batch, rows: tuple[EventRow, ...]) -> Batch:
    keys = {(row.source, row.epoch) for row in rows}
    seen = {key: one for key, one in batch.seen.items() if key in keys}
    return Batch(rows, batch.tidings, (), seen)


def _rejected(row: EventRow, reason: str) -> Rejected:
    raw = repr(row).encode("ascii", "backslashreplace")
    return Rejected(
        identity_of(row.source).topic("events"), f"the database refuses it: {reason}"[:1000],
        raw[:KEPT_RAW], len(raw), row.received_time,
    )  # fmt: skip
