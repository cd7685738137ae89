"""At a start: does the epoch go on, or does a new one begin, with what can be saved?"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.storage import epoch as store_epoch
from common.storage.aside import mark_saved, saved_name, unsaved
from common.storage.epoch import STARTS, UNKNOWN, Mark, MarkFile, Replaces
from common.storage.salvage import Salvaged, salvage
from common.telemetry.outbox_tally import sizes


@dataclass(frozen=True, slots=True)
class Begun:
    """The epoch in force."""

    epoch: str
    replaces: Replaces | None = None
    """What was before it; None when it began earlier, or with nothing before it."""


def settle_epoch(connection: sqlite3.Connection, path: Path, damage: str) -> Begun:
    """Go on with the file's epoch, or begin a new one in one transaction with all saved.

    A new one begins with a fresh file, and with one that is behind its high-water mark;
    `damage` says why the file before was moved aside, where it was just now.
    """
    marks, held, aside = MarkFile(path), store_epoch.present(connection), unsaved(path)
    mark = marks.read()
    if held and not store_epoch.may_be_behind(connection, held, mark):
        begun = Begun(held.epoch)
    else:
        begun = _new(connection, held, mark, aside, damage)
    marks.keep(connection)
    marks.sync()
    marks.close()
    for file in aside:
        mark_saved(file)
    return begun


def _new(
    connection: sqlite3.Connection,
    held: Mark | None,
    mark: Mark | None,
    aside: Sequence[Path],
    damage: str,
) -> Begun:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if held:
            replaces: Replaces | None = _behind(connection, held, mark)
            above = [held.sequence]
        else:
            saved = [salvage(file, connection) for file in aside]
            replaces = _moved(saved, mark, damage, [saved_name(file) for file in aside])
            above = [one.sequence for one in saved]
            starts = max((one.starts for one in saved), default=0)
            store_epoch.set_number(connection, STARTS, starts)
        highest = max([*above, mark.sequence if mark else 0])
        epoch = store_epoch.begin(connection, highest, replaces, mark)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return Begun(epoch, replaces)


def _behind(connection: sqlite3.Connection, held: Mark, mark: Mark | None) -> Replaces:
    waiting = sum(size.events for size in sizes(connection).values())
    damage = f"the file ends at {held.epoch}-{held.sequence}; "
    if mark is None or mark == UNKNOWN:
        damage += "nobody knows whether more were given out"
    else:
        damage += f"{mark.epoch}-{mark.sequence} was given out already"
    return Replaces(held.epoch, damage, waiting, lost_unknown=True, moved_to="")


def _moved(
    saved: Sequence[Salvaged], mark: Mark | None, damage: str, names: Sequence[Path]
) -> Replaces | None:
    marked = mark.epoch or None if mark else None
    if not saved and mark is None:
        return None
    if not saved:
        return Replaces(marked, "the file is gone", 0, lost_unknown=True, moved_to="")
    notes = [damage or "found damaged at an earlier start"]
    notes += [note for one in saved for note in one.notes]
    highest = max(one.sequence for one in saved)
    surely_all = marked and mark and mark.sequence <= highest and all(s.whole for s in saved)
    return Replaces(
        epoch=next((one.epoch for one in saved if one.epoch), marked),
        damage="; ".join(notes),
        salvaged=sum(one.events for one in saved),
        lost_unknown=not surely_all,
        moved_to=str(names[-1]),
    )
