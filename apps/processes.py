"""Processes that a command begins beside its own, and ends with what they are for."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STOP_S = 10.0


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """Asked to end with the block, and killed when it does not."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def simulated(module: str, options: list[str]) -> Iterator[None]:
    """A simulated device that is a module of ours, until the block ends."""
    command = [sys.executable, "-m", module, "--with-parent", *options]
    with ended(subprocess.Popen(command)):  # noqa: S603 - our own module
        yield
