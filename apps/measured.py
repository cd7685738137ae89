"""What figures were measured with: command, commit, machine. They mean nothing without."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from common.inference.benchmark import machine

ROOT = Path(__file__).parents[1]
ANSWER_S = 10.0


def measured(figures: dict[str, Any], arguments: list[str]) -> dict[str, Any]:
    """The figures with what they came from; `arguments` are those of `lineside`."""
    command = shlex.join(["lineside", *arguments])
    return figures | {"command": command, "commit": commit(), "machine": machine()}


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
