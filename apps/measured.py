"""What figures were measured with: command, commit, machine. They mean nothing without.

And how far the measuring is, for who waits for them.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.inference.benchmark import machine

ROOT = Path(__file__).parents[1]
ANSWER_S = 10.0


def measured(figures: dict[str, Any], arguments: list[str]) -> dict[str, Any]:
    """The figures with what they came from; `arguments` are those of `lineside`."""
    command = shlex.join(["lineside", *arguments])
    return figures | {"command": command, "commit": commit(), "machine": machine()}


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Writes what is under way over one line of a terminal, empty in the end; not in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    try:
        yield lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201


def commit(folder: Path = ROOT) -> str | None:
    """The commit of the code in `folder`, "-dirty" where it was changed; None without git."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command, capture_output=True, check=False, text=True, timeout=ANSWER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
