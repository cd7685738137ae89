"""A disk that remembers: every write between two syncs, so that its power can be cut later.

A file's bytes are on the medium once its xSync has returned. What was written since is
only in the operating system's memory; at a power cut any part of it may be there. Two ways
of losing it are played:

    torn      each unsynced sector of 512 bytes is kept or not by the toss of a coin, so
              writes are torn and reach the medium out of order; so are truncations and
              names made or removed
    prefix    the oldest so many of the unsynced operations are kept whole

Names are stricter than on most file systems: a new file's name is durable only after the
folder was synced, which SQLite does with the first sync of a journal or log. Not played:
a disk that says "synced" and lies, and bytes beside a write changed by it (SQLite is told
`psow`, as it is on every disk by default).
"""

import itertools
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import apsw

SECTOR_BYTES = 512
KEPT = 0.5
NEW_LOG = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


@dataclass(frozen=True, slots=True)
class Write:
    """`data` was written to a file at `offset`, bytes."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file was cut to `size` bytes."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """All of a file was made durable; with `folder` all names, too."""

    file: int
    folder: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A file got its name."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Unlink:
    """A name went; with `folder` durably."""

    name: str
    folder: bool


Operation = Write | Truncate | Sync | Link | Unlink
Image = dict[str, bytes]
"""What is found after the power is back: name → bytes."""
_EMPTY: Mapping[str, bytes] = MappingProxyType({})


def _numbered(image: Mapping[str, bytes]) -> dict[str, int]:
    """The numbers of files that are there from the beginning."""
    return {name: number for number, name in enumerate(image)}


class Disk:
    """What is durable, and what is not yet, after the operations applied so far."""

    def __init__(self, image: Mapping[str, bytes] = _EMPTY) -> None:
        self._durable = dict(enumerate(map(bytearray, image.values())))
        self._names = _numbered(image)
        self._unsynced: list[Operation] = []

    def apply(self, operation: Operation) -> None:
        """The operating system has carried out one more operation."""
        match operation:
            case Sync(file, folder):
                self._harden(file, folder=folder)
            case Unlink(_, folder=True):
                self._unsynced.append(operation)
                self._harden(None, folder=True)
            case _:
                self._unsynced.append(operation)

    def _harden(self, file: int | None, *, folder: bool) -> None:
        waiting, self._unsynced = self._unsynced, []
        for one in waiting:
            names = isinstance(one, Link | Unlink)
            if folder if names else _file(one) == file:
                _perform(one, self._durable, self._names)
            else:
                self._unsynced.append(one)

    def torn(self, rng: random.Random) -> Image:
        """After a power cut that tore and reordered what was under way."""
        return self._after(piece for one in self._unsynced for piece in _pieces(one, rng))

    def prefix(self, rng: random.Random) -> Image:
        """After a power cut that kept the oldest of what was under way."""
        return self._after(self._unsynced[: rng.randint(0, len(self._unsynced))])

    def _after(self, kept: Iterable[Operation]) -> Image:
        files = {file: bytearray(data) for file, data in self._durable.items()}
        names = dict(self._names)
        for one in kept:
            _perform(one, files, names)
        return {name: bytes(files.get(file, b"")) for name, file in names.items()}


def _file(operation: Operation) -> int | None:
    return getattr(operation, "file", None)


def _pieces(operation: Operation, rng: random.Random) -> Iterable[Operation]:
    """What the coin leaves of one operation, sector by sector."""
    if not isinstance(operation, Write):
        return [operation] if rng.random() < KEPT else []
    start, end = operation.offset, operation.offset + len(operation.data)
    edges = [start, *range((start // SECTOR_BYTES + 1) * SECTOR_BYTES, end, SECTOR_BYTES), end]
    return [
        Write(operation.file, low, operation.data[low - start : high - start])
        for low, high in itertools.pairwise(edges)
        if rng.random() < KEPT
    ]


def _perform(operation: Operation, files: dict[int, bytearray], names: dict[str, int]) -> None:
    match operation:
        case Write(file, offset, data):
            content = files.setdefault(file, bytearray())
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
        case Truncate(file, size):
            content = files.setdefault(file, bytearray())
            del content[size:]
            content.extend(bytes(size - len(content)))
        case Link(name, file):
            names[name] = file
        case Unlink(name):
            names.pop(name, None)


class Recorder(apsw.VFS):
    """The machine's own files under a VFS of this name, with a tape of all that was done.

    `image` is what lies there already. Nothing is synced for real: that the tape says so
    is enough, and spares the disk.
    """

    def __init__(self, name: str, image: Mapping[str, bytes] = _EMPTY) -> None:
        super().__init__(name, "")
        self.name, self.tape = name, list[Operation]()
        self._files, self._numbers = _numbered(image), itertools.count(len(image))

    def xOpen(  # noqa: N802 - SQLite's names
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        """Open it, and note it when the disk has not seen it yet."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not flags[0] & (apsw.SQLITE_OPEN_MAIN_DB | NEW_LOG):
            return apsw.VFSFile("", name, flags)  # temporary: gone with the power anyway
        opened, base = _RecordedFile(name, flags, self.tape), Path(path).name
        if base not in self._files:
            self._files[base] = next(self._numbers)
            self.tape.append(Link(base, self._files[base]))
        opened.number = self._files[base]
        return opened

    def note(self, path: Path, *, synced: bool = False) -> None:
        """A small file beside SQLite's was written anew; `synced` with its name."""
        if path.name not in self._files:
            self._files[path.name] = next(self._numbers)
            self.tape.append(Link(path.name, self._files[path.name]))
        self.tape.append(Write(self._files[path.name], 0, path.read_bytes()))
        if synced:
            self.tape.append(Sync(self._files[path.name], folder=True))

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete it; durably only with `syncdir`."""
        super().xDelete(filename, syncdir)
        self._files.pop(Path(filename).name, None)
        self.tape.append(Unlink(Path(filename).name, syncdir))


class _RecordedFile(apsw.VFSFile):
    number = 0

    def __init__(
        self, name: str | apsw.URIFilename | None, flags: list[int], tape: list[Operation]
    ) -> None:
        super().__init__("", name, flags)
        self._tape = tape
        # As SQLite's own unix files do it: a journal or log that may be new.
        self._syncs_folder = bool(flags[0] & NEW_LOG and flags[0] & apsw.SQLITE_OPEN_CREATE)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._tape.append(Write(self.number, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._tape.append(Truncate(self.number, newsize))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        self._tape.append(Sync(self.number, self._syncs_folder))
        self._syncs_folder = False
