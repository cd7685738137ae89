"""What this process can no longer do: write a picture, encode one, or leave one in a crash.

The app has no code that would. This holds for what is added to it: a debug dump forgotten
in a fork, a library that keeps "the last frame". While it is sealed, everything here that
encodes or writes pictures and arrays raises, packages that could are not imported, files
are written in the station's own folder only, and none there that is named as a picture; a
crash leaves no memory image, and memory is not swapped out where the system allows that.
It bars mistakes. Who may run code of his own in this process is not held by it.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np

from common.errors import LinesideError

OPENCV = ("imwrite", "imencode", "imshow", "namedWindow", "writeOpticalFlow", "save")
"""Beginnings of the names of OpenCV's functions that write, encode or show."""
OPENCV_CLASSES = ("VideoWriter", "FileStorage")
NUMPY = ("save", "savez", "savez_compressed", "savetxt")
NUMPY_FORMAT = ("write_array", "open_memmap")
PACKAGES = frozenset(
    {"PIL", "imageio", "av", "matplotlib", "skimage", "tifffile", "turbojpeg", "imagecodecs"}
)
"""Packages that encode pictures; the app needs none of them."""
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".jxl", ".webp", ".bmp", ".dib", ".gif", ".tif",
    ".tiff", ".avif", ".heic", ".ppm", ".pgm", ".pnm", ".pam", ".exr", ".hdr", ".npy", ".npz",
    ".raw", ".yuv", ".mp4", ".avi", ".mkv", ".mov", ".mjpeg", ".h264", ".h265", ".pkl",
)  # fmt: skip
"""Of files that hold pictures and arrays."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
GET_DUMPABLE, SET_DUMPABLE = 3, 4  # prctl(2)
LOCK_CURRENT, LOCK_FUTURE, LOCK_ON_FAULT = 1, 2, 4  # mlockall(2)


class PictureBarred(LinesideError, PermissionError):
    """Something tried to write, encode or show what may be a picture."""


@dataclass(frozen=True)
class Guarded:
    """What is barred in this process."""

    barred: tuple[str, ...]
    """Functions and classes that raise from now on."""
    core_dumps_off: bool
    memory_locked: bool
    """No page of this process is swapped out; False: the system does not let it."""

    def says(self) -> str:
        """One line for the log."""
        dumps = "off" if self.core_dumps_off else "NOT off: set LimitCORE=0"
        swap = "locked" if self.memory_locked else "NOT locked: set LimitMEMLOCK=infinity"
        return f"{len(self.barred)} picture writers barred, core dumps {dumps}, memory {swap}"


@contextmanager
def sealed(folder: Path) -> Iterator[Guarded]:
    """Bar pictures from leaving this process, as long as the block runs.

    `folder` is the only one in which files are written meanwhile. Raises PictureBarred
    when another block has sealed the process already.
    """
    with ExitStack() as opened:
        opened.enter_context(_only_writing_in(folder))
        barred = tuple(opened.enter_context(_barred(*one)) for one in _writers())
        dumps_off = opened.enter_context(_no_core_dumps())
        locked = opened.enter_context(_memory_locked())
        yield Guarded(barred, dumps_off, locked)


# ------------------------------------------------------------------ what would write


def _writers() -> Iterator[tuple[Any, str, str]]:
    """(owner, attribute, name for people) of everything that is barred."""
    for name in dir(cv2):
        if name.startswith(OPENCV) or name in OPENCV_CLASSES:
            yield cv2, name, f"cv2.{name}"
    for name in (*NUMPY, "memmap"):
        yield np, name, f"numpy.{name}"
    for name in NUMPY_FORMAT:
        yield np.lib.format, name, f"numpy.lib.format.{name}"
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None:  # loaded before the seal: importing it is too late to bar
        yield pillow.Image, "save", "PIL.Image.Image.save"


@contextmanager
def _barred(owner: Any, attribute: str, name: str) -> Iterator[str]:
    was = getattr(owner, attribute)
    setattr(owner, attribute, _refusing_class(was, name) if _is_array(was) else _refusal(name))
    try:
        yield name
    finally:
        setattr(owner, attribute, was)


def _is_array(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, np.ndarray)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise _error(name)

    return refuse


def _refusing_class(was: type, name: str) -> type:
    """As numpy.memmap, which libraries ask for with isinstance: still a class."""
    return type(was.__name__, (was,), {"__new__": _refusal(name)})


def _error(what: str) -> PictureBarred:
    return PictureBarred(f"{what}: barred in this process, no picture leaves its memory")


# --------------------------------------------------------- where files may be written


class _Hook:
    """The interpreter's audit hook: one per process, since none can be taken away again."""

    def __init__(self) -> None:
        self.folder = ""
        """"": nothing is sealed."""
        self._added = False

    def arm(self, folder: Path) -> None:
        """From now on files are written in `folder` only."""
        if self.folder:
            raise PictureBarred(f"the process is sealed already, for {self.folder}")
        self.folder = os.path.realpath(folder)
        if not self._added:
            sys.addaudithook(self)
            self._added = True

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Raise PictureBarred for a file or a package that is barred."""
        if not self.folder or event not in ("open", "import"):
            return
        if event == "import":
            if str(args[0]).partition(".")[0] in PACKAGES:
                raise _error(f"import {args[0]}")
        elif (args[2] or 0) & WRITING and isinstance(args[0], str | bytes | os.PathLike):
            self._check(os.path.realpath(os.fsdecode(args[0])))

    def _check(self, path: str) -> None:
        inside = path == os.devnull or path.startswith(self.folder + os.sep)
        if not inside or Path(path).suffix.lower() in SUFFIXES:
            raise _error(f"writing {path}")


_hook = _Hook()


@contextmanager
def _only_writing_in(folder: Path) -> Iterator[None]:
    _hook.arm(folder)
    try:
        yield
    finally:
        _hook.folder = ""


# ------------------------------------------------------------- what a crash would leave


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@contextmanager
def _no_core_dumps() -> Iterator[bool]:
    """No core file, and none for a helper of the system's either: not even readable.

    The limit of core files stays at 0 afterwards, for this process and its children.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = _libc()
    if libc is None:
        yield False
        return
    was = libc.prctl(GET_DUMPABLE, 0, 0, 0, 0)
    try:
        yield libc.prctl(SET_DUMPABLE, 0, 0, 0, 0) == 0
    finally:
        libc.prctl(SET_DUMPABLE, was if was in (0, 1) else 0, 0, 0, 0)


@contextmanager
def _memory_locked() -> Iterator[bool]:
    """Keep every page out of swap once it is used; only where no limit could be met."""
    libc = _libc()
    free = libc is not None and _unlimited(resource.RLIMIT_MEMLOCK)
    locked = bool(
        free and libc and not libc.mlockall(LOCK_CURRENT | LOCK_FUTURE | LOCK_ON_FAULT)
    )
    try:
        yield locked
    finally:
        if locked and libc:
            libc.munlockall()


def _unlimited(limit: int) -> bool:
    try:
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        return resource.getrlimit(limit)[0] == resource.RLIM_INFINITY
    return True
