"""The audit trail on its way out: a copy of every row where a forger does not reach it.

    store.add_upkeep(AuditUpstream(outbox, sinks).tell)

Runs with the store's upkeep, so nothing that a person does waits for it. What was told is
remembered in the same transaction as the telling; rows go in order and without a gap.
"""

import sqlite3
from dataclasses import asdict

from common import audit, meta
from common.telemetry.outbox import Message, Outbox, OutboxFull

AUDIT_EVENT = "lineside.audit.v1"
AT_ONCE = 200
_TOLD = "audit_told"


class AuditUpstream:
    """Tells `sinks` of rows that they have not been told of."""

    def __init__(self, outbox: Outbox, sinks: tuple[str, ...]) -> None:
        self._outbox, self._sinks = outbox, sinks

    def tell(self, connection: sqlite3.Connection) -> bool:
        """Queue the next rows; whether there are more.

        Where the outbox is full they wait here: the trail on the station is whole anyway.
        """
        if not self._sinks:
            return False
        told = int((meta.get(connection, _TOLD) or {}).get("seq", 0))
        rows = audit.since(connection, told, AT_ONCE)
        connection.execute("SAVEPOINT telling")
        try:
            for row in rows:
                self._queue(connection, row)
        except OutboxFull:
            connection.execute("ROLLBACK TO telling")
            rows = []
        connection.execute("RELEASE telling")
        if rows:
            meta.put(connection, _TOLD, {"seq": rows[-1].seq})
        return len(rows) == AT_ONCE

    def _queue(self, connection: sqlite3.Connection, row: audit.AuditRow) -> None:
        subject, when = f"audit/{row.seq}", row.wall_time
        message = Message("audit", AUDIT_EVENT, subject, asdict(row), when, self._sinks)
        self._outbox.append(connection, message)
