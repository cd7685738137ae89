"""What a screen reads: stations under the var folder, each through one short reading."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from common import meta
from common.errors import LinesideError
from common.records import Label, Record
from common.screen.document import Document
from common.storage.file import StoreError
from common.storage.queries import latest, open_readonly
from common.storage.schema import MIGRATIONS

FILE = "station.sqlite"
SNAPSHOT = "snapshot"
LOCKED_S = 0.2
"""How long a page waits for a file that somebody holds locked, before it says so."""


class StationUnreadable(LinesideError):
    """A station's file cannot be read now; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record and the last label a person gave it."""

    record: Record
    label: Label | None = None

    @property
    def body(self) -> Document:
        """What the record says."""
        return Document(self.record.body)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything of one refresh, from one transaction."""

    snapshot: Document
    """The station's last word; empty when it has not said anything yet."""
    rows: tuple[Row, ...] = ()
    """Oldest first."""


def var_folder() -> Path:
    """Where stations live: LINESIDE_VAR, else ./var."""
    return Path(os.environ.get("LINESIDE_VAR") or "var")


def find_stations(var: Path) -> list[Path]:
    """The files of all stations on this machine, by name."""
    return sorted(var.glob(f"*/{FILE}"))


def read_station(path: Path, kind: str = "", limit: int = 0) -> Reading:
    """A station's last word and its newest `limit` records of a kind, in one transaction."""
    try:
        with closing(open_readonly(path, LOCKED_S)) as connection:
            connection.execute("BEGIN")
            _require_known(connection)
            snapshot = Document(meta.get(connection, SNAPSHOT))
            records = latest(connection, kind, limit=limit) if limit else []
            labels = _labels(connection, records)
    except (StoreError, sqlite3.Error, ValueError) as error:
        raise StationUnreadable(f"{path.parent.name}: cannot be read ({error})") from error
    return Reading(snapshot, tuple(Row(r, labels.get(r.seq)) for r in records))


def _require_known(connection: sqlite3.Connection) -> None:
    """Raises StoreError for a file of newer software: it may mean something else by it."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreError(
            f"it is of another version: schema {version}, this screen knows {len(MIGRATIONS)}; "
            "update the screens"
        )


def _labels(connection: sqlite3.Connection, records: list[Record]) -> dict[int, Label]:
    if not records:
        return {}
    rows = connection.execute(
        "SELECT record_seq, wall_time, user, label, reason FROM labels"
        " WHERE record_seq BETWEEN ? AND ? ORDER BY seq",
        (records[0].seq, records[-1].seq),
    )
    return {row[0]: Label(*row) for row in rows}
