"""One life of a worker process as its parent sees it: started, asked, ended.

Everything it says is checked: what comes from a process that may be half dead is no truth.
"""

import json
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.ports import TensorSpec
from hardware.runtimes.failures import DeviceLost, one_line
from hardware.runtimes.shared_arrays import SAME, SAME_TOO, Area, Place

log = logging.getLogger("lineside")
ROOT = Path(__file__).parents[2]
MESSAGE_BYTES = 1 << 20
DYING_S = 0.5  # from the end of its socket to its exit status
WORDS = 300  # characters kept of what it last wrote to its standard error


class ProcessGone(Exception):
    """It hung, died or talked nonsense; the text says which. It is killed by now."""


@dataclass(frozen=True)
class Launch:
    """What shall run in the process."""

    name: str
    module: str
    opener: str
    path: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    """Another interpreter where the vendor's package needs a venv of its own."""
    search: tuple[Path, ...] = (ROOT,)
    """Where it finds our modules."""
    crash_hint: str = ""
    """What a crash of this backend usually means, and the next step."""


@contextmanager
def starting(name: str) -> Iterator[ExitStack]:
    """Lets go of what was put in when a start fails; raises RuntimeFailure of runtime `name`
    where descriptors, memory or threads ran out.
    """
    with ExitStack() as held:
        try:
            yield held
        except (OSError, RuntimeError) as error:
            text = f"its process cannot be started: {one_line(error)}"
            raise RuntimeFailure(name, text) from error
        held.pop_all()


class WorkerProcess:
    """A started process; `open` makes it one that answers, `kill` and `reap` end it."""

    def __init__(self, launch: Launch, inputs: Area) -> None:
        self._launch, self._inputs = launch, inputs
        self._number, self._told, self._limit_s = 0, False, 0.0
        self._found: dict[str, np.ndarray] | None = None
        self.took_s = 0.0
        """What the last inference took over there, without the way there and back."""
        self._words: deque[str] = deque(maxlen=1)
        self._heard = memoryview(bytearray(MESSAGE_BYTES))  # a new one each time costs time
        with starting(launch.name) as held:
            self._begin(held)

    def open(self, start_s: float) -> None:
        """Let it open its network; raises what was raised there, or RuntimeFailure."""
        try:
            opening = json.dumps(_opening(self._launch), default=str).encode()
            said = self._read(self._exchanged(opening, start_s, "start"))
            self._raise_failure(said)
            self._describe(said)
        except ProcessGone as gone:
            raise RuntimeFailure(self._launch.name, f"{self._launch.path}: {gone}") from gone

    def run(self, arrays: Mapping[str, np.ndarray], limit_s: float) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure for an error, ProcessGone when it is lost."""
        self._number += 1
        answer = self._exchanged(self._question(arrays), limit_s, "inference")
        if len(answer) == SAME_TOO.size:
            number, self.took_s = SAME_TOO.unpack(answer)
        else:
            number = self._told_where(self._read(answer))
        if number != self._number:
            raise self._gone("answered another call")
        if self._found is None:
            raise self._gone("gave no usable answer (it never said where)")
        return {name: view.copy() for name, view in self._found.items()}

    def _told_where(self, said: dict[str, Any]) -> object:
        """An answer in words: an error, or where the outputs lie; gives the call's number."""
        if said.get("run") == self._number:
            self._raise_failure(said)
            try:
                self._found = self._views(said["arrays"])
                self.took_s = float(said["took_s"])
            except (KeyError, TypeError, ValueError, OSError) as error:
                raise self._gone(f"gave no usable answer ({error})") from error
        return said.get("run")

    def _question(self, arrays: Mapping[str, np.ndarray]) -> bytes:
        """The number alone where this process was told already where the arrays lie."""
        try:
            laid, same = self._inputs.put(arrays)
        except OSError as error:
            text = f"there is no shared memory for its inputs: {one_line(error)}"
            raise RuntimeFailure(self._launch.name, text) from error
        if same and self._told:
            return SAME.pack(self._number)
        self._told = True
        rows = [[p.name, p.dtype, p.shape, p.offset] for p in laid]
        return json.dumps({"run": self._number, "arrays": rows}).encode()

    def kill(self) -> None:
        """End it now, whatever it does; does not wait for it. From any thread."""
        self._child.kill()
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)  # wakes who waits for its answer

    def reap(self, limit_s: float = 5.0) -> bool:
        """After `kill`, free what it held; False when a stuck driver still holds it."""
        self._link.close()
        self._outputs.close()
        try:
            self._child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        self._listener.join(DYING_S)
        return True

    def _begin(self, held: ExitStack) -> None:
        """Start it and listen; what must be let go when that fails goes into `held`."""
        self._outputs = Area()
        held.callback(self._outputs.close)
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        held.callback(self._link.close)
        with theirs:
            self._child = held.enter_context(self._started(theirs))
        held.callback(self._child.kill)
        assert self._child.stderr is not None  # noqa: S101 - it is asked for
        self._listener = threading.Thread(
            target=self._listen, args=(self._child.stderr,), daemon=True
        )
        self._listener.start()

    def _started(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        passed = (self._inputs.descriptor, self._outputs.descriptor, theirs.fileno())
        command = [self._launch.python, "-m", "hardware.runtimes.worker_child",
                   str(os.getpid()), *map(str, passed)]  # fmt: skip
        search = os.pathsep.join(
            filter(None, [*map(str, self._launch.search), os.environ.get("PYTHONPATH")])
        )  # an empty one would be the current folder
        try:
            return subprocess.Popen(  # noqa: S603 - our own module, no user's words
                command, pass_fds=passed, env={**os.environ, "PYTHONPATH": search},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise BackendMissing(
                f"runtime {self._launch.name}: its Python cannot be started: {error}"
            ) from error

    def _exchanged(self, message: bytes, limit_s: float, what: str) -> bytes:
        """One message there, one back; raises ProcessGone when none comes in time."""
        try:
            if limit_s != self._limit_s:
                self._link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(limit_s))
                self._limit_s = limit_s
            self._link.send(message)
            size = self._link.recv_into(self._heard)
        except BlockingIOError as error:
            raise self._gone(f"{what} gave no answer within {limit_s:g} s") from error
        except OSError as error:  # the other end is closed: it died before it could answer
            raise self._gone(self._death()) from error
        if not size:
            raise self._gone(self._death())
        return bytes(self._heard[:size])

    def _read(self, answer: bytes) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(answer)
        except ValueError as error:
            raise self._gone("answered nonsense") from error
        return said

    def _gone(self, text: str) -> ProcessGone:
        self.kill()
        return ProcessGone(text)

    def _death(self) -> str:
        """How the process ended: the signal or the exit code, and its last words."""
        try:
            code = self._child.wait(DYING_S)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        if code < 0:
            hint = f": {self._launch.crash_hint}" if self._launch.crash_hint else ""
            names = (one.name for one in signal.Signals if one == -code)
            name = next(names, f"signal {-code}")  # those of real time have none
            return f"its process died of {name}{hint}"
        self._listener.join(DYING_S)
        said = f": {self._words[-1]}" if self._words else ""
        return f"its process ended (exit code {code}){said}"

    def _raise_failure(self, said: dict[str, Any]) -> None:
        kind, text = said.get("failed"), str(said.get("text", ""))
        if kind is None:
            return
        if kind in ("BundleError", "BackendMissing"):
            raise (BundleError if kind == "BundleError" else BackendMissing)(text)
        if kind == "DeviceLost":
            raise DeviceLost(self._launch.name, text)
        raise RuntimeFailure(self._launch.name, text)

    def _describe(self, said: dict[str, Any]) -> None:
        try:
            self.device = str(said["device"])
            self.inputs = tuple(_spec(row) for row in said["inputs"])
            self.outputs = tuple(_spec(row) for row in said["outputs"])
        except (KeyError, TypeError) as error:
            raise self._gone(f"described itself wrongly ({error})") from error

    def _views(self, rows: list[Any]) -> dict[str, np.ndarray]:
        """Where the outputs lie, in the memory itself; raises ValueError when it cannot be."""
        found = {}
        for name, dtype, shape, offset in rows:
            found[name] = self._outputs.view(Place(name, dtype, tuple(shape), offset))
        if found.keys() != {spec.name for spec in self.outputs}:
            raise ValueError(f"outputs {sorted(found)}")
        return found

    def _listen(self, errors: IO[bytes]) -> None:
        """Keep its last line, and keep the pipe from filling up; our own words are news."""
        with errors:
            for line in errors:
                if text := line.decode("utf-8", "replace").strip():
                    self._words.append(text[:WORDS])
                    if text.startswith(f"{self._launch.name}: "):
                        log.warning("%s", text[:WORDS])


def _timeval(seconds: float) -> bytes:
    """As the kernel wants a socket's time limit; 0 would be none."""
    whole, rest = divmod(max(1, round(seconds * 1e6)), 1_000_000)
    return struct.pack("@ll", whole, rest)


def _opening(launch: Launch) -> dict[str, Any]:
    return {
        "module": launch.module,
        "opener": launch.opener,
        "path": str(launch.path),
        "options": dict(launch.options),
    }


def _spec(row: dict[str, Any]) -> TensorSpec:
    return TensorSpec(str(row["name"]), tuple(row["shape"]), str(row["dtype"]))
