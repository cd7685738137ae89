"""`lineside dead`: what a broker or an MES refused for good, and sending it once more."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from common.arguments import visible
from common.clock import SystemClock
from common.errors import ConfigError
from common.storage.file import StoreError, lock
from common.storage.queries import open_readonly
from common.store import Store
from common.telemetry import dead_letters

FILE = "station.sqlite"
COLUMNS = ("id", "sink", "of_class", "type", "subject", "time", "bytes", "reason")


def listed(folder: Path) -> dict[str, Any]:
    """The dead letters of the station in `folder`, whether it runs or not.

    Raises ConfigError when there is no such station, StoreError for a file that is none.
    """
    with closing(open_readonly(_file(folder))) as connection:
        return {"station": folder.name, **dead_letters.listed(connection)}


def resend(folder: Path) -> dict[str, Any]:
    """Have them all sent at the station's next start.

    Raises StoreError while the station runs: a file has one writer, and the station's own
    `resend` command asks who wants it and audits it.
    """
    path = _file(folder)
    try:
        os.close(lock(path))
    except StoreError as error:
        if not isinstance(error.__cause__, BlockingIOError):
            raise
        raise StoreError(
            f"{folder.name} runs: use the command `resend` on its screen or its API"
        ) from error
    with closing(Store(path, SystemClock())) as store:
        counts = store.submit(dead_letters.revived).result()
    return {"station": folder.name, "revived": counts}


def _file(folder: Path) -> Path:
    path = folder / FILE
    if not path.is_file():
        raise ConfigError(f"{folder}: no such station; stations are the folders of --var")
    return path


def as_text(found: dict[str, Any]) -> str:
    """What `listed` or `resend` gave, for a terminal."""
    if "revived" in found:
        count = sum(found["revived"].values())
        return f"{found['station']}: {count} dead letters will be sent at its next start"
    letters, count = found["letters"], sum(found["dead"].values())
    if not count:
        return f"{found['station']}: no dead letters"
    table = [
        COLUMNS,
        *(tuple(visible(str(letter[name])) for name in COLUMNS) for letter in letters),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    more = f" (the newest {len(letters)})" if len(letters) < count else ""
    return "\n".join([f"{found['station']}: {count} dead letters{more}", *lines])
