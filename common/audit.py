"""Who did what, to what, and why: append-only rows, each sealed with the one before.

    hash = SHA-256(canonical JSON of the row, prev_hash included)

Changing, removing or inserting a row breaks every hash after it. Whoever can write the
file can also forge the whole chain, or cut its end and forget that it was there; so every
row also leaves the station (common.audit_upstream), and the newest hash seen elsewhere is
what a forger cannot reach: `holds` says whether it is still here.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from common.canonical import canonical_json

if TYPE_CHECKING:  # the store itself saves the trail from a damaged file
    from common.store import Store

FIRST = "0" * 64
"""prev_hash of the first row."""
SELECT_AUDIT = (
    "SELECT seq, wall_time, user, role, action, target, reason, prev_hash, hash FROM audit"
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One sealed row."""

    seq: int
    wall_time: float
    """UTC, seconds since 1970."""
    user: str
    role: str
    action: str
    """E.g. "acknowledge", "overrule", "login refused"."""
    target: str
    """E.g. "alarm/plc_silent", "record/4711"."""
    reason: str
    prev_hash: str
    hash: str

    def expected_hash(self) -> str:
        """What `hash` must be."""
        sealed = asdict(self)
        del sealed["hash"]
        return hashlib.sha256(canonical_json(sealed).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Act:
    """What a user did, before it is sealed."""

    user: str
    role: str
    action: str
    target: str
    reason: str = ""


def append(connection: sqlite3.Connection, act: Act, wall_time: float) -> AuditRow:
    """Seal `act` into the chain; runs in the store's thread, with what it belongs to."""
    last = connection.execute("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    sealed = AuditRow(
        _last_seq(connection) + 1,
        float(wall_time),  # as SQLite gives it back: 5 and 5.0 hash differently
        *(act.user, act.role, act.action, act.target, act.reason),
        prev_hash=last[0] if last else FIRST,
        hash="",
    )
    row = AuditRow(**{**asdict(sealed), "hash": sealed.expected_hash()})
    connection.execute(
        "INSERT INTO audit VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        tuple(asdict(row).values()),
    )
    return row


def submit(store: "Store", act: Act) -> Future[AuditRow]:
    """Append `act` by itself; the future resolves when it is durable.

    A row that the store does not take is logged, counted as lost and told upstream.
    """
    wall_time = store.clock.wall()
    future = store.submit(partial(append, act=act, wall_time=wall_time), of_class="audit")
    future.add_done_callback(partial(_log_failure, act))
    return future


def with_deed(
    store: "Store", deed: Callable[[sqlite3.Connection], Any], act: Act
) -> "Future[Any]":
    """Do `deed` and append `act` in one transaction, or neither; gives the deed's answer."""
    wall_time = store.clock.wall()

    def both(connection: sqlite3.Connection) -> Any:
        answer = deed(connection)
        append(connection, act, wall_time)
        return answer

    return store.submit(both, of_class="audit")


def _log_failure(act: Act, future: Future[AuditRow]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("not audited: %r (%s)", act.action, error)  # a name may be a password


def verify(connection: sqlite3.Connection) -> int | None:
    """The seq of the first row that is changed, missing or inserted; None when sound."""
    expected, previous = 1, FIRST
    for values in connection.execute(SELECT_AUDIT + " ORDER BY seq"):
        row = AuditRow(*values)
        sound = (
            row.seq == expected
            and row.prev_hash == previous
            and row.hash == row.expected_hash()
        )
        if not sound:
            return expected
        expected, previous = expected + 1, row.hash
    # Rows cut off at the end leave no broken link, but SQLite still knows the highest seq.
    return expected if _last_seq(connection) >= expected else None


def head(connection: sqlite3.Connection) -> AuditRow | None:
    """The newest row: its hash seals all before it; None in an empty trail."""
    row = connection.execute(SELECT_AUDIT + " ORDER BY seq DESC LIMIT 1").fetchone()
    return AuditRow(*row) if row else None


def holds(connection: sqlite3.Connection, sealed: str) -> int | None:
    """The seq of the row with this hash; None when the trail does not have it (any more)."""
    row = connection.execute("SELECT seq FROM audit WHERE hash = ?", (sealed,)).fetchone()
    return int(row[0]) if row else None


def since(connection: sqlite3.Connection, seq: int, limit: int) -> list[AuditRow]:
    """Rows after `seq`, oldest first."""
    rows = connection.execute(
        SELECT_AUDIT + " WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
    )
    return [AuditRow(*row) for row in rows]


def _last_seq(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    return int(row[0]) if row else 0
