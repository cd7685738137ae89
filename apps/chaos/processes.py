"""A broker and children that can be killed at any moment and started anew.

Children are forked from a server that has imported everything once, so that a start costs
milliseconds and a kill can come at any moment of a life.
"""

import getpass
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from common.errors import BackendMissing

CONTEXT = multiprocessing.get_context("forkserver")
BROKER_CONF = """\
user {user}
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_queued_messages 100000
"""


def mosquitto() -> str:
    """The broker's program; raises BackendMissing."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        raise BackendMissing("chaos needs a broker to kill: apt install mosquitto")
    return found


class Broker:
    """mosquitto as packaged: messages are in its memory, and on disk every half hour."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._program, self._conf = mosquitto(), folder / "mosquitto.conf"
        text = BROKER_CONF.format(user=getpass.getuser(), port=self.port, folder=folder)
        self._conf.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while it is not running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it; it listens some ten milliseconds later."""
        command, quiet = [self._program, "-c", str(self._conf)], subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: S603

    def strike(self) -> None:
        """SIGKILL, also while it is stopped."""
        if self._process is not None:
            self._process.kill()

    def reap(self) -> None:
        """Wait until it is gone."""
        if self._process is not None:
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        """SIGSTOP or SIGCONT."""
        if self._process is not None:
            self._process.send_signal(number)

    def save(self) -> bool:
        """Have it save what it holds; False while it does not listen to that yet."""
        if self._process is None or self._process.poll() is not None:
            return False
        facts = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        caught = int(facts.partition("SigCgt:")[2].split(maxsplit=1)[0], 16)
        if not caught >> (signal.SIGUSR1 - 1) & 1:  # it would die of it
            return False
        self._process.send_signal(signal.SIGUSR1)
        return True

    def ended(self) -> bool:
        """Whether it ended although nobody killed it."""
        return self._process is not None and self._process.poll() is not None


class Child:
    """A function of ours as a process that can be killed and started anew."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: ForkServerProcess | None = None

    @property
    def pid(self) -> int | None:
        """None while it is not running."""
        return self._process.pid if self._process else None

    def start(self, body: Callable[..., Any], *arguments: Any) -> None:
        """Start it anew with these arguments."""
        self._process = CONTEXT.Process(
            target=_run_quietly, args=(self._log, body, *arguments), daemon=True
        )
        self._process.start()

    def strike(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()

    def reap(self) -> None:
        """Wait until it is gone, and its locks with it."""
        if self._process is not None:
            self._process.join()
            self._process = None

    def ended(self) -> bool:
        """Whether it ended although nobody killed it."""
        return self._process is not None and self._process.exitcode is not None


def _run_quietly(log: Path, body: Callable[..., Any], *arguments: Any) -> None:
    """A child's words go to a file of its own: the terminal is the parent's."""
    descriptor = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    body(*arguments)
