"""Processes that a command begins beside its own, and ends with what they are for."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import ConfigError

STOP_S = 10.0
LEAVES_S = 3.0
"""A simulated device notices within a second that its station was killed, and ends."""


def check_free(port: int, meant: str, advice: str, patience_s: float = 0.0) -> None:
    """Raises ConfigError where somebody still listens on a port of loopback after so long.

    What is `meant` to listen there could not, and the other would be taken for it.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            return socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if time.monotonic() >= until:
                raise ConfigError(
                    f"port {port}, of {meant}, is taken ({error.strerror}): {advice}"
                ) from error
        time.sleep(0.1)


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
def simulated(module: str, options: list[str], serves: int | None = None) -> Iterator[None]:
    """A simulated device that is a module of ours, until the block ends.

    Raises ConfigError where the port that it `serves` is another's.
    """
    if serves is not None:
        advice = "end what is there, or set simulation.enabled = false"
        check_free(serves, "the simulated device", advice, LEAVES_S)
    command = [sys.executable, "-m", module, "--with-parent", *options]
    with ended(subprocess.Popen(command)):  # noqa: S603 - our own module
        yield
