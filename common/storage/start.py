"""A station's start on its file: opened, whatever has become of it, and ready for work."""

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from common import records
from common.pictures import Pictures
from common.ports import Clock
from common.storage import epoch as store_epoch
from common.storage.failures import StoreError, is_damage, is_full
from common.storage.file import Opened, open_file, suspect
from common.storage.space import Reserve


@dataclass(frozen=True, slots=True)
class Started:
    """The file as opened, and what this start is called."""

    opened: Opened
    boot_id: str


def start(
    path: Path, clock: Clock, max_bytes: int, pictures: Pictures, reserve: Reserve
) -> Started:
    """Open the file at `path`; StoreError, sqlite3.Error or OSError where that cannot be.

    Tries once more where damage shows only now, with a fresh file in place of this, and on
    a full disk, with the reserve given up.
    """
    try:
        return _start(path, clock, max_bytes, pictures)
    except (StoreError, sqlite3.Error, OSError, UnicodeDecodeError) as error:
        if is_damage(error) or isinstance(error, UnicodeDecodeError):
            suspect(path, str(error))
        elif not (is_full(error) and reserve.give()):
            raise
    return _start(path, clock, max_bytes, pictures)


def _start(path: Path, clock: Clock, max_bytes: int, pictures: Pictures) -> Started:
    opened = open_file(path, clock, max_bytes)
    connection = opened.connection
    try:
        boot_id = store_epoch.boot_id(connection)
        pictures.prepare(connection)
        if opened.replaces:
            before = {**asdict(opened.replaces), "replaced": opened.replaces.epoch}
            body, wall = {**before, "epoch": opened.epoch}, clock.wall()
            record = records.Record("store", "replaced", wall, clock.monotonic(), boot_id, body)
            records.add(connection, record)
    except BaseException:
        connection.close()
        raise
    return Started(opened, boot_id)
