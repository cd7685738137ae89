"""A real disk that can be filled: a small tmpfs, where this machine lets us mount one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE_BYTES = 128 << 20
FILLER = "filler"


@contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Mount a tmpfs at `folder` for the block; gives "", or the reason why there is none."""
    program = shutil.which("mount") or ""
    if os.geteuid() != 0 or not program:
        yield "only root may mount a small disk"
        return
    command = [
        program,
        "-t",
        "tmpfs",
        "-o",
        f"size={SIZE_BYTES},mode=0700",
        "chaos",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603
    if done.returncode:
        yield f"a small disk cannot be mounted here ({done.stderr.strip()})"
        return
    try:
        yield ""
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", folder], check=False)  # noqa: S603


def fill(folder: Path) -> None:
    """Leave not one byte free on the disk of `folder`; also what was freed since."""
    facts = os.statvfs(folder)
    descriptor = os.open(folder / FILLER, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        with suppress(OSError):  # somebody else took some of it meanwhile
            os.posix_fallocate(descriptor, end, facts.f_bavail * facts.f_frsize)
        with suppress(OSError):
            os.lseek(descriptor, 0, os.SEEK_END)
            while True:
                os.write(descriptor, bytes(4096))
    finally:
        os.close(descriptor)


def free(folder: Path) -> None:
    """The disk has room again."""
    (folder / FILLER).unlink(missing_ok=True)
