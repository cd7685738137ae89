"""A runtime in a process of its own, behind the same contract: it may hang, crash, vanish.

Whatever happens over there, `run` returns true outputs or raises RuntimeFailure within
`run_s` and a few milliseconds; it never waits for a new start. The process is started again
in the background, each time later than before, and the loop makes a Fault of every call
until it is back. An answer that comes late is thrown away with the process that gave it.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.errors import LinesideError, RuntimeFailure
from common.ports import Arrays, TensorSpec
from hardware.runtimes.checks import checked
from hardware.runtimes.failures import DeviceLost
from hardware.runtimes.shared_arrays import Area
from hardware.runtimes.worker_process import Launch, ProcessGone, WorkerProcess, starting

__all__ = ["BackOff", "Launch", "WorkerLimits", "WorkerRuntime"]


@dataclass(frozen=True)
class WorkerLimits:
    """How long is too long."""

    start_s: float = 120.0
    """From the start of the process to its first word; an engine may be built there."""
    first_s: float = 30.0
    """The first inference: weights go to the device, kernels are compiled."""
    run_s: float = 2.0
    """Every other one."""
    failures: int = 3
    """Inferences in a row that failed without an end of the process, until it is ended."""
    back_off_s: float = 0.5
    """Before the first new start; doubles with each that follows."""
    back_off_most_s: float = 30.0
    steady_s: float = 60.0
    """A life this long ends the doubling."""


class BackOff:
    """How long to wait before the next start; seconds are given, none are read."""

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits, self._next_s = limits, limits.back_off_s

    def after(self, lived_s: float) -> float:
        """The wait after a life of `lived_s`."""
        if lived_s >= self._limits.steady_s:
            self._next_s = self._limits.back_off_s
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._limits.back_off_most_s)
        return wait_s


class WorkerRuntime:
    """Runs the network of `launch` elsewhere; raises what opening it there raised."""

    def __init__(self, launch: Launch, limits: WorkerLimits | None = None) -> None:
        self.name, self._launch, self._limits = launch.name, launch, limits or WorkerLimits()
        self.restarts, self._last_fault = 0, ""
        self.took_s = 0.0
        """What the last inference took over there: the rest of the call is this process's."""
        self._lock = threading.Lock()  # one call at a time, and all that is below
        self._back_off = BackOff(self._limits)
        self._process: WorkerProcess | None = None
        self._newest: WorkerProcess | None = None
        self._why = "is starting"
        self._born = self._start_at = 0.0
        self._ran, self._failed = False, 0
        self._closing, self._wanted = threading.Event(), threading.Event()
        self._first: LinesideError | None = None
        first_done = threading.Event()
        self._keeper = threading.Thread(target=self._keep, args=(first_done,), daemon=True)
        with starting(self.name) as held:
            self._inputs = Area()
            held.callback(self._inputs.close)
            self._keeper.start()
        first_done.wait()
        if self._first is not None:
            self.close()
            raise self._first
        assert self._process is not None  # noqa: S101 - or there were an error
        self.device = self._process.device
        self.inputs: tuple[TensorSpec, ...] = self._process.inputs
        self.outputs: tuple[TensorSpec, ...] = self._process.outputs

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """One inference; raises RuntimeFailure, at the latest after `run_s` and a little."""
        with self._lock:
            process = self._alive()
            given = checked(self.name, self.inputs, arrays)  # a wrong one never crosses
            limit_s = self._limits.run_s if self._ran else self._limits.first_s
            try:
                outputs = process.run(given, limit_s)
            except ProcessGone as gone:
                raise self._ended(str(gone)) from gone
            except RuntimeFailure as failure:
                self._count(failure)
                raise
            self._ran, self._failed, self.took_s = True, 0, process.took_s
            return outputs

    def state(self) -> dict[str, Any]:
        """For health pages: whether it is alive, why not, how often it was started anew."""
        alive = self._process is not None
        return {
            "alive": alive,
            "reason": "" if alive else self._why,
            "restarts": self.restarts,
            "last_fault": self._last_fault,
            "next_start_s": 0.0 if alive else round(max(0.0, self._start_at - _now()), 1),
        }

    def close(self) -> None:
        """End the process; may be called again."""
        self._closing.set()
        self._wanted.set()
        with self._lock:
            self._process, self._why = None, "is closed"
            if self._newest is not None:
                self._newest.kill()
        self._keeper.join()
        if self._newest is not None:
            self._newest.reap()
        self._inputs.close()

    # -------------------------------------------------------------- within the lock

    def _alive(self) -> WorkerProcess:
        if self._process is not None:
            return self._process
        if self._closing.is_set():
            raise RuntimeFailure(self.name, "is closed")
        wait_s = self._start_at - _now()
        when = f"it starts again in {wait_s:.1f} s" if wait_s > 0 else "it is starting again"
        raise RuntimeFailure(self.name, f"{self._why}; {when}")

    def _count(self, failure: RuntimeFailure) -> None:
        """An error that came as an answer; the process ends when that cannot go on."""
        self._failed += 1
        self._last_fault = str(failure).removeprefix(f"{self.name}: ")
        if isinstance(failure, DeviceLost) or self._failed >= self._limits.failures:
            self._ended(self._last_fault)

    def _ended(self, why: str) -> RuntimeFailure:
        """Give the process up and order a new one; what to raise."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._closing.is_set():  # it ends with the thread that kept it
            return RuntimeFailure(self.name, "is closed")
        wait_s = self._back_off.after(_now() - self._born)
        self._why = self._last_fault = why
        self._start_at = _now() + wait_s
        self._wanted.set()
        return RuntimeFailure(self.name, f"{why}; it starts again in {wait_s:.1f} s")

    # -------------------------------------------------------------- the keeper's thread

    def _keep(self, first_done: threading.Event) -> None:
        """Start the process, again and again; the thread must live as long as it does."""
        try:
            self._start()
        except LinesideError as error:
            self._first = error
            return
        finally:
            first_done.set()
        while not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()
            while self._process is None and not self._closing.is_set():
                self._start_again()

    def _start_again(self) -> None:
        if self._closing.wait(max(0.0, self._start_at - _now())):
            return
        try:
            self._start()
            self.restarts += 1
        except LinesideError as error:
            with self._lock:
                self._ended(str(error).removeprefix(f"{self.name}: "))

    def _start(self) -> None:
        """A process that answers; raises LinesideError. The one before it is gone by then."""
        if self._newest is not None:
            self._newest.reap()
        with self._lock:
            if self._closing.is_set():
                return
            self._born = _now()
            self._newest = WorkerProcess(self._launch, self._inputs)
        try:
            self._newest.open(self._limits.start_s)
        except LinesideError:
            self._newest.kill()
            raise
        with self._lock:
            if not self._closing.is_set():
                self._process, self._born = self._newest, _now()
                self._ran, self._failed = False, 0


def _now() -> float:
    return time.monotonic()
