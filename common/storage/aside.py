"""Damaged files, moved aside in steps that a kill may come between.

    station.sqlite  ──►  station.sqlite.damaged-<time>  ──►  station.sqlite.corrupt-<time>
                    moved                        its sound rows saved

Nothing is ever deleted. What is found under the middle name at a start is still to be saved.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from common.ports import Clock

DAMAGED, CORRUPT = "damaged-", "corrupt-"
LOGS = ("-wal", "-shm")


def move_aside(path: Path, clock: Clock) -> None:
    """Move the damaged file at `path`, with its log."""
    ending = _free_ending(path, stamp(clock.wall()))
    aside = path.with_name(f"{path.name}.{DAMAGED}{ending}")
    path.rename(aside)
    _move_logs(path, aside)


def _move_logs(path: Path, aside: Path) -> None:
    for suffix in LOGS:
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")


def end_move(path: Path) -> None:
    """Move the log of a file that was moved, where a kill came between the two.

    To be called before SQLite looks there: it deletes a log that it finds without its file.
    """
    if not path.exists() and (aside := unsaved(path)):
        _move_logs(path, aside[-1])


def unsaved(path: Path) -> list[Path]:
    """Files moved aside of which nothing has been saved yet, oldest first."""
    found = sorted(path.parent.glob(f"{path.name}.{DAMAGED}*"))
    return [file for file in found if not file.name.endswith(LOGS)]


def saved_name(aside: Path) -> Path:
    """What a file moved aside is called once its rows are saved."""
    return aside.with_name(aside.name.replace(f".{DAMAGED}", f".{CORRUPT}"))


def mark_saved(aside: Path) -> None:
    """Give it that name; the file itself last, by which an unfinished move is known."""
    _move_logs(aside, saved_name(aside))
    aside.rename(saved_name(aside))


def _free_ending(path: Path, time: str) -> str:
    ending, number = time, 1
    while any(
        path.with_name(f"{path.name}.{kind}{ending}").exists() for kind in (DAMAGED, CORRUPT)
    ):
        number += 1
        ending = f"{time}-{number}"
    return ending


def free_name(path: Path, ending: str) -> Path:
    """A name beside `path` that no file has."""
    candidate, number = path.with_name(f"{path.name}.{ending}"), 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}.{ending}-{number}")
    return candidate


def stamp(wall: float) -> str:
    """A wall time (s, UTC) as it stands in file names: 20260101T120000Z."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")
