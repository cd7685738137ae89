"""Single documents in a station's file: the latest state that the screens read."""

import json
import sqlite3
from typing import Any


def put(connection: sqlite3.Connection, key: str, document: dict[str, Any]) -> None:
    """Keep `document` under `key`, in place of the one before."""
    connection.execute(
        "INSERT INTO meta(key, value) VALUES(?, ?)"
        " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
        (key, json.dumps(document)),
    )


def get(connection: sqlite3.Connection, key: str) -> dict[str, Any] | None:
    """The document under `key`; None when there is none yet."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    document: dict[str, Any] | None = json.loads(row[0]) if row else None
    return document
