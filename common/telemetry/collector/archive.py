"""Where events are kept: one transaction per batch, and each event once, whatever comes twice.

What comes with a known id and was recorded at another time is another event, from a station
that was put back from a copy and counts on from there: it is kept, in an epoch of its own.

`Archive` holds the rules; an engine (SQLite, PostgreSQL) holds the tables. A stream's ledger
is locked first, so that several collectors on one database take turns where they must: what
the ledger does not know is new, and goes in as fast as the database can take it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from common.errors import ConfigError
from common.telemetry.collector import ledger
from common.telemetry.collector.engine import ArchiveRefused, Clash, Engine, Id, shown
from common.telemetry.collector.ledger import Stream
from common.telemetry.collector.rows import (
    Batch,
    Began,
    Dropped,
    EventRow,
    Key,
    Stored,
    Tiding,
)
from common.telemetry.collector.settings import MONTHLY
from common.telemetry.ranges import Range

SQLITE, POSTGRESQL = "sqlite", "postgresql"
MOST_CLAIMED = 100
APART, MOST_APART = "~", 8
"""Behind an epoch: events whose ids others bear in it; and how often that can be."""
NOTHING: Mapping[Key, str] = MappingProxyType({})
log = logging.getLogger("lineside.collector")


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask a station for."""

    source: str
    epoch: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Rows of a batch that are not known."""

    fresh: list[EventRow]
    """To be kept now."""
    learned: list[EventRow]
    """That the ledger has yet to take in."""
    others: list[EventRow]
    """Whose ids other events bear."""


class Archive:
    """The events of all stations; not for several threads at once."""

    def __init__(
        self, engine: Engine, *, patience_s: float = 30.0, keep_rejected: int = 1000
    ) -> None:
        self._engine, self._patience_s, self._keep = engine, patience_s, keep_rejected

    def store(self, batch: Batch, now: float) -> Stored:
        """Keep a batch whole, or raise; what is kept already is not kept twice.

        `now` is UTC, s. Raises ArchiveDown to try again, ArchiveRefused when a row is at
        fault.
        """
        try:
            return self._store(batch, now, trust=True)
        except Clash:  # rows that came in around the ledger: ask the table
            return self._store(batch, now, trust=False)

    def _store(self, batch: Batch, now: float, *, trust: bool) -> Stored:
        self._engine.prepare(batch.rows)
        with self._engine.transaction():
            fresh = self._take_in(batch, now, trust=trust)
            self._engine.reject(batch.rejected, self._keep)
        return Stored(fresh, len(batch.rows) - fresh, len(batch.rejected))

    def _take_in(
        self, batch: Batch, now: float, opened: Mapping[Key, str] = NOTHING, *, trust: bool
    ) -> int:
        """Keep what is new of a batch; how many events that is."""
        before = self._engine.lock(sorted(_keys(batch)))
        before = {
            key: replace(stream, opened=stream.opened or opened.get(key, ""))
            for key, stream in before.items()
        }
        found = self._sorted_out(batch.rows, before, trust=trust)
        self._engine.insert(found.fresh)
        after = _advanced(before, found.learned, batch)
        self._engine.save(
            [
                ledger.scheduled(before[key], stream, now, self._patience_s)
                for key, stream in after.items()
            ]
        )
        if not found.others:
            return len(found.fresh)
        return len(found.fresh) + self._take_apart(found.others, after, now, trust=trust)

    def _take_apart(
        self,
        rows: Sequence[EventRow],
        streams: Mapping[Key, Stream],
        now: float,
        *,
        trust: bool,
    ) -> int:
        """Keep events whose ids others bear in an epoch of their own beside."""
        if any(row.epoch.endswith(APART * MOST_APART) for row in rows):
            raise ArchiveRefused(f"its id is that of {MOST_APART + 1} other events")
        moved = tuple(row._replace(epoch=row.epoch + APART) for row in rows)
        opened = {(row.source, row.epoch + APART): streams[row[:2]].opened for row in rows}
        fresh = self._take_in(Batch(rows=moved), now, opened, trust=trust)
        if fresh:
            log.warning(
                "%s: %d with ids that other events bear, kept in epochs that end in %s:"
                " was a station's folder put back from a copy?",
                ", ".join(sorted({row.source for row in rows})), fresh, APART,
            )  # fmt: skip
        return fresh

    def _sorted_out(
        self, rows: Sequence[EventRow], streams: dict[Key, Stream], *, trust: bool
    ) -> "_Sorted":
        """What is new, and what only seems to be known; all else is known.

        Where the ledger knows an id, the table says whether it is of this very event.
        """
        fresh: dict[Id, EventRow] = {}
        unsure: dict[Id, bool | None] = {}
        for row in rows:
            known = streams[row.source, row.epoch].knows(row.sequence)
            one = (row.source, row.epoch, row.sequence)
            fresh.setdefault(one, row)
            if known is not False or not trust:
                unsure[one] = known
        there = self._engine.recorded(list(unsure)) if unsure else {}
        bears = {one: row.recorded_time for one, row in fresh.items()} | there
        learned = dict(fresh)
        for one, known in unsure.items():
            if one in there or (known and trust):  # known, yet no longer there: by retention
                del fresh[one]
                if known is not False:
                    del learned[one]
        others = [row for row in rows if bears[row[:3]] != row.recorded_time]
        return _Sorted(list(fresh.values()), list(learned.values()), others)

    def claim(self, now: float) -> list[Ask]:
        """What to ask stations for now; another collector is not told the same."""
        with self._engine.transaction():
            latest = now + max(self._patience_s, ledger.LONGEST_WAIT_S)
            due = self._engine.due(now, latest, MOST_CLAIMED)
            self._engine.save([ledger.asked(stream, now, self._patience_s) for stream in due])
        asks = [Ask(one.source, one.epoch, tuple(one.wanted())) for one in due]
        return [ask for ask in asks if ask.ranges]

    def note_gone(self, source: str, gone: dict[str, list[Range]], now: float) -> None:
        """A station no longer has these ranges of its epochs."""
        with self._engine.transaction():
            known = {stream.key for stream in self._engine.streams()}
            keys = [key for epoch in sorted(gone) if (key := (source, epoch)) in known]
            self._engine.save(
                [
                    ledger.scheduled(
                        stream, ledger.with_gone(stream, gone[key[1]]), now, self._patience_s
                    )
                    for key, stream in self._engine.lock(keys).items()
                ]
            )

    def streams(self) -> list[Stream]:
        """The ledger of every epoch of every source."""
        with self._engine.transaction():
            return self._engine.streams()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.close()


def _keys(batch: Batch) -> set[Key]:
    """The streams that a batch changes."""
    keys = {(row.source, row.epoch) for row in batch.rows}
    for one in batch.tidings:
        keys.add((one.source, one.epoch))
        if isinstance(one, Began) and one.replaces:
            keys.add((one.source, one.replaces))
    return keys


def _advanced(
    streams: dict[Key, Stream], learned: Sequence[EventRow], batch: Batch
) -> dict[Key, Stream]:
    """The streams after a batch."""
    after = dict(streams)
    new: dict[Key, set[int]] = {}
    for row in learned:
        new.setdefault((row.source, row.epoch), set()).add(row.sequence)
    for key, seen in batch.seen.items():
        if key in after:
            opened = after[key].opened or seen.received_time
            after[key] = replace(after[key], seen=seen, opened=opened)
    for key, sequences in new.items():
        after[key] = ledger.with_received(after[key], sequences)
    for tiding in _first_told(batch.tidings, new):
        key = (tiding.source, tiding.epoch)
        if isinstance(tiding, Began):
            after[key] = ledger.with_start(after[key], tiding)
            if tiding.replaces:
                ended = tiding.source, tiding.replaces
                after[ended] = ledger.with_end(after[ended], tiding)
        else:
            after[key] = ledger.with_told(after[key], tiding.window, tiding.count)
    return after


def _first_told(tidings: Iterable[Tiding], new: dict[Key, set[int]]) -> list[Tiding]:
    """Those of events that are kept just now: the same loss must not count twice."""
    found: dict[tuple[str, tuple[str, int]], Tiding] = {}
    for one in tidings:
        teller = one.told_by if isinstance(one, Dropped) else (one.epoch, one.sequence)
        if teller[1] in new.get((one.source, teller[0]), ()):
            found.setdefault((one.source, teller), one)
    return list(found.values())


def open_archive(
    url: str, *, layout: str = MONTHLY, patience_s: float = 30.0, keep_rejected: int = 1000
) -> Archive:
    """The archive at `url`, made or brought to the newest schema where it must be.

    Raises ConfigError for an address that is none, BackendMissing without the driver, and
    ArchiveError when the database cannot be used.
    """
    engine: Engine
    kind, where = parse_url(url)
    if kind == SQLITE:
        from common.telemetry.collector.sqlite_engine import SqliteEngine  # noqa: PLC0415

        engine = SqliteEngine(Path(where))
    else:
        from common.telemetry.collector.postgresql_engine import (  # noqa: PLC0415
            PostgresqlEngine,
        )

        engine = PostgresqlEngine(where, layout)
    return Archive(engine, patience_s=patience_s, keep_rejected=keep_rejected)


def parse_url(url: str) -> tuple[str, str]:
    """Which database, and the file or address; raises ConfigError for anything else."""
    scheme = urlsplit(url).scheme
    if scheme == SQLITE:
        path = url.removeprefix("sqlite:///")
        if path != url and Path(path).name:
            return SQLITE, path
    elif scheme in (POSTGRESQL, "postgres"):
        return POSTGRESQL, url
    raise ConfigError(
        f"{shown(url)}: no archive; write sqlite:///FILE (sqlite:////absolute/file) or"
        " postgresql://user@host/database"
    )
