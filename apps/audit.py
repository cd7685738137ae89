"""`lineside audit verify STATION`: is the trail of who did what still whole?

Three things can be wrong: a row was changed, removed or inserted (the chain is broken); rows
were cut off at the end (the file still knows how many there were); or somebody forged the
chain anew and covered that up. The last shows only against a hash that was seen elsewhere,
at the collector or on paper: give it with --head.
"""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import audit
from common.errors import ConfigError
from common.storage.file import StoreError
from common.storage.queries import open_readonly

FILE = "station.sqlite"
HASH = re.compile(r"[0-9a-f]{64}")


def verify(folder: Path, head: str | None = None) -> dict[str, Any]:
    """What is known of the trail of the station in `folder`; "sound" is the verdict.

    `head` is the hash of a row as it was seen elsewhere. Raises ConfigError when it is none,
    StoreError when the station's file cannot be read.
    """
    if head is not None and not HASH.fullmatch(head.strip().lower()):
        raise ConfigError(f"--head {head}: must be a SHA-256 of 64 hexadecimal digits")
    path = folder / FILE
    if not path.exists():
        raise ConfigError(f"{path}: there is no such station; see --var")
    try:
        with closing(open_readonly(path)) as connection:
            connection.execute("BEGIN")
            return _verified(connection, folder.name, head.strip().lower() if head else None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read ({error})") from error


def _verified(connection: sqlite3.Connection, station: str, head: str | None) -> dict[str, Any]:
    broken, newest = audit.verify(connection), audit.head(connection)
    found = audit.holds(connection, head) if head else None
    return {
        "station": station,
        "rows": newest.seq if newest else 0,
        "head": newest.hash if newest else audit.FIRST,
        "head_time": _iso(newest.wall_time) if newest else None,
        "broken_row": broken,
        "seen_head": head,
        "seen_row": found,
        "sound": broken is None and (head is None or found is not None),
    }


def as_text(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{found['station']}: {found['rows']} rows, head {found['head']}"
        + (f" of {found['head_time']}" if found["head_time"] else "")
    ]
    if found["broken_row"] is not None:
        lines.append(
            f"BROKEN: row {found['broken_row']} was changed, removed or inserted; "
            "nothing from it on can be trusted"
        )
    if found["seen_head"] and found["seen_row"] is None:
        lines.append(
            "FORGED OR CUT: no row here has the hash that was seen elsewhere; "
            "the end was cut off or the chain was made anew"
        )
    elif found["seen_head"]:
        after = found["rows"] - found["seen_row"]
        lines.append(f"The hash seen elsewhere is row {found['seen_row']}; {after} came since")
    if found["sound"]:
        lines.append("sound" if found["seen_head"] else f"sound in itself; {_ADVICE}")
    return "\n".join(lines)


_ADVICE = "compare its head with one seen elsewhere (--head) to know that nothing was cut"


def _iso(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")
