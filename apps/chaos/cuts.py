"""Power cuts in software: our store is recorded at work, cut off, and opened again.

One run of the station's own code is recorded on a `Recorder`; then the power is cut at many
points of it, between any two operations of the disk: in a transaction, in a checkpoint,
while the file is made; and in some cases once more while the station recovers. Each image
is opened as a station opens its file, with another build of SQLite, and every event
accepted before the cut has to be there, sound and with its local record.

A harness that has never seen a loss proves nothing, so two controls run beside the
settings that ship: `synchronous=NORMAL` must lose accepted events, `OFF` must corrupt.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from sqlite3 import Connection
from tempfile import TemporaryDirectory

from apps.chaos.disk import Disk, Image, Recorder
from apps.chaos.ledger import CORRUPTS, LOSES
from apps.chaos.recording import (
    FILE,
    KIND,
    MAX_BYTES,
    TYPE,
    Mark,
    Recording,
    instead_of_sqlite3,
    record,
)
from common.clock import HeldClock
from common.errors import LinesideError
from common.storage.file import open_file
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox_rows import MQTT

SHIPPED = {"full": "", "full, checkpoint 20": "PRAGMA wal_autocheckpoint=20"}
"""Setting → what is changed in it, after the station's own PRAGMAs."""
NORMAL, OFF = "PRAGMA synchronous=NORMAL", "PRAGMA synchronous=OFF"
"""The controls: the one loses on most cuts, the other corrupts on some."""
CONTROL_SHARE, FEW, MOST_ATTEMPTS = 10, 10, 40
CUTS_PER_RUN = 100
AGAIN_SHARE = 0.2
"""Of the cuts: the power fails once more while the station recovers."""
EVERYTHING = 1 << 40


@dataclass(slots=True)
class Found:
    """What became of one setting's events, summed over its cuts."""

    cuts: int = 0
    accepted: int = 0
    """Events that had to be there."""
    lost: int = 0
    corrupt: int = 0
    """Files moved aside as damaged, unreadable, or holding half a transaction."""
    noticed: int = 0
    """Sound files that the station, by its high-water mark, knew to be behind."""
    cuts_with_loss: int = 0
    most_lost: int = 0


def power_cuts(
    cuts: int, seed: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, dict[str, int]]:
    """Cut every shipped setting `cuts` times and the controls a few; figures by setting."""
    found = {}
    for name, change in SHIPPED.items():
        progress(f"{cuts} power cuts, {name}")
        found[name] = cut_setting(change, cuts, str(seed))
    progress("power cuts that must do harm: the controls")
    found[LOSES] = cut_setting(NORMAL, max(FEW, cuts // CONTROL_SHARE), str(seed))
    found[CORRUPTS] = cut_until_corrupt(OFF, str(seed))
    return {name: asdict(figures) for name, figures in found.items()}


def cut_until_corrupt(change: str, seed: str) -> Found:
    """Cut a few at a time until a file was corrupt, or long past the point of hope."""
    found = Found()
    for attempt in range(MOST_ATTEMPTS):
        if found.corrupt:
            break
        _count(found, cut_setting(change, FEW, f"{seed}/{attempt}"))
    return found


def cut_setting(change: str, cuts: int, seed: str) -> Found:
    """Record and cut until there were `cuts` cuts."""
    found = Found()
    for first in range(0, cuts, CUTS_PER_RUN):
        rng = random.Random(f"{seed} {change} {first}")  # noqa: S311 - to be repeated
        with TemporaryDirectory(prefix="lineside-cuts-") as folder:
            recording = record(Path(folder), change, rng)
        _cut(recording, min(CUTS_PER_RUN, cuts - first), rng, found)
    return found


def _cut(recording: Recording, cuts: int, rng: random.Random, found: Found) -> None:
    points = sorted(rng.randint(0, len(recording.tape)) for _ in range(cuts))
    disk, done = Disk(), 0
    for point in points:
        for operation in recording.tape[done:point]:
            disk.apply(operation)
        done = point
        image = _image(disk, rng)
        if rng.random() < AGAIN_SHARE:
            image = cut_again(image, rng)
        _count(found, examine(image, due(recording.marks, point)))


def _image(disk: Disk, rng: random.Random) -> Image:
    return rng.choice((disk.torn, disk.prefix))(rng)


def cut_again(image: Image, rng: random.Random) -> Image:
    """What is left when the power fails while a station opens `image`, or closes it again."""
    recorder, disk, sound = Recorder(f"recorder-{id(image)}", image), Disk(image), False
    with _laid(image) as path, instead_of_sqlite3(recorder), suppress(LinesideError):
        opened = open_file(path, HeldClock(), MAX_BYTES)
        opened.connection.close()
        sound = opened.replaced is None
    recorder.unregister()
    if not sound:  # files were moved, and no tape knows of it
        return image
    for operation in recorder.tape[: rng.randint(0, len(recorder.tape))]:
        disk.apply(operation)
    return _image(disk, rng)


@contextmanager
def _laid(image: Image) -> Iterator[Path]:
    """The image as files; gives the path of the station's."""
    with TemporaryDirectory(prefix="lineside-cut-") as folder:
        for name, data in image.items():
            (Path(folder) / name).write_bytes(data)
        yield Path(folder) / FILE


def due(marks: list[Mark], point: int) -> set[str]:
    """Events that must be found after a cut at `point`."""
    past = [mark for mark in marks if mark.at <= point]
    accepted = {event for mark in past for event in mark.accepted}
    return accepted.difference(*(mark.doomed for mark in past))


def _count(found: Found, one: Found) -> None:
    for name in ("cuts", "accepted", "lost", "corrupt", "noticed", "cuts_with_loss"):
        setattr(found, name, getattr(found, name) + getattr(one, name))
    found.most_lost = max(found.most_lost, one.most_lost)


def examine(image: Image, wanted: set[str]) -> Found:
    """Open an image as a station does: are the wanted events there?"""
    there, whole, noticed = _opened(image)
    lost = len(wanted - there)
    return Found(1, len(wanted), lost, not whole, noticed, lost > 0, lost)


def _opened(image: Image) -> tuple[set[str], bool, bool]:
    """Events in it, whether it is whole, and whether it is known to be behind."""
    with _laid(image) as path:
        try:
            opened = open_file(path, HeldClock(), MAX_BYTES)
        except LinesideError:
            return set(), False, False
        with closing(opened.connection) as connection:
            there, whole = _contents(connection)
    behind = opened.replaces is not None and opened.replaced is None
    return there, whole and opened.replaced is None, behind


def _contents(connection: Connection) -> tuple[set[str], bool]:
    """Sound events that wait, and whether all are and each has its record."""
    found = rows.pending(connection, MQTT, EVERYTHING)
    ours = {
        f"{row.epoch}-{row.event}"
        for row in found
        if row.sound and TYPE.encode() in row.payload
    }
    subjects = connection.execute("SELECT subject FROM records WHERE kind = ?", (KIND,))
    whole = ours <= {subject for (subject,) in subjects}  # they share a transaction
    return ours, whole and all(row.sound for row in found)
