"""A real station process of which everything that leaves it is known: bytes sent, files.

What is laid into the child's path as sitecustomize.py runs before anything else there: it
writes down every byte that goes into a socket and every file that is opened for writing,
and moves the wall clock, so that an interval's border need not be waited for.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]
SPY = """
import os, socket, struct, sys, time
_sent = os.open(os.environ["WATCHED_SENT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_files = os.open(os.environ["WATCHED_FILES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_shift, _time = float(os.environ["WATCHED_SHIFT"]), time.time
time.time = lambda: _time() + _shift

def _note(buffers):
    data = b"".join(bytes(buffer) for buffer in buffers)
    os.write(_sent, struct.pack("<I", len(data)) + data)

def _noting(original, many):
    def send(self, data, *more):
        _note(data if many else [data])
        return original(self, data, *more)
    return send

for _name in ("send", "sendall", "sendto", "sendmsg"):
    setattr(socket.socket, _name, _noting(getattr(socket.socket, _name), _name == "sendmsg"))

def _hook(event, args):
    if event == "open" and isinstance(args[0], (str, bytes, os.PathLike)):
        if (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            os.write(_files, os.path.realpath(os.fsencode(args[0])) + b"\\n")

sys.addaudithook(_hook)
"""


@dataclass
class Ended:
    """How the process ended."""

    code: int
    core: bool
    """Whether the system wrote a memory image."""
    said: bytes
    """Everything on stdout and stderr."""


class Watched:
    """One station, from its start to its end."""

    def __init__(self, folder: Path, config: Path, shift_s: float) -> None:
        self.folder = folder
        for name in ("site", "tmp", "home", "cwd", "var", "watched"):
            (folder / name).mkdir()
        (folder / "site" / "sitecustomize.py").write_text(SPY)
        self._said = folder / "watched" / "said"
        environment = {
            **os.environ,
            "PYTHONPATH": f"{folder / 'site'}{os.pathsep}{ROOT}",
            "PYTHONFAULTHANDLER": "1", "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "home"),
            "WATCHED_SENT": str(folder / "watched" / "sent"),
            "WATCHED_FILES": str(folder / "watched" / "files"),
            "WATCHED_SHIFT": str(shift_s),
        }  # fmt: skip
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "apps.cli", "run", "retail_analytics",
                    "--config", str(config), "--var", str(folder / "var"),
                ],
                cwd=folder / "cwd", env=environment, stdout=said, stderr=said,
            )  # fmt: skip
        self.pid = self._process.pid

    @property
    def said(self) -> bytes:
        return self._said.read_bytes()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def password(self) -> str:
        """The first engineer's, as the log says it once."""
        return self.said.split(b"sign in as engineer with password ")[1].split()[0].decode()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.running, self.said.decode()[-3000:]
            if ready():
                return
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds:g} s: {self.said.decode()[-3000:]}")

    def end(self, number: int = signal.SIGABRT) -> Ended:
        self._process.send_signal(number)
        _, status = os.waitpid(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return Ended(self._process.returncode, os.WCOREDUMP(status), self.said)

    def close(self) -> None:
        if self._process.returncode is None and self.running:
            self._process.kill()
            self._process.wait()

    def sent(self) -> list[bytes]:
        """What was handed to sockets, call by call."""
        data, found = (self.folder / "watched" / "sent").read_bytes(), []
        at = 0
        while at + 4 <= len(data):
            (length,) = struct.unpack_from("<I", data, at)
            found.append(data[at + 4 : at + 4 + length])
            at += 4 + length
        return found

    def opened(self) -> set[Path]:
        """Files that were opened for writing, or tried to."""
        lines = (self.folder / "watched" / "files").read_bytes().splitlines()
        return {Path(os.fsdecode(line)) for line in lines}

    def files(self) -> dict[Path, bytes]:
        """Everything in the folders it could have used, and whatever else it opened."""
        inside = [
            path
            for name in ("tmp", "home", "cwd", "var")
            for path in (self.folder / name).rglob("*")
        ]
        wanted = {path for path in (*inside, *self.opened()) if path.is_file()}
        return {path: path.read_bytes() for path in wanted}

    def peers(self) -> set[tuple[int, int]]:
        """(own port, other's port) of every TCP connection that leaves the process now."""
        inodes = set()
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            name = str(link.readlink()) if link.is_symlink() else ""
            if name.startswith("socket:["):
                inodes.add(name[8:-1])
        tables = [Path(f"/proc/{self.pid}/net/{name}") for name in ("tcp", "tcp6")]
        rows = [row for table in tables for row in table.read_text().splitlines()[1:]]
        found = set()
        for row in rows:
            words = row.split()
            if words[9] in inodes:
                ports = [int(words[column].rpartition(":")[2], 16) for column in (1, 2)]
                found.add((ports[0], ports[1]))
        return {(own, other) for own, other in found if (other, own) not in found}


class Api:
    """Its HTTP API, asked as a screen asks it."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        self.got: list[bytes] = []

    def up(self) -> bool:
        try:
            return self.get("/state") is not None
        except httpx.TransportError:
            return False

    def get(self, path: str) -> httpx.Response:
        answer = self._client.get(path, timeout=20)
        self.got.append(answer.content)
        return answer

    def command(self, name: str, arguments: dict, user: tuple[str, str]) -> httpx.Response:
        return self._client.post(
            f"/commands/{name}", json=arguments, auth=user, timeout=20,
            headers={"X-Nonce": os.urandom(16).hex()},
        )  # fmt: skip

    def close(self) -> None:
        self._client.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
